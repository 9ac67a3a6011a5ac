"""What follows from commands, at every point of a real log: invariants hold after each append, repeats say nothing."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sep_hooks.store import Recorded
from sep_hooks.types import IntentStatus

from sep_core.events.facts import (
    HoldConverted,
    HoldPlaced,
    HoldReleased,
    IntentAccepted,
    IntentReceived,
    NonceReserved,
    TransactionBroadcast,
    TransactionSigned,
)
from sep_core.events.reading import read_facts
from sep_core.events.registry import Fact
from sep_core.runtime import flow
from sep_core.runtime.commands import (
    CancelIntent,
    ExpireIntent,
    KernelCommand,
    RecordPlanFailure,
    SubmitIntent,
    WithdrawPlan,
)
from sep_core.runtime.flow import Composition
from sep_core.runtime.world import World

from ..harness.bench import new_chain
from ..harness.run import engine, submit_all
from ..harness.scenario import CANCELLED, DOUBTED, MOVED, PAPER, PLAIN, REVERTED, Scenario

pytestmark = pytest.mark.anyio

HOLDING = frozenset(
    {
        IntentStatus.RISK_APPROVED,
        IntentStatus.EXECUTING,
        IntentStatus.PARTIALLY_FILLED,
        IntentStatus.IN_DOUBT,
    }
)


@dataclass(frozen=True)
class Told:
    """A log and the composition that made it."""

    facts: Sequence[tuple[Recorded, Fact]]
    composition: Composition


@pytest.fixture(
    scope="module", params=[PLAIN, DOUBTED, REVERTED, CANCELLED, MOVED, PAPER], ids=lambda one: one.name
)
async def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Told]:
    """What an engine recorded of a scenario."""
    scenario: Scenario = request.param
    folder: Path = tmp_path_factory.mktemp(scenario.name)
    chain = new_chain(folder)
    scenario.prepare(chain)
    async with engine(scenario, folder, chain) as kernel:
        await submit_all(kernel, scenario.wishes, cancel=scenario.cancels)
        facts = [one async for one in read_facts(kernel.store)]
        yield Told(facts, kernel.composition)


async def test_every_hold_is_freed_once_by_the_end(told: Told) -> None:
    world, held = World(), set()
    for recorded, fact in told.facts:
        world.apply(recorded.stream, fact)
        match fact:
            case HoldPlaced():
                assert fact.intent_id not in held
                held.add(fact.intent_id)
            case HoldConverted() | HoldReleased():
                held.remove(fact.intent_id)
            case _:
                pass
        assert set(world.book.holds) == held
    assert not world.book.holds
    for state in world.intents.values():
        assert state.status not in HOLDING


async def test_nothing_is_sent_before_it_is_signed_in_the_log_and_no_nonce_serves_twice(told: Told) -> None:
    signed: dict[str, int] = {}
    reserved: set[tuple[str, int]] = set()
    for recorded, fact in told.facts:
        match fact:
            case NonceReserved():
                assert (recorded.stream, fact.nonce) not in reserved
                reserved.add((recorded.stream, fact.nonce))
            case TransactionSigned():
                assert (recorded.stream, fact.nonce) in reserved
                signed[fact.hash] = fact.nonce
            case TransactionBroadcast():
                assert signed[fact.hash] == fact.nonce
            case _:
                pass


async def test_acceptance_follows_reception_at_once(told: Told) -> None:
    kinds = [type(fact) for recorded, fact in told.facts if recorded.stream.startswith("intent:")]
    for index, kind in enumerate(kinds):
        if kind is IntentReceived:
            assert kinds[index + 1] is IntentAccepted


async def test_a_repeated_command_says_nothing_new_wherever_it_falls(told: Told) -> None:
    world = World()
    first: dict[object, SubmitIntent] = {}
    for recorded, fact in told.facts:
        world.apply(recorded.stream, fact)
        if isinstance(fact, IntentReceived):
            first[fact.intent.id] = SubmitIntent(fact.intent, "command_line", "")
        for intent_id, state in world.intents.items():
            assert flow.decide(world, first[intent_id], told.composition) == ()
            if state.status.terminal:
                for command in late_commands(state.id):
                    assert flow.decide(world, command, told.composition) == ()


def late_commands(intent_id: object) -> list[KernelCommand]:
    """What may still come for an intent that has ended."""
    assert intent_id is not None
    return [
        CancelIntent(intent_id, "somebody"),  # type: ignore[arg-type]
        ExpireIntent(intent_id, "late"),  # type: ignore[arg-type]
        WithdrawPlan(intent_id, "late", "late"),  # type: ignore[arg-type]
        RecordPlanFailure(intent_id, "late", "late"),  # type: ignore[arg-type]
    ]
