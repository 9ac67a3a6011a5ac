"""Endpoints, venues and signers that lie on a running engine: no start dies of it, and no money moves by it."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import anyio
import pytest
from sep_hooks.signer import SignedEntry, SignRequest
from sep_hooks.types import (
    BlockRef,
    Call,
    ConstantProductState,
    DecodedLog,
    IntentId,
    IntentStatus,
    Market,
    MarketId,
    MarketState,
    SignedTransaction,
    SwapFill,
    SwapOrder,
)
from sep_native.sim import SimChain

from sep_core.adapters.signer_keystore import KeystoreSigner
from sep_core.adapters.sim_chain import share
from sep_core.adapters.sim_venue import SimulatedAmm
from sep_core.events.facts import PluginFaulted
from sep_core.execution import EntryStatus, LaneState
from sep_core.execution.reading import TRANSFER_TOPIC
from sep_core.intents import IntentState
from sep_core.planning import Planned, PlanRefused, PlanRequest
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.start import running_kernel
from sep_core.runtime.submission import parse_submission

from ..harness.bench import ENVIRON, OWNER, acquire, new_chain, settings
from ..harness.scenario import ask

pytestmark = pytest.mark.anyio

NAME = "lies"
PATIENCE_SECONDS = 10.0
STRANGER = "0x" + "11" * 20

type Json = dict[str, Any]


class LyingChain:
    """The chain as an endpoint tells of it: `lie` sees every receipt, and says what is answered instead."""

    def __init__(self, chain: SimChain) -> None:
        self.chain = chain
        self.lie: Callable[[Json], Json] = lambda receipt: receipt

    def rpc(self, method: str, params: str = "[]") -> bytes:
        answer = self.chain.rpc(method, params)
        if method != "eth_getTransactionReceipt" or answer == b"null":
            return answer
        return json.dumps(self.lie(json.loads(answer))).encode()


@pytest.fixture
def chain(tmp_path: Path) -> LyingChain:
    made = new_chain(tmp_path)
    ask(made, "sim_setAutomine", True)
    ask(made, "sim_setFinality", 0)
    return LyingChain(made)


@asynccontextmanager
async def engine(chain: LyingChain, folder: Path) -> AsyncIterator[Kernel]:
    """A run of the engine; ending it is part of the test."""
    share(NAME, cast(SimChain, chain))
    try:
        async with running_kernel(settings(folder, {"shared": NAME}), ENVIRON, SystemClock()) as kernel:
            yield kernel
    finally:
        share(NAME, None)


async def submit(kernel: Kernel, name: str = "one") -> IntentStatus:
    """The status that an intent comes to, or has when patience ends."""
    body = acquire(name).body
    receipt = await kernel.submit(parse_submission(body), source="command_line", request=body)
    await kernel.wait_until_ended(receipt.intent_id, PATIENCE_SECONDS)
    return state_of(kernel, receipt.intent_id).status


async def until(kernel: Kernel, true: Callable[[], bool]) -> None:
    """Waits until something is so, looking at each block."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while not true():
            await anyio.lowlevel.checkpoint()
            await anyio.sleep(0.01)


def state_of(kernel: Kernel, intent_id: UUID) -> IntentState:
    return kernel.world.intents[IntentId(intent_id)]


def lane(kernel: Kernel) -> LaneState:
    (only,) = kernel.world.lanes.values()
    return only


def blocked(kernel: Kernel) -> str:
    (worker,) = kernel.workers.values()
    return worker.blocked


def receipt_with(**fields: object) -> Callable[[Json], Json]:
    return lambda receipt: {**receipt, **fields}


def crowded(receipt: Json) -> Json:
    """Two thousand transfers between strangers in every receipt that has a transfer."""
    topic = "0x" + TRANSFER_TOPIC.hex()
    for log in receipt["logs"]:
        if log["topics"][0] == topic:
            more = {
                **log,
                "address": "0x" + "ee" * 20,
                "topics": [topic, "0x" + STRANGER[2:].rjust(64, "0"), "0x" + "22" * 20 + "00" * 12],
            }
            more["topics"][2] = "0x" + ("22" * 20).rjust(64, "0")
            first = max(int(one["logIndex"], 16) for one in receipt["logs"]) + 1
            crowd = [{**more, "logIndex": hex(first + number)} for number in range(2_000)]
            return {**receipt, "logs": [*receipt["logs"], *crowd]}
    return receipt


async def test_gas_that_cost_nothing_bricks_no_log(chain: LyingChain, tmp_path: Path) -> None:
    chain.lie = receipt_with(effectiveGasPrice="0x0")
    async with engine(chain, tmp_path) as kernel:
        assert await submit(kernel) is IntentStatus.SETTLED
    async with engine(chain, tmp_path) as kernel:
        assert await submit(kernel, "two") is IntentStatus.SETTLED
        assert not lane(kernel).unfinished


async def test_thousands_of_foreign_transfers_brick_no_log(chain: LyingChain, tmp_path: Path) -> None:
    chain.lie = crowded
    async with engine(chain, tmp_path) as kernel:
        assert await submit(kernel) is IntentStatus.SETTLED
        touched = {
            address
            for entry in lane(kernel).entries.values()
            for one in entry.transfers
            for address in (one.sender, one.recipient)
        }
        assert OWNER in touched
        assert STRANGER not in touched
    async with engine(chain, tmp_path) as kernel:
        assert kernel.world.intents


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"gasUsed": hex(2**60)}, "0x1000000000000000"),
        ({"effectiveGasPrice": hex(2**255)}, "a quantity that can be"),
        ({"effectiveGasPrice": hex(2**127)}, "an endpoint is wrong"),
        ({"gasUsed": hex(2**50)}, "an endpoint is wrong"),
        ({"transactionHash": "0x" + "00" * 32}, "was never signed here"),
        ({"blockHash": "0x00"}, "0x00"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, Mapping) else "",
)
async def test_a_receipt_that_cannot_be_is_not_believed(
    chain: LyingChain, tmp_path: Path, fields: Json, told: str
) -> None:
    chain.lie = receipt_with(**fields)
    async with engine(chain, tmp_path) as kernel:
        body = acquire("one").body
        intent_id = (
            await kernel.submit(parse_submission(body), source="command_line", request=body)
        ).intent_id
        await until(kernel, lambda: told in blocked(kernel))
        assert all(entry.block is None for entry in lane(kernel).unfinished)
        assert (await (await kernel.queries()).intent(intent_id)).status
        assert not state_of(kernel, intent_id).status.terminal
    async with engine(chain, tmp_path) as kernel:
        await until(kernel, lambda: told in blocked(kernel))
        chain.lie = lambda receipt: receipt
        ask(chain.chain, "sim_mine")
        await until(kernel, lambda: state_of(kernel, intent_id).status is IntentStatus.SETTLED)
        assert not await kernel.mismatches()


# signers


def lying(how: str) -> Callable[[SignedTransaction], SignedTransaction]:
    if how == "raises":

        def broken(signed: SignedTransaction) -> SignedTransaction:
            raise RuntimeError("the session with the device is lost")

        return broken
    if how == "hash":
        return lambda signed: replace(signed, hash="0x" + "ab" * 32)
    if how == "junk":
        return lambda signed: replace(signed, raw=b"\x02junk")
    return lambda signed: cast(SignedTransaction, how)


@pytest.mark.parametrize("how", ["raises", "hash", "junk", "another type"])
@pytest.mark.parametrize("place", ["sign", "list_signed"])
async def test_a_signer_that_lies_or_breaks_moves_nothing_and_ends_nothing(
    how: str, place: str, chain: LyingChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ask(chain.chain, "eth_getTransactionCount", OWNER, "latest")
    twist, sign, list_signed = lying(how), KeystoreSigner.sign, KeystoreSigner.list_signed

    async def lies(self: KeystoreSigner, request: SignRequest) -> SignedTransaction:
        made = await sign(self, request)
        if place == "sign":
            return twist(made)
        raise RuntimeError("it has signed, and the line is dead")

    async def remembers_lies(self: KeystoreSigner) -> Sequence[SignedEntry]:
        return [replace(one, signed=twist(one.signed)) for one in await list_signed(self)]

    monkeypatch.setattr(KeystoreSigner, "sign", lies)
    async with engine(chain, tmp_path) as kernel:
        body = acquire("one").body
        receipt = await kernel.submit(parse_submission(body), source="command_line", request=body)
        await until(kernel, lambda: bool(blocked(kernel)))
        assert not lane(kernel).entries
        assert state_of(kernel, receipt.intent_id).status is IntentStatus.RISK_APPROVED
    if place == "list_signed":
        monkeypatch.setattr(KeystoreSigner, "list_signed", remembers_lies)
        async with engine(chain, tmp_path) as kernel:
            await until(kernel, lambda: bool(blocked(kernel)))
            assert not lane(kernel).entries
            monkeypatch.setattr(KeystoreSigner, "list_signed", list_signed)
    assert ask(chain.chain, "eth_getTransactionCount", OWNER, "latest") == before
    monkeypatch.setattr(KeystoreSigner, "sign", sign)
    async with engine(chain, tmp_path) as kernel:
        await until(kernel, lambda: state_of(kernel, receipt.intent_id).status is IntentStatus.SETTLED)
        faults = [
            one for facts in kernel.world.plugins.values() for one in facts if isinstance(one, PluginFaulted)
        ]
        assert bool(faults) == (how in ("raises", "another type") or place == "list_signed")
        assert not await kernel.mismatches()
        assert [one.status for one in lane(kernel).entries.values()] == [EntryStatus.FINAL] * 3


# venues


def wrong_venue(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the only venue answer values of the right class and wrong content."""
    amm = SimulatedAmm
    swap_call, quote_call, fills = amm.swap_call, amm.quote_call, amm.fills
    states, apply = amm.states, amm.apply

    def lies(name: str, answer: object) -> None:
        monkeypatch.setattr(amm, name, answer)

    async def states_of(self: SimulatedAmm, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        found = await states(self, markets, at)
        if how == "states none":
            return [
                replace(one, fee_ppm=cast(int, None))
                for one in found
                if isinstance(one, ConstantProductState)
            ]
        return [replace(one, market=found[0].market) for one in found]

    def call_of(make: Callable[[SimulatedAmm, SwapOrder], Call], **fields: Any) -> object:
        return lambda self, order: replace(make(self, order), **fields)

    match how:
        case "states none" | "states of another":
            lies("states", states_of)
        case "call data":
            lies("swap_call", call_of(swap_call, data="text"))
        case "call target":
            lies("swap_call", call_of(swap_call, to="0xzz"))
        case "call value":
            lies("swap_call", call_of(swap_call, value=-1))
        case "quote data":
            lies("quote_call", call_of(quote_call, data=None))
        case "quote":
            lies("quoted_amount", lambda self, order, output: -5)
        case "spender":
            lies("spender", lambda self, order: "0x12")
        case "state after":
            lies("apply", lambda self, *given: replace(apply(self, *given), market=MarketId("nobody/0x0")))
        case "fills junk":
            lies("fills", lambda self, order, logs: ["junk"])
        case "fills of fractions":

            def fractions(
                self: SimulatedAmm, order: SwapOrder, logs: Sequence[DecodedLog]
            ) -> Sequence[SwapFill]:
                return [replace(one, amount_in=cast(Any, 1.5)) for one in fills(self, order, logs)]

            lies("fills", fractions)
        case "fills by thousands":
            lies("fills", lambda self, order, logs: [*fills(self, order, logs)] * 5_000)


@pytest.mark.parametrize(
    "how",
    [
        "states none",
        "states of another",
        "call data",
        "call target",
        "call value",
        "quote data",
        "quote",
        "spender",
        "state after",
        "fills junk",
        "fills of fractions",
        "fills by thousands",
    ],
)
async def test_a_venue_of_wrong_content_ends_nothing(
    how: str, chain: LyingChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = how in ("state after", "fills junk", "fills of fractions", "fills by thousands")
    with monkeypatch.context() as lies:
        wrong_venue(how, lies)
        async with engine(chain, tmp_path) as kernel:
            body = acquire("one").body
            receipt = await kernel.submit(parse_submission(body), source="command_line", request=body)
            state = state_of(kernel, receipt.intent_id)

            def told() -> bool:
                now = state_of(kernel, state.id)
                return now.status.terminal or kernel.plans.why_waiting(state.id) is not None

            await until(kernel, told)
            now = state_of(kernel, state.id)
            assert (now.status is IntentStatus.SETTLED) == moves, (now.status, now.reason)
            assert not await kernel.mismatches()
            if not moves:
                assert not lane(kernel).entries
    async with engine(chain, tmp_path) as kernel:
        assert await submit(kernel, "two") is IntentStatus.SETTLED
        assert not await kernel.mismatches()


# the planner itself


async def test_a_plan_that_breaks_or_cannot_be_recorded_costs_its_own_intent_alone(
    chain: LyingChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(request: PlanRequest) -> Planned | PlanRefused:
        raise KeyError("nobody foresaw this")

    async with engine(chain, tmp_path) as kernel:
        plan = kernel.plans._plan

        async def too_large(request: PlanRequest) -> Planned | PlanRefused:
            answer = await plan(request)
            assert isinstance(answer, Planned)
            return replace(answer, plan=replace(answer.plan, method="x" * 300_000))

        monkeypatch.setattr(kernel.plans, "_plan", breaks)
        body = acquire("broken").body
        receipt = await kernel.submit(parse_submission(body), source="command_line", request=body)
        intent_id = IntentId(receipt.intent_id)
        await until(kernel, lambda: kernel.plans.why_waiting(intent_id) is not None)
        told = kernel.plans.why_waiting(intent_id)
        assert told is not None
        assert (told.code, told.retryable) == ("planning_failed", True)
        assert "KeyError" in told.reason

        monkeypatch.setattr(kernel.plans, "_plan", too_large)
        ask(chain.chain, "sim_mine")
        await until(kernel, lambda: state_of(kernel, intent_id).status.terminal)
        assert state_of(kernel, intent_id).code == "plan_not_recorded"
        assert "nothing was sent" in state_of(kernel, intent_id).reason

        monkeypatch.setattr(kernel.plans, "_plan", plan)
        assert await submit(kernel, "two") is IntentStatus.SETTLED
        assert not await kernel.mismatches()
