"""What was sent outlives an outage of its endpoints: nobody calls it failed, and it settles once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sep_hooks.context import RpcRequest

from sep_core.adapters.sim_rpc import SimRpc, classified, unanswered
from sep_core.runtime.submission import parse_submission

from ..harness.bench import dispose, new_chain
from ..harness.run import engine, until
from ..harness.scenario import FastClock, Scenario, ask
from ..harness.verdict import check_books, check_effects, own_transactions

pytestmark = pytest.mark.anyio

FAILED_CALLS = 15
"""So many calls fail before the network is back."""


def no_such_host(method: str) -> bytes | None:
    """A3: the endpoint's name is not resolved any more."""
    raise unanswered(method, "name or service not known")


def too_many_requests(method: str) -> bytes | None:
    """A5: the endpoint limits whoever asks."""
    raise classified(method, 429, "too many requests", None)


def no_receipt(method: str) -> bytes | None:
    """A5: a node that has lost its index answers null."""
    return b"null" if method == "eth_getTransactionReceipt" else None


@dataclass
class Network:
    """The way to the chain, which fails for a number of calls once it is `cut`."""

    answer: Callable[[str], bytes | None]
    left: int = 0
    cuts: int = 0

    def cut(self) -> None:
        self.left, self.cuts = FAILED_CALLS, self.cuts + 1

    def perform(self, method: str) -> bytes | None:
        """What comes instead of the answer of the chain; None where that gets through."""
        if not self.left:
            return None
        self.left -= method == "eth_getTransactionReceipt" or self.answer is not no_receipt
        return self.answer(method)


@pytest.mark.parametrize("answer", [no_such_host, too_many_requests, no_receipt])
async def test_what_was_sent_is_never_called_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], bytes | None]
) -> None:
    """A2: nor does anything of it get another nonce meanwhile, however long that lasts."""
    chain, network, call = new_chain(tmp_path), Network(answer), SimRpc.call
    before = set(own_transactions(partial(ask, chain)))

    async def disturbed(self: SimRpc, request: RpcRequest, **named: Any) -> bytes:
        said = network.perform(request.method)
        return await call(self, request, **named) if said is None else said

    monkeypatch.setattr(SimRpc, "call", disturbed)
    scenario = Scenario("outage", (), miner_seconds=0.02, clock=FastClock)
    scenario.prepare(chain)
    async with engine(scenario, tmp_path, chain) as kernel:
        asked = dispose("outage", window_ms=3_600_000)
        taken = await kernel.submit(parse_submission(asked.body), source="command_line", request=asked.body)
        seen: set[str] = set()

        def look(_: object) -> None:
            status = kernel.world.intents[taken.intent_id].status.value
            if status == "EXECUTING" and not network.cuts:
                network.cut()
            if network.left:
                seen.add(status)

        kernel.desk.on_commit(look)
        await until(kernel, lambda: network.cuts > 0 and not network.left, 60)
        assert seen <= {"EXECUTING", "IN_DOUBT"}, seen
        view = await kernel.wait_until_ended(taken.intent_id, 60)
        assert view.status == "SETTLED", view.reason
        await until(kernel, lambda: not any(lane.unfinished for lane in kernel.world.lanes.values()))
        (lane,) = kernel.world.lanes.values()
        assert [one.nonce for one in lane.of_intent(taken.intent_id)] == [lane.next_nonce - 1]
        await check_effects(kernel, own_transactions(partial(ask, chain)), before)
        await check_books(kernel)
