"""Which fact may follow where an intent stands, and what it makes of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sep_hooks.testing.risk import BASE, QUOTE, swap_plan
from sep_hooks.types import (
    Amount,
    Asset,
    BlockRef,
    Constraints,
    ExecutionStyle,
    Fill,
    Intent,
    IntentAsset,
    IntentStatus,
    IntentType,
)

from sep_core.events.codec import encode
from sep_core.events.facts import (
    CancelRequested,
    ExecutionStarted,
    FillRecorded,
    IntentAccepted,
    IntentCancelled,
    IntentDoubted,
    IntentExpired,
    IntentFailed,
    IntentPlanned,
    IntentReceived,
    IntentRejected,
    IntentResumed,
    IntentSettled,
    PlanWithdrawn,
    RiskApproved,
)
from sep_core.events.registry import Fact, decode_fact, encode_fact, fact_type
from sep_core.intents import IllegalTransition, IntentState, evolve, fold, intent_id
from tests.harness.facts import as_read

S = IntentStatus
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CLIENT = UUID("a3a2e9a8-1b3c-4d5e-8f6a-7b8c9d0e1f2a")
STRATEGY = UUID("c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d")
ID = intent_id(STRATEGY, CLIENT)
INTENT = Intent(
    id=ID,
    client_id=CLIENT,
    strategy="quickstart",
    account="main",
    type=IntentType.ACQUIRE,
    assets=(IntentAsset(Asset(BASE, "WETH", 18), Amount(500_000), Decimal(1)),),
    constraints=Constraints(Decimal("0.005"), 60_000, ExecutionStyle.ADAPTIVE),
)
PLAN = swap_plan(intent_id=ID)


def fill(step: str) -> Fill:
    return Fill(
        ID, step, "uni", QUOTE, Amount(10), BASE, Amount(5), (), Amount(7), BlockRef(1, "0x01"), "0xaa"
    )


RECEIVED = IntentReceived(INTENT, "api", "", NOW)
ACCEPTED = IntentAccepted(NOW, NOW + timedelta(minutes=1), 1)
PLANNED = IntentPlanned(PLAN, None, 1)
APPROVED = RiskApproved((), (), (), "", 1)
STARTED = ExecutionStarted("testnet", ("approve-1", "swap-1"), ("0x01", "0x02"))
DOUBTED = IntentDoubted("swap-1", "0x02", "no answer")
RESUMED = IntentResumed("swap-1", "receipt")
FILLED = FillRecorded(fill("swap-1"), False)
OTHER_FILLED = FillRecorded(fill("swap-0"), False)
SETTLED = IntentSettled(Amount(10), Amount(5), Amount(7))
FAILED = IntentFailed("reverted", "the pool moved")
EXPIRED = IntentExpired("the deadline passed")
CANCEL = CancelRequested("owner")
CANCELLED = IntentCancelled("on request")
WITHDRAWN = PlanWithdrawn("the price moved")


def rejected(stage: str) -> IntentRejected:
    return IntentRejected(stage, "why", "because")  # type: ignore[arg-type]


TO_ACCEPTED: tuple[Fact, ...] = (RECEIVED, ACCEPTED)
TO_PLANNED = (*TO_ACCEPTED, PLANNED)
TO_APPROVED = (*TO_PLANNED, APPROVED)
TO_EXECUTING = (*TO_APPROVED, STARTED)
TO_DOUBT = (*TO_EXECUTING, DOUBTED)
TO_PARTIAL = (*TO_EXECUTING, OTHER_FILLED)


def at(*facts: Fact) -> IntentState:
    state = fold(facts)
    assert state is not None
    return state


LEGAL: list[tuple[tuple[Fact, ...], IntentStatus]] = [
    ((RECEIVED,), S.RECEIVED),
    ((RECEIVED, rejected("validation")), S.REJECTED),
    (TO_ACCEPTED, S.ACCEPTED),
    ((*TO_ACCEPTED, rejected("planning")), S.REJECTED),
    ((*TO_ACCEPTED, EXPIRED), S.EXPIRED),
    ((*TO_ACCEPTED, CANCEL, CANCELLED), S.CANCELLED),
    (TO_PLANNED, S.PLANNED),
    ((*TO_PLANNED, rejected("risk")), S.REJECTED),
    ((*TO_PLANNED, EXPIRED), S.EXPIRED),
    ((*TO_PLANNED, CANCEL, CANCELLED), S.CANCELLED),
    ((*TO_PLANNED, WITHDRAWN), S.ACCEPTED),
    (TO_APPROVED, S.RISK_APPROVED),
    ((*TO_APPROVED, rejected("pre_sign")), S.REJECTED),
    ((*TO_APPROVED, EXPIRED), S.EXPIRED),
    ((*TO_APPROVED, CANCEL, CANCELLED), S.CANCELLED),
    ((*TO_APPROVED, WITHDRAWN), S.ACCEPTED),
    (TO_EXECUTING, S.EXECUTING),
    ((*TO_EXECUTING, CANCEL), S.EXECUTING),
    ((*TO_EXECUTING, CANCEL, CANCELLED), S.CANCELLED),
    ((*TO_EXECUTING, EXPIRED), S.EXPIRED),
    ((*TO_EXECUTING, FILLED), S.EXECUTING),
    ((*TO_EXECUTING, FILLED, SETTLED), S.SETTLED),
    ((*TO_EXECUTING, FAILED), S.FAILED),
    (TO_PARTIAL, S.PARTIALLY_FILLED),
    ((*TO_PARTIAL, FILLED), S.EXECUTING),
    ((*TO_PARTIAL, SETTLED), S.SETTLED),
    ((*TO_PARTIAL, FAILED), S.FAILED),
    ((*TO_PARTIAL, DOUBTED), S.IN_DOUBT),
    ((*TO_PARTIAL, IntentPlanned(PLAN, None, 2)), S.PLANNED),
    ((*TO_PARTIAL, IntentPlanned(PLAN, None, 2), FAILED), S.FAILED),
    (TO_DOUBT, S.IN_DOUBT),
    ((*TO_DOUBT, RESUMED), S.EXECUTING),
    ((*TO_DOUBT, SETTLED), S.SETTLED),
    ((*TO_DOUBT, FAILED), S.FAILED),
    ((*TO_DOUBT, OTHER_FILLED), S.IN_DOUBT),
    ((*TO_DOUBT, OTHER_FILLED, RESUMED), S.PARTIALLY_FILLED),
    ((*TO_DOUBT, IntentDoubted("approve-1", "0x01", "stuck"), RESUMED), S.IN_DOUBT),
]


@pytest.mark.parametrize(("facts", "status"), LEGAL)
def test_each_transition_of_the_life(facts: tuple[Fact, ...], status: IntentStatus) -> None:
    state = at(*facts)
    assert state.status is status
    assert state.version == len(facts)
    assert state.open is not status.terminal


SAMPLES = [
    ACCEPTED,
    rejected("validation"),
    rejected("planning"),
    rejected("risk"),
    rejected("pre_sign"),
    PLANNED,
    APPROVED,
    STARTED,
    DOUBTED,
    RESUMED,
    FILLED,
    SETTLED,
    FAILED,
    EXPIRED,
    CANCEL,
    CANCELLED,
    WITHDRAWN,
]
FROM: dict[IntentStatus, tuple[tuple[Fact, ...], set[Fact]]] = {
    S.RECEIVED: ((RECEIVED,), {ACCEPTED, rejected("validation"), CANCEL}),
    S.ACCEPTED: (TO_ACCEPTED, {rejected("planning"), PLANNED, EXPIRED, CANCEL}),
    S.PLANNED: (TO_PLANNED, {rejected("risk"), APPROVED, WITHDRAWN, EXPIRED, CANCEL}),
    S.RISK_APPROVED: (TO_APPROVED, {rejected("pre_sign"), STARTED, WITHDRAWN, EXPIRED, CANCEL}),
    S.EXECUTING: (TO_EXECUTING, {DOUBTED, FILLED, SETTLED, FAILED, EXPIRED, CANCEL}),
    S.PARTIALLY_FILLED: (TO_PARTIAL, {DOUBTED, FILLED, SETTLED, FAILED, CANCEL}),
    S.IN_DOUBT: (TO_DOUBT, {DOUBTED, RESUMED, FILLED, SETTLED, FAILED, CANCEL}),
    S.SETTLED: ((*TO_EXECUTING, SETTLED), set()),
    S.REJECTED: ((*TO_PLANNED, rejected("risk")), set()),
    S.EXPIRED: ((*TO_ACCEPTED, EXPIRED), set()),
    S.CANCELLED: ((*TO_ACCEPTED, CANCEL, CANCELLED), set()),
    S.FAILED: ((*TO_EXECUTING, FAILED), set()),
}


def test_every_status_is_reached() -> None:
    assert set(FROM) == set(IntentStatus)
    for status, (path, _) in FROM.items():
        assert at(*path).status is status


@pytest.mark.parametrize("status", list(IntentStatus))
@pytest.mark.parametrize(
    "sample", SAMPLES, ids=lambda one: f"{type(one).__name__}-{getattr(one, 'stage', '')}"
)
def test_nothing_else_may_follow(status: IntentStatus, sample: Fact) -> None:
    path, legal = FROM[status]
    state = at(*path)
    if sample in legal:
        assert evolve(state, sample).version == state.version + 1
    else:
        with pytest.raises(IllegalTransition) as caught:
            evolve(state, sample)
        assert str(state.id) in str(caught.value)


def test_a_stream_begins_with_the_intent_and_holds_it_once() -> None:
    with pytest.raises(ValueError, match="begins with IntentReceived"):
        evolve(None, ACCEPTED)
    with pytest.raises(IllegalTransition):
        evolve(at(RECEIVED), RECEIVED)


def test_a_step_is_filled_once_and_amounts_add_up() -> None:
    state = at(*TO_EXECUTING, OTHER_FILLED, FILLED)
    assert (state.spent, state.received, state.gas_cost) == (20, 10, 14)
    with pytest.raises(IllegalTransition, match="already filled"):
        evolve(state, FILLED)


def test_what_was_exchanged_is_never_called_nothing() -> None:
    partial = at(*TO_PARTIAL, IntentPlanned(PLAN, None, 2), CANCEL)
    for nothing in (EXPIRED, CANCELLED, rejected("risk")):
        with pytest.raises(IllegalTransition, match="fills are final"):
            evolve(partial, nothing)


def test_a_plan_is_of_its_intent_and_counted() -> None:
    with pytest.raises(IllegalTransition, match="attempt"):
        evolve(at(*TO_ACCEPTED), IntentPlanned(PLAN, None, 2))
    with pytest.raises(IllegalTransition, match="the plan is of"):
        evolve(at(*TO_ACCEPTED), IntentPlanned(swap_plan(), None, 1))


@pytest.mark.parametrize(("facts", "status"), LEGAL)
def test_the_log_says_the_same(facts: tuple[Fact, ...], status: IntentStatus) -> None:
    stored = [as_read(one) for one in facts]
    assert fold(stored) == at(*facts)


@pytest.mark.parametrize(
    ("end", "body"),
    [
        (IntentFailed("reverted", "it moved"), {"code": "reverted", "reason": "it moved"}),
        (IntentExpired("late"), {"reason": "late"}),
        (IntentCancelled("on request"), {"reason": "on request"}),
    ],
)
def test_ends_of_older_logs_are_read_as_ends_without_a_cost(end: Fact, body: dict[str, str]) -> None:
    assert decode_fact(type(end).__name__, 1, encode(body)) == end
    name, version = fact_type(end)
    assert (version, decode_fact(name, version, encode(encode_fact(end)))) == (2, end)
