"""One act of the demonstration: a real engine in a process of its own, telling what happens."""

import json
import os
import signal
import time
from multiprocessing.connection import Connection
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


def play(config: Path, act: str, teller: Connection) -> None:
    """Runs one act: `settle`, `drill` (ends by SIGKILL) or `recover`; tells each thing as an object."""
    # Ctrl-C reaches the whole group; the demonstration itself decides what becomes of its engine.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with (config.parent / "engine.err").open("a") as errors:
        os.dup2(errors.fileno(), 1)
        os.dup2(errors.fileno(), 2)
    with configure_logging(config.parent / "engine.log"):
        uvloop.run(_act(config, act, teller))


async def _act(config: Path, act: str, teller: Connection) -> None:
    settings = load_settings(config, os.environ, checksum=checksum_address)
    async with running_kernel(settings, os.environ, SystemClock()) as kernel:
        scene = Scene(kernel, teller)
        match act:
            case "settle":
                await scene.settle()
            case "drill":
                await scene.drill()
            case "recover":
                await scene.recover()
        await scene.audit()


class Scene:
    """What an act does with its engine."""

    def __init__(self, kernel: Kernel, teller: Connection) -> None:
        self._kernel = kernel
        self._teller = teller
        self._began = time.monotonic()

    async def settle(self) -> None:
        """Buys, sells, asks for too much, and waits for what the strategy wants of its own accord."""
        for name, kind, amount in (
            ("acquire", "ACQUIRE", 25 * 10**17),
            ("dispose", "DISPOSE", 10**18),
            ("greedy", "ACQUIRE", 8 * 10**18),
        ):
            await self._ended(await self._submit(name, kind, amount))
        states = self._kernel.world.intents.values()
        for intent_id in [state.id for state in states if state.intent.strategy == "rebalance"]:
            await self._ended(intent_id)

    async def drill(self) -> None:
        """Dies right after a signed transaction has left, before the log could note it."""

        def visit(point: str) -> None:
            if point == KILL_AT:
                self._tell("killed", point=point)
                os.kill(os.getpid(), signal.SIGKILL)

        with armed(visit):
            intent_id = await self._submit("drill", "ACQUIRE", 5 * 10**17)
            await self._kernel.wait_until_ended(intent_id, ENDED_SECONDS)

    async def recover(self) -> None:
        """Finds the drill's intent in the log and waits for its end."""
        intent_id = self._kernel.world.by_client[("desk", uuid5(CLIENT, "drill"))]
        self._tell("restarted", status=(await (await self._kernel.queries()).intent(intent_id)).status)
        await self._ended(intent_id, recovered=True)

    async def audit(self) -> None:
        """Holds the log against the chain: what is unfinished, what was executed beyond it, where books differ."""
        kernel = self._kernel
        beyond = unfinished = 0
        for key, lane in kernel.world.lanes.items():
            executed = await kernel.installation.chain_of(key.chain).access.nonce(key.address)
            beyond += abs(executed - lane.next_nonce)
            unfinished += len(lane.unfinished)
        self._tell(
            "books",
            mismatches=[one.model_dump(mode="json") for one in await kernel.mismatches()],
            open_intents=len(list(kernel.world.open_intents())),
            unfinished=unfinished,
            beyond_the_log=beyond,
        )

    async def _submit(self, name: str, kind: str, amount: int) -> UUID:
        kernel = self._kernel
        asset = kernel.installation.assets["WETH"]
        chain = kernel.installation.chains["simulated"]
        token = {
            "symbol": asset.symbol,
            "address": token_address(asset.id),
            "decimals": asset.decimals,
            "chain_id": chain.preset.chain_id,
        }
        body = {
            "id": str(uuid5(CLIENT, name)),
            "strategy_id": str(CLIENT),
            "type": kind,
            "assets": [{"asset": token, "amount": str(amount)}],
            "constraints": {"max_slippage": "0.005", "time_window_ms": 60000, "execution_style": "IMMEDIATE"},
        }
        request = json.dumps(body).encode()
        receipt = await kernel.submit(parse_submission(request), source="command_line", request=request)
        return receipt.intent_id

    async def _ended(self, intent_id: UUID, *, recovered: bool = False) -> None:
        view = await self._kernel.wait_until_ended(intent_id, ENDED_SECONDS)
        story = await (await self._kernel.queries()).explain(intent_id)
        life = (story.timeline[-1].at - story.timeline[0].at).total_seconds()
        # A life that was interrupted is measured from the restart.
        seconds = time.monotonic() - self._began if recovered else life
        self._tell(
            "intent",
            intent=view.model_dump(mode="json"),
            plan=None if story.plan is None else story.plan.model_dump(mode="json"),
            why=story.summary.partition("Rejected: ")[2],
            milliseconds=int(seconds * 1000),
            verdicts=[sum(one.ok for one in story.verdicts), len(story.verdicts)],
        )

    def _tell(self, what: str, **fields: Any) -> None:
        self._teller.send({"what": what, **fields})
