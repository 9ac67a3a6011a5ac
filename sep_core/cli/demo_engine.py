"""One act of the demonstration: a real engine in a process of its own, telling what happens as JSON lines."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import uvloop
from sep_hooks.types import token_address

from sep_core.cli.demo_stage import CLIENT
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.native import checksum_address
from sep_core.runtime.settings import load_settings
from sep_core.runtime.start import running_kernel
from sep_core.runtime.submission import parse_submission
from sep_core.telemetry.crashpoints import armed
from sep_core.telemetry.log import configure_logging

ENDED_SECONDS = 20.0
KILL_AT = "execution.send.broadcast.after"


def main(config: Path, act: str) -> None:
    """Runs one act: `settle`, `drill` (ends by SIGKILL) or `recover`."""
    stream = configure_logging(config.parent / "engine.log")
    with stream:
        uvloop.run(_act(config, act))


async def _act(config: Path, act: str) -> None:
    settings = load_settings(config, os.environ, checksum=checksum_address)
    async with running_kernel(settings, os.environ, SystemClock()) as kernel:
        match act:
            case "settle":
                await _settle(kernel)
            case "drill":
                await _drill(kernel)
            case "recover":
                await _recover(kernel)
        await _audit(kernel)


async def _settle(kernel: Kernel) -> None:
    for name, kind, symbol, amount in (
        ("acquire", "ACQUIRE", "WETH", 25 * 10**17),
        ("dispose", "DISPOSE", "WETH", 10**18),
        ("greedy", "ACQUIRE", "WETH", 8 * 10**18),
    ):
        await _ended(kernel, await _submit(kernel, name, kind, symbol, amount))
    for intent_id in _strategy_intents(kernel):
        await _ended(kernel, intent_id)


async def _drill(kernel: Kernel) -> None:
    def visit(point: str) -> None:
        if point == KILL_AT:
            _say("killed", point=point)
            os.kill(os.getpid(), signal.SIGKILL)

    with armed(visit):
        intent_id = await _submit(kernel, "drill", "ACQUIRE", "WETH", 5 * 10**17)
        await kernel.wait_until_ended(intent_id, ENDED_SECONDS)


async def _recover(kernel: Kernel) -> None:
    intent_id = uuid5_of(kernel, "drill")
    _say("restarted", **(await kernel.queries()).intent(intent_id).model_dump(mode="json"))
    await _ended(kernel, intent_id)


async def _audit(kernel: Kernel) -> None:
    """Holds the log against the chain: what is unfinished, what the chain executed beyond it, where books differ."""
    beyond = unfinished = 0
    for key, lane in kernel.world.lanes.items():
        executed = await kernel.installation.chain_of(key.chain).access.nonce(key.address)
        beyond += abs(executed - lane.next_nonce)
        unfinished += len(lane.unfinished)
    _say(
        "books",
        mismatches=[one.model_dump() for one in await kernel.mismatches()],
        open_intents=len(list(kernel.world.open_intents())),
        unfinished=unfinished,
        beyond_the_log=beyond,
    )


def _strategy_intents(kernel: Kernel) -> list[UUID]:
    return [state.id for state in kernel.world.intents.values() if state.intent.strategy == "rebalance"]


async def _submit(kernel: Kernel, name: str, kind: str, symbol: str, amount: int) -> UUID:
    asset = kernel.installation.assets[symbol]
    part = kernel.installation.chains["simulated"]
    body = {
        "id": str(uuid5(CLIENT, name)),
        "strategy_id": str(CLIENT),
        "type": kind,
        "assets": [
            {
                "asset": {
                    "symbol": asset.symbol,
                    "address": token_address(asset.id),
                    "decimals": asset.decimals,
                    "chain_id": part.preset.chain_id,
                },
                "amount": str(amount),
            }
        ],
        "constraints": {"max_slippage": "0.005", "time_window_ms": 600000, "execution_style": "IMMEDIATE"},
    }
    request = json.dumps(body).encode()
    receipt = await kernel.submit(parse_submission(request), source="command_line", request=request)
    return receipt.intent_id


def uuid5_of(kernel: Kernel, name: str) -> UUID:
    """The platform's id of an intent of the demonstration."""
    return kernel.world.by_client[("desk", uuid5(CLIENT, name))]


async def _ended(kernel: Kernel, intent_id: UUID) -> None:
    view = await kernel.wait_until_ended(intent_id, ENDED_SECONDS)
    queries = await kernel.queries()
    state = kernel.world.intents[view.id]  # type: ignore[index]
    plan = None if state.plan is None else queries.plan(intent_id).model_dump(mode="json")
    elapsed = None
    history = (await queries.explain(intent_id)).timeline
    if history:
        elapsed = int((history[-1].at - history[0].at).total_seconds() * 1000)
    passed = sum(one.ok for one in state.verdicts)
    _say(
        "intent",
        intent=view.model_dump(mode="json"),
        plan=plan,
        milliseconds=elapsed,
        verdicts=[passed, len(state.verdicts)],
    )


def _say(what: str, **fields: Any) -> None:
    sys.stdout.write(json.dumps({"what": what, **fields}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
