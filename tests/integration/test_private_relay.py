"""M3: what an attack could earn by reaches no public endpoint: a relay that holds, drops, leaks or is gone changes that
in nothing, and it is one effect or none.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from sep_hooks.errors import SepError
from sep_hooks.types import IntentId
from sep_native.sim import SimChain

from sep_core.adapters.sim_chain import share
from sep_core.events.facts import TransactionLeaked
from sep_core.events.registry import fact_of
from sep_core.execution import EntryStatus, NonceEntry, reconcile
from sep_core.execution.doubt import DoubtReason
from sep_core.runtime.kernel import Kernel

from ..harness.relay_stub import Mood, RelayStub, serving
from .identity_engine import WAIT_SECONDS, Stage, settle, stage, submit, until

pytestmark = pytest.mark.anyio

APPROVE = "095ea7b3"
RELAY = {"use": "flashbots", "chain": "sim", "auth_key": "0x" + "5e" * 32}


@dataclass
class Public:
    """The chain as everybody reaches it: remembers which bytes it was given."""

    chain: SimChain
    sent: list[str] = field(default_factory=list)

    def rpc(self, method: str, params: str) -> bytes:
        """As the chain's own."""
        if method == "eth_sendRawTransaction":
            self.sent += json.loads(params)
        return self.chain.rpc(method, params)


@dataclass
class Dark:
    """Engines whose chain has a relay."""

    one: Stage
    stub: RelayStub
    public: Public

    def build(self) -> None:
        """A block of what the relay holds, seen by nobody before."""
        assert self.one.chain is not None
        for raw in self.stub.take():
            self.one.ask("eth_sendRawTransaction", raw)

    def without_relay(self) -> dict[str, Any]:
        """The tables of an engine that knows no relay."""
        return {name: table for name, table in self.one.tables.items() if name != "relays"}

    async def given(self, kernel: Kernel) -> IntentId:
        """An intent whose swap is at the relay."""
        asked = len(self.stub.asked)
        intent_id = await submit(kernel)
        await until(lambda: len(self.stub.asked) > asked)
        return intent_id

    def swap(self, kernel: Kernel, intent_id: IntentId) -> NonceEntry:
        """The nonce of the intent's swap."""
        state = kernel.world.intents[intent_id]
        assert state.plan is not None
        (step,) = [step.id for step in state.plan.steps if step.exchanges]
        (found,) = [
            entry
            for lane in kernel.world.lanes.values()
            for entry in lane.of_intent(intent_id)
            if entry.step_id == step
        ]
        return found

    def never_seen(self, raw: str) -> None:
        """Whether no public endpoint was given these bytes, and others were given some."""
        assert raw not in self.public.sent
        assert self.public.sent


@asynccontextmanager
async def dark(folder: Path) -> AsyncIterator[Dark]:
    with stage(folder) as one:
        async with serving(RelayStub()) as stub:
            assert one.chain is not None
            public = Public(one.chain)
            share(one.name, cast(SimChain, public))
            one.tables["relays"] = {"dark": {**RELAY, "url": stub.url}}
            one.tables["plugins"]["enabled"].append("sep-relay-flashbots")
            stub.leak = at_once(one)
            yield Dark(one, stub, public)


def at_once(one: Stage) -> Callable[[str], None]:
    """Tells everybody of bytes, the first time."""
    known = set[str]()

    def tell(raw: str) -> None:
        if raw not in known:
            known.add(raw)
            one.ask("eth_sendRawTransaction", raw)

    return tell


async def ended(kernel: Kernel, intent_id: IntentId) -> str:
    """How the intent ended."""
    return (await kernel.wait_until_ended(intent_id, WAIT_SECONDS)).status


async def test_a_swap_settles_through_the_relay_alone(tmp_path: Path) -> None:
    async with dark(tmp_path) as at, at.one.engine() as kernel:
        intent_id = await at.given(kernel)
        entry = at.swap(kernel, intent_id)
        (raw,) = at.stub.held.values()
        assert entry.relay == "dark"
        assert [asked["method"] for asked in at.stub.asked] == ["eth_sendPrivateTransaction"]
        at.build()
        assert await ended(kernel, intent_id) == "SETTLED"
        at.never_seen(raw)
        assert len(at.public.sent) == at.one.nonce() - 1, "allowances go to everybody"


async def test_a_small_trade_needs_no_relay(tmp_path: Path) -> None:
    """Where an attack costs more than it earns, a relay could only make it slower."""
    async with dark(tmp_path) as at, at.one.engine() as kernel:
        intent_id = await submit(kernel, max_slippage="0.001")
        assert await ended(kernel, intent_id) == "SETTLED"
        assert at.swap(kernel, intent_id).relay == ""
        assert not at.stub.asked


@pytest.mark.parametrize("mood", [Mood.FAILING, Mood.SILENT, Mood.NONSENSE, Mood.LYING, Mood.DROPS])
async def test_the_same_bytes_are_offered_again_at_no_new_nonce(tmp_path: Path, mood: Mood) -> None:
    async with dark(tmp_path) as at, at.one.engine() as kernel:
        at.stub.mood = mood
        intent_id = await at.given(kernel)
        await until(lambda: at.swap(kernel, intent_id).status is EntryStatus.IN_DOUBT)
        at.stub.mood = Mood.HOLDS
        asked = len(at.stub.asked)
        await until(lambda: len(at.stub.asked) > asked)
        (raw,) = at.stub.held.values()
        assert {one["params"][0]["tx"] for one in at.stub.asked} == {raw}
        at.build()
        assert await ended(kernel, intent_id) == "SETTLED"
        at.never_seen(raw)


async def test_what_the_relay_holds_outlives_the_engine(tmp_path: Path) -> None:
    """One is included while no engine runs, another is offered again by the next engine."""
    async with dark(tmp_path) as at:
        async with at.one.engine() as kernel:
            first = await at.given(kernel)
        at.build()
        async with at.one.engine() as kernel:
            assert await ended(kernel, first) == "SETTLED"
            second = await at.given(kernel)
            (raw,) = at.stub.take()
        async with at.one.engine() as kernel:
            await until(lambda: len(at.stub.held) == 1)
            assert at.stub.take() == [raw]
            at.one.ask("eth_sendRawTransaction", raw)
            assert await ended(kernel, second) == "SETTLED"
        at.never_seen(raw)


async def test_a_cancel_is_public_and_what_it_ends_is_not(tmp_path: Path) -> None:
    async with dark(tmp_path) as at, at.one.engine() as kernel:
        intent_id = await at.given(kernel)
        (raw,) = at.stub.held.values()
        await kernel.cancel(intent_id, by="test")
        assert await ended(kernel, intent_id) == "CANCELLED"
        assert at.swap(kernel, intent_id).status is EntryStatus.CANCELLED
        assert at.stub.withdrawn
        assert not at.stub.held
        at.never_seen(raw)


async def test_a_leak_is_in_the_log_and_in_the_report(tmp_path: Path) -> None:
    async with dark(tmp_path) as at, at.one.engine() as kernel:
        at.one.ask("sim_setAutomine", False)
        at.stub.mood = Mood.LEAKS
        intent_id = await submit(kernel)
        await until(lambda: bool(at.stub.asked))
        await until(lambda: at.swap(kernel, intent_id).leaked)
        (lane,) = [one for one in kernel.world.lanes.values() if one.of_intent(intent_id)]
        held = [line for report in reconcile(lane, intent_id) for line in report.held]
        assert "a public pool held what was given to relay dark alone" in held
        at.one.ask("sim_setAutomine", True)
        at.one.ask("sim_mine")
        assert await ended(kernel, intent_id) == "SETTLED"
        leaks = [
            fact_of(event)
            async for event in kernel.store.read_all(after=0)
            if event.type == "TransactionLeaked"
        ]
        entry = at.swap(kernel, intent_id)
        assert leaks == [TransactionLeaked(entry.nonce, entry.hash)]


async def test_an_engine_without_the_relay_waits_for_it(tmp_path: Path) -> None:
    async with dark(tmp_path) as at:
        at.stub.mood = Mood.DROPS
        async with at.one.engine() as kernel:
            intent_id = await at.given(kernel)
        asked = len(at.stub.asked)
        async with at.one.engine(at.without_relay()) as kernel:
            await until(lambda: DoubtReason.RELAY_GONE in at.swap(kernel, intent_id).reasons)
            await settle(kernel, "two")
        assert len(at.stub.asked) == asked
        at.stub.mood = Mood.HOLDS
        async with at.one.engine() as kernel:
            await until(lambda: bool(at.stub.held))
            (raw,) = at.stub.held.values()
            at.build()
            assert await ended(kernel, intent_id) == "SETTLED"
        at.never_seen(raw)


@pytest.mark.parametrize("allowed", [True, False])
async def test_what_the_relay_drops_goes_to_all_where_its_intent_allows_it(
    allowed: bool, tmp_path: Path
) -> None:
    async with dark(tmp_path) as at, at.one.engine() as kernel:
        at.stub.mood = Mood.DROPS
        intent_id = await submit(kernel, public_fallback=allowed)
        await until(lambda: bool(at.stub.asked))
        before = set(at.public.sent)
        for _ in range(40):  # a second each, by the chain's time
            at.one.ask("sim_mine")
        if not allowed:
            await until(
                lambda: len(at.swap(kernel, intent_id).payloads) > 1
            )  # it pays more, through the relay
            later = set(at.public.sent) - before
            assert all(APPROVE in raw for raw in later), "allowances tell nobody anything"
            return
        assert await ended(kernel, intent_id) == "SETTLED"
        entry = at.swap(kernel, intent_id)
        assert (entry.published, entry.landed) == (True, entry.payloads[0].hash)
        told = [event.type async for event in kernel.store.read_all(after=0)]
        assert told.count("TransactionPublished") == 1
        assert (await (await kernel.queries()).intent(intent_id)).constraints.public_fallback


@pytest.mark.parametrize("mode", ["paper", "testnet"])
async def test_a_relay_that_cannot_be_had_stops_the_start(tmp_path: Path, mode: str) -> None:
    async with dark(tmp_path) as at:
        for change, said in (
            ({"auth_key": "0x12"}, "64 hexadecimal digits"),
            ({"url": "http://relay.example"}, "use https://"),
            ({"use": "unheard-of"}, "unheard-of"),
        ):
            tables = {
                **at.one.tables,
                "mode": mode,
                "relays": {"dark": {**RELAY, "url": at.stub.url, **change}},
            }
            with pytest.raises(SepError, match=said):
                async with at.one.engine(tables):
                    pass
