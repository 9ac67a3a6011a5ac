"""Plugins that end the process or block its thread: named after the restart, quarantined, and nothing is lost."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from uuid import uuid4

import pytest

from sep_core.adapters.sim_host import host_command
from sep_core.adapters.store_sqlite import open_store
from sep_core.events.facts import PluginFaulted, PluginQuarantined
from sep_core.plugins.watchdog import EXIT_CODE
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.desk import fold
from sep_core.runtime.world import World

from ..harness.bench import (
    DATA,
    ENVIRON,
    OWNER,
    SECOND_OWNER,
    TOKENS,
    Wish,
    acquire,
    new_key_file,
    tables,
    toml_text,
)
from ..harness.hostile import Hostile
from ..harness.json_rpc import SocketChain
from ..harness.killing import SEP, START_SECONDS, Serving
from ..harness.verdict import check_log, own_transactions, token_balance

pytestmark = pytest.mark.anyio

AMOUNT = 10**16
ENDED_BY_PLUGIN = 7
CONFIGURATION_WRONG = 3

CASES = [
    Hostile("venue", "markets", "ends the process"),
    Hostile("venue", "quote_call", "ends the process"),
    Hostile("venue", "swap_call", "blocks"),
    Hostile("strategy", "on_timer", "ends the process"),
    Hostile("strategy", "on_block", "blocks"),
    Hostile("hooks", "sep_intent_accepted", "ends the process"),
    Hostile("hooks", "sep_plan_chosen", "blocks"),
]


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    """A simulated chain that outlives the engines."""
    path = tmp_path / "chain.sock"
    command = host_command(path, block_interval_ms=200)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        try:
            assert host.stdout is not None
            assert host.stdout.readline() == "ready\n"
            yield path
        finally:
            host.kill()


class Bench:
    """An installation with a hostile plugin among good ones."""

    def __init__(self, hostile: Hostile, folder: Path, socket: Path) -> None:
        site = folder / "site"
        site.mkdir()
        new_key_file(folder)
        self.folder = folder
        self.config = folder / "sep.toml"
        made = hostile.tables(tables({"socket": socket}), hostile.install(site), folder)
        self.config.write_text(toml_text(made))
        self.environ = {**os.environ, **ENVIRON, "PYTHONPATH": str(site)}

    def serve(self) -> Serving:
        """Another process."""
        return Serving(self.config, self.folder / DATA, self.environ)

    def log_text(self) -> str:
        """What the processes wrote for people."""
        return (self.folder / "serve.log").read_text()[-3000:]

    async def world(self) -> World:
        """What the log says."""
        store = open_store(self.folder / DATA, writable=False, clock=SystemClock(), ids=uuid4)
        try:
            return await fold(store)
        finally:
            await store.close()


def only_by_evil(wish: Wish) -> Wish:
    """The same for the hostile venue alone."""
    body = json.loads(wish.body)
    body["constraints"]["venues"] = ["evil"]
    return Wish(wish.client_id, json.dumps(body).encode())


def submitted(serving: Serving, wish: Wish) -> str:
    """The intent's id, empty where no answer came."""
    with suppress(OSError, HTTPException):
        status, answer = serving.call("POST", "/v1/intents", wish.body)
        assert status in (200, 202), answer
        return str(answer["intent_id"])
    return ""


def ended(serving: Serving, intent_id: str) -> str:
    """The status that an intent comes to."""
    while True:
        status, answer = serving.call("GET", f"/v1/intents/{intent_id}")
        assert status == 200, answer
        if answer["status"] in ("SETTLED", "REJECTED", "CANCELLED", "FAILED", "EXPIRED"):
            return str(answer["status"])


@pytest.mark.parametrize("hostile", CASES, ids=lambda one: one.name)
async def test_it_is_named_and_kept_out_and_nothing_is_lost(
    hostile: Hostile, tmp_path: Path, socket: Path
) -> None:
    bench, chain = Bench(hostile, tmp_path, socket), SocketChain(socket)
    before = token_balance(chain, TOKENS["WETH"]["address"])
    bait = acquire("bait", AMOUNT)
    bait = only_by_evil(bait) if hostile.kind == "venue" else bait

    first = bench.serve()
    while first.process.poll() is None and not first.ready.wait(0.05):
        pass
    acknowledged = submitted(first, bait) if first.ready.is_set() else ""
    code = first.process.wait(START_SECONDS)
    assert code == (EXIT_CODE if hostile.how == "blocks" else ENDED_BY_PLUGIN), bench.log_text()

    second = bench.serve()
    assert second.ready.wait(START_SECONDS), bench.log_text()
    world = await bench.world()
    facts = [fact for facts in world.plugins.values() for fact in facts]
    assert any(isinstance(one, PluginFaulted) and one.name == "hostile" for one in facts), facts
    (named,) = [one for one in facts if isinstance(one, PluginQuarantined) and one.name == "hostile"]
    told = "ended the process by os._exit(7)" if hostile.how == "ends the process" else "held the event loop"
    assert told in named.reason
    assert not acknowledged or acknowledged in {str(one) for one in world.intents}

    again = submitted(second, bait)
    assert again
    assert acknowledged in ("", again)
    # Without the venue that it wants, the bait finds no path.
    expected = "REJECTED" if hostile.kind == "venue" else "SETTLED"
    assert ended(second, again) == expected
    assert ended(second, submitted(second, acquire("afterwards", AMOUNT))) == "SETTLED"
    assert second.stop() == 0
    check_log(tmp_path / DATA)
    settled = 1 + (expected == "SETTLED")
    assert token_balance(chain, TOKENS["WETH"]["address"]) == before + AMOUNT * settled
    assert len(own_transactions(chain, OWNER)) == 3 * settled
    assert own_transactions(chain, SECOND_OWNER) == {}


def test_a_rule_that_ends_the_process_stops_the_next_start_by_name(tmp_path: Path, socket: Path) -> None:
    bench = Bench(Hostile("risk", "assess", "ends the process"), tmp_path, socket)
    first = bench.serve()
    assert first.ready.wait(START_SECONDS), bench.log_text()
    submitted(first, acquire("bait", AMOUNT))
    assert first.process.wait(START_SECONDS) == ENDED_BY_PLUGIN
    done = subprocess.run(
        [str(SEP), "serve", "--config", str(bench.config), "--port", "0"],
        env=bench.environ,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode == CONFIGURATION_WRONG, done.stderr
    assert "risk evil (hostile)" in done.stderr
    assert "in quarantine since it ended the process" in done.stderr
    assert "Traceback" not in done.stderr
