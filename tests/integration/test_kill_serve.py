"""`sep serve` is killed at random moments while intents come in: 0 lost, 0 doubled, books balance, the log verifies.

The seed is drawn at run time and printed; `SEP_KILL_SEED` repeats one, `SEP_KILLS` asks for more kills.
"""

import json
import os
import random
import signal
import subprocess
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import monotonic
from uuid import uuid5

import pytest

from sep_core.adapters.sim_host import host_command
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.settings import load_settings
from sep_core.runtime.start import running_kernel

from ..harness.bench import (
    DATA,
    ENVIRON,
    NAMES,
    OWNER,
    TOKENS,
    Wish,
    acquire,
    dispose,
    new_key_file,
    tables,
    toml_text,
)
from ..harness.json_rpc import HttpChain, SocketChain
from ..harness.killing import SEP, Killed, KillLoop, Serving
from ..harness.run import submit_all
from ..harness.verdict import (
    Ask,
    check_accepted,
    check_books,
    check_effects,
    check_log,
    own_transactions,
    token_balance,
)

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = pytest.mark.anyio

KILLS = int(os.environ.get("SEP_KILLS", "14"))
LIMIT_SECONDS = 30.0 if "SEP_KILLS" not in os.environ else 3600.0
MOST_WISHES = 24
LOST_ANSWERS = [
    {"method": "eth_sendRawTransaction", "kind": "drop", "taken": taken, "probability_ppm": 100_000}
    for taken in (True, False)
]


def drawn_seed() -> int:
    """This run's seed."""
    return int(os.environ.get("SEP_KILL_SEED", random.SystemRandom().randrange(2**32)))


def wish(number: int) -> Wish:
    """Now bought, now sold, each time another amount."""
    amount = 10**16 + number * 10**12
    return dispose(f"killed {number}", amount) if number % 3 == 2 else acquire(f"killed {number}", amount)


async def judge(
    done: Killed, config: Path, environ: Mapping[str, str], ask: Ask, owner: str, weth: str, before: int
) -> str:
    """One last start: everything acknowledged is there, everything asked for ends, nothing happened twice."""
    assert not done.wrong, done.wrong
    settings = load_settings(config, environ)
    async with running_kernel(settings, environ, SystemClock()) as kernel:
        check_accepted(kernel, done.acknowledged)
        views = await submit_all(kernel, done.asked)
        ended = await check_effects(kernel, own_transactions(ask, owner), ())
        await check_books(kernel)
    bodies = [json.loads(one.body) for one in done.asked]
    moved = sum(
        int(body["assets"][0]["amount"]) * (1 if body["type"] == "ACQUIRE" else -1)
        for body, view in zip(bodies, views, strict=True)
        if view.status == "SETTLED"
    )
    assert token_balance(ask, weth, owner) == before + moved
    assert set(ended) == {"SETTLED"}, (ended, [view.reason for view in views if view.status != "SETTLED"])
    return f"{len(done.asked)} intents ended {dict(ended)}, 0 lost, 0 doubled, books balance"


async def loop_and_judge(
    loop: KillLoop, config: Path, data: Path, environ: Mapping[str, str], ask: Ask, owner: str, weth: str
) -> str:
    """The whole, in words."""
    began, before = monotonic(), token_balance(ask, weth, owner)
    done = loop.run(KILLS, LIMIT_SECONDS)
    told = await judge(done, config, environ, ask, owner, weth, before)
    check_log(data)
    return (
        f"seed {done.seed}: {done.kills} kills, {done.before_ready} of them while starting,"
        f" in {monotonic() - began:.0f} s; {told}"
    )


@pytest.mark.says
async def test_kills_on_the_simulated_chain(tmp_path: Path) -> None:
    """A1: an effect whose engine dies between sending and recording is found, and settled once."""
    new_key_file(tmp_path)
    socket, config = tmp_path / "chain.sock", tmp_path / "sep.toml"
    config.write_text(toml_text(tables({"socket": socket})))
    environ = {**os.environ, **ENVIRON}
    command = host_command(socket, block_interval_ms=60)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:  # noqa: ASYNC220
        try:
            assert host.stdout is not None
            assert host.stdout.readline() == "ready\n"
            SocketChain(socket)("sim_setFaults", {"seed": drawn_seed(), "rules": LOST_ANSWERS})
            start = partial(Serving, config, tmp_path / DATA, environ)
            loop = KillLoop(start, wish, seed=drawn_seed(), longest_seconds=1.5, most_wishes=MOST_WISHES)
            told = await loop_and_judge(
                loop, config, tmp_path / DATA, environ, SocketChain(socket), OWNER, TOKENS["WETH"]["address"]
            )
            print(f"simulated chain, {told}")
        finally:
            host.kill()


@pytest.mark.anvil
@pytest.mark.usefixtures("testnet_artifacts")
@pytest.mark.says
async def test_kills_on_a_local_node(tmp_path: Path) -> None:
    box = tmp_path / "box"
    command = [str(SEP), "testnet", "up", str(box), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:  # noqa: ASYNC220
        try:
            assert node.stdout is not None
            assert any(line == "ready\n" for line in iter(node.stdout.readline, "")), "no testnet"
            config = box / "sep.toml"
            said = tomllib.loads(config.read_text())
            owner = said["accounts"]["main"]["address"].lower()
            weth = said["assets"]["WETH"]["address"]
            example = json.loads((box / "intent.json").read_text())

            def bought(number: int) -> Wish:
                client_id = uuid5(NAMES, f"node {number}")
                asset = {**example["assets"][0], "amount": str(10**15 + number)}
                constraints = {**example["constraints"], "time_window_ms": 600_000}
                body = {**example, "id": str(client_id), "assets": [asset], "constraints": constraints}
                return Wish(client_id, json.dumps(body).encode())

            ask = HttpChain(said["chains"]["ethereum"]["rpc"][0])
            start = partial(Serving, config, box / "sep-data", os.environ)
            loop = KillLoop(start, bought, seed=drawn_seed(), longest_seconds=3.0, most_wishes=8)
            told = await loop_and_judge(loop, config, box / "sep-data", os.environ, ask, owner, weth)
            print(f"local node, {told}")
        finally:
            node.send_signal(signal.SIGTERM)
            node.communicate(timeout=30)
