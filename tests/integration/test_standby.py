"""Engines of one log in PostgreSQL take over from one another: paused, killed, stopped; nothing is lost or doubled."""

import os
import signal
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import anyio
import pytest

from sep_core.runtime.clock import SystemClock
from sep_core.runtime.settings import load_settings
from sep_core.runtime.start import running_kernel

from ..contract.test_store_postgres import make_database
from ..harness.bench import DATA, ENVIRON, Wish, acquire, dispose, new_key_file, tables, toml_text
from ..harness.fleet import chain_of_its_own, configured
from ..harness.json_rpc import SocketChain
from ..harness.killing import Serving
from ..harness.servers import PostgresServer
from ..harness.signer import SignerProcess, router_rules
from ..harness.verdict import check_books, check_effects, own_transactions

pytestmark = pytest.mark.anyio

ENGINES = 3
EACH = 10
WAIT_SECONDS = 90.0


def wish(number: int) -> Wish:
    """Now bought, now sold, each time another amount."""
    amount = 10**16 + number * 10**12
    return dispose(f"standby {number}", amount) if number % 3 == 2 else acquire(f"standby {number}", amount)


async def ready(engine: Serving) -> None:
    """Returns once it leads."""
    done = await anyio.to_thread.run_sync(engine.ready.wait, WAIT_SECONDS)
    assert done, "no engine took over"


async def ask(engine: Serving, wishes: list[Wish]) -> list[str]:
    """The ids under which the engine has taken them in, again or for the first time."""
    answers = [await anyio.to_thread.run_sync(engine.call, "POST", "/v1/intents", one.body) for one in wishes]
    assert all(status in (200, 201, 202) for status, _ in answers), answers
    return [answer["intent_id"] for _, answer in answers]


@pytest.mark.slow
@pytest.mark.says
async def test_a_paused_and_a_killed_leader_are_taken_over_from(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """SIGSTOP amid intents, then SIGKILL amid intents: each is there, once; the paused engine wakes up fenced."""
    dsn, environ = postgres_server.url(await make_database(postgres_server)), {**os.environ, **ENVIRON}
    engines: list[Serving] = []
    wishes = [wish(number) for number in range(ENGINES * EACH)]
    with (
        chain_of_its_own(tmp_path / "chain.sock") as chain,
        SignerProcess(tmp_path / "signer", router_rules("main")) as signer,
    ):
        try:
            for name in "abc":
                config = configured(tmp_path, name, tmp_path / "chain.sock", dsn, signer.socket)
                engines.append(Serving(config, tmp_path / f"data-{name}", environ, "--standby"))
                if name == "a":
                    await ready(engines[0])
            paused = engines[0]
            first = await ask(paused, wishes[:EACH])
            paused.process.send_signal(signal.SIGSTOP)
            stopped = monotonic()
            next_one = await leader_among(engines[1:])
            took = monotonic() - stopped
            again = await ask(next_one, wishes[: 2 * EACH])
            assert again[:EACH] == first, "the same intents under the same ids"
            next_one.kill()
            killed = monotonic()
            (last,) = [one for one in engines[1:] if one is not next_one]
            await ready(last)
            after_death = monotonic() - killed
            await ask(last, wishes)
            paused.process.send_signal(signal.SIGCONT)
            code = await anyio.to_thread.run_sync(paused.process.wait, WAIT_SECONDS)
            assert code == 6, "the engine that was displaced ends, and says so by its exit code"
            assert await anyio.to_thread.run_sync(last.stop) == 0
        finally:
            for one in engines:
                one.process.send_signal(signal.SIGCONT)
                one.kill()
        settings = load_settings(tmp_path / "a.toml", environ)
        async with running_kernel(settings, environ, SystemClock()) as kernel:
            for state in list(kernel.world.open_intents()):
                await kernel.wait_until_ended(state.id, WAIT_SECONDS)
            ended = await check_effects(kernel, own_transactions(partial(_call, chain)), ())
            await check_books(kernel)
    assert ended == {"SETTLED": len(wishes)}
    print(
        f"{len(wishes)} intents, {ENGINES} engines: 0 lost, 0 doubled; taken over {took:.0f} s after a pause,"
    )
    print(f"{after_death:.0f} s after a death")


async def test_a_standby_of_a_folder_waits_for_the_engine_that_holds_it(tmp_path: Path) -> None:
    new_key_file(tmp_path)
    environ = {**os.environ, **ENVIRON}
    with chain_of_its_own(tmp_path / "chain.sock"):
        (tmp_path / "sep.toml").write_text(toml_text(tables({"socket": str(tmp_path / "chain.sock")})))
        start = partial(Serving, tmp_path / "sep.toml", tmp_path / DATA, environ, "--standby")
        first, second = start(), None
        try:
            await ready(first)
            second = start()
            (asked,) = await ask(first, [wish(0)])
            assert not second.ready.is_set()
            first.kill()
            await ready(second)
            status, view = await anyio.to_thread.run_sync(second.call, "GET", f"/v1/intents/{asked}")
            assert status == 200, view
            assert await anyio.to_thread.run_sync(second.stop) == 0
        finally:
            for one in (first, second):
                if one is not None:
                    one.kill()


def _call(chain: SocketChain, method: str, *params: object) -> Any:
    return chain(method, *params)


async def leader_among(engines: list[Serving]) -> Serving:
    """The first of them that leads."""
    with anyio.fail_after(WAIT_SECONDS):
        while True:
            for one in engines:
                if one.ready.is_set():
                    return one
                assert one.process.poll() is None, (one.config.parent / "serve.log").read_text()
            await anyio.sleep(0.05)
