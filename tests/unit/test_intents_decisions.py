"""Decisions about intents: what is said, and what is never said."""

from copy import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sep_hooks.testing.risk import BASE, QUOTE, price_book, swap_plan
from sep_hooks.types import (
    Amount,
    Asset,
    BlockRef,
    Constraints,
    ExecutionStyle,
    Fill,
    InputsDigest,
    Intent,
    IntentAsset,
    IntentStatus,
    IntentType,
)

from sep_core.events.decided import Decided
from sep_core.events.streams import intent_stream
from sep_core.intents import (
    IllegalTransition,
    IntentConflict,
    IntentRules,
    IntentState,
    Problem,
    doubted,
    execution_started,
    expire,
    failed,
    fill_recorded,
    fold,
    intent_id,
    is_duplicate,
    plan_chosen,
    plan_failed,
    priority,
    queue_key,
    receive,
    refuse,
    request_cancel,
    resumed,
    risk_approved,
    risk_rejected,
    same_content,
    settled,
    withdraw_plan,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RULES = IntentRules()
CLIENT = UUID("a3a2e9a8-1b3c-4d5e-8f6a-7b8c9d0e1f2a")
STRATEGY = UUID("c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d")
INTENT = Intent(
    id=intent_id(STRATEGY, CLIENT),
    client_id=CLIENT,
    strategy="quickstart",
    account="main",
    type=IntentType.ACQUIRE,
    assets=(IntentAsset(Asset(BASE, "WETH", 18), Amount(500_000), Decimal(1)),),
    constraints=Constraints(Decimal("0.005"), 60_000, ExecutionStyle.ADAPTIVE),
)
PLAN = swap_plan(intent_id=INTENT.id)
FILL = Fill(
    INTENT.id, "swap-1", "uni", QUOTE, Amount(10), BASE, Amount(5), (), Amount(7), BlockRef(1, "0x01"), "0xaa"
)


def then(state: IntentState | None, decided: tuple[Decided, ...]) -> IntentState:
    assert {one.stream for one in decided} <= {intent_stream(INTENT.id)}
    after = fold((one.fact for one in decided), state)
    assert after is not None
    return after


def accepted() -> IntentState:
    return then(None, receive(INTENT, "api", "", NOW, RULES))


def planned() -> IntentState:
    state = accepted()
    return then(state, plan_chosen(state, PLAN, price_book(2_000_000)))


def approved() -> IntentState:
    state = planned()
    return then(state, risk_approved(state, ((QUOTE, Amount(10)),), (), (), 3))


def executing() -> IntentState:
    state = approved()
    return then(state, execution_started(state, "testnet", ("approve-1", "swap-1"), ("0x01", "0x02")))


def partial() -> IntentState:
    state = executing()
    return then(state, fill_recorded(state, replace(FILL, step_id="swap-0"), simulated=False))


def test_the_deadline_is_the_earlier_of_window_and_own() -> None:
    assert accepted().deadline == NOW + timedelta(minutes=1)
    own = NOW + timedelta(seconds=20)
    state = then(None, receive(replace(INTENT, deadline=own), "api", "", NOW, RULES))
    assert state.deadline == own
    late = replace(INTENT, deadline=NOW + timedelta(days=1))
    assert then(None, receive(late, "api", "", NOW, RULES)).deadline == NOW + timedelta(minutes=1)


def test_the_whole_way_to_settled() -> None:
    state = executing()
    state = then(state, doubted(state, "swap-1", "0x02", "no answer"))
    assert state.status is IntentStatus.IN_DOUBT
    state = then(state, resumed(state, "swap-1", "receipt in block 7"))
    assert resumed(state, "swap-1", "again") == ()
    state = then(state, fill_recorded(state, FILL, simulated=False))
    state = then(state, settled(state, gas_cost=Amount(11)))
    assert state.status is IntentStatus.SETTLED
    assert (state.spent, state.received, state.gas_cost) == (10, 5, 11)


def test_approval_pins_the_prices_it_was_measured_in() -> None:
    fact = risk_approved(planned(), (), (), (), 3)[0].fact
    assert (fact.price_digest, fact.limits_version) == (price_book(1).digest, 3)  # type: ignore[attr-defined]


@pytest.mark.parametrize("make", [accepted, planned, approved])
def test_cancel_before_anything_was_sent_ends_it(make: object) -> None:
    state = make()  # type: ignore[operator]
    after = then(state, request_cancel(state, "owner"))
    assert after.status is IntentStatus.CANCELLED
    assert request_cancel(after, "owner") == ()


def test_cancel_of_what_was_sent_waits_for_its_evidence() -> None:
    state = executing()
    asked = then(state, request_cancel(state, "owner"))
    assert (asked.status, asked.cancel_requested) == (IntentStatus.EXECUTING, True)
    assert request_cancel(asked, "owner") == ()
    assert then(asked, expire(asked, "reverted by its deadline")).status is IntentStatus.CANCELLED
    filled = then(asked, fill_recorded(asked, FILL, simulated=False))
    assert then(filled, settled(filled)).status is IntentStatus.SETTLED


def test_cancel_while_the_signer_is_at_work_only_asks() -> None:
    state = approved()
    after = then(state, request_cancel(state, "owner", signing=True))
    assert (after.status, after.cancel_requested) == (IntentStatus.RISK_APPROVED, True)
    assert then(after, request_cancel(after, "owner")).status is IntentStatus.CANCELLED


def test_a_rest_that_cannot_be_met_fails_and_keeps_its_fills() -> None:
    state = partial()
    replanned = then(state, plan_chosen(state, PLAN, None))
    for decided in (
        risk_rejected(replanned, "limit", "too large", ()),
        expire(replanned, "late"),
        request_cancel(replanned, "owner"),
        plan_failed(state, "no_route", "no path"),
    ):
        start = state if decided == plan_failed(state, "no_route", "no path") else replanned
        after = then(start, decided)
        assert after.status is IntentStatus.FAILED
        assert len(after.fills) == 1


def test_refusals_name_their_stage() -> None:
    state = accepted()
    assert then(state, plan_failed(state, "no_route", "no path")).code == "no_route"
    state = planned()
    assert then(state, risk_rejected(state, "limit", "too large", ())).code == "limit"
    state = approved()
    assert then(state, risk_rejected(state, "band", "moved", (), "pre_sign")).code == "band"
    assert then(state, withdraw_plan(state, "moved")).status is IntentStatus.ACCEPTED
    state = then(None, refuse(INTENT, "api", "", NOW, [Problem("/type", "x", "y"), Problem("/a", "z", "w")]))
    assert (state.status, state.code, state.reason) == (IntentStatus.REJECTED, "x", "/type: y; /a: w")


def test_doubt_is_never_failure_by_time() -> None:
    state = executing()
    state = then(state, doubted(state, "swap-1", "0x02", "no answer"))
    with pytest.raises(IllegalTransition):
        expire(state, "the deadline passed")
    assert then(state, failed(state, "reverted", "final receipt")).status is IntentStatus.FAILED


def test_an_exact_repeat_is_known_and_another_body_is_refused() -> None:
    known = accepted()
    assert not is_duplicate(None, INTENT)
    assert is_duplicate(known, INTENT)
    assert is_duplicate(known, replace(INTENT, inputs=InputsDigest("0x", 7)))
    other = replace(INTENT, assets=(replace(INTENT.assets[0], amount=Amount(1)),))
    assert not same_content(INTENT, other)
    with pytest.raises(IntentConflict):
        is_duplicate(known, other)


def test_the_platform_id_repeats_and_separates() -> None:
    assert intent_id(STRATEGY, CLIENT) == intent_id(STRATEGY, CLIENT)
    ids = {intent_id(STRATEGY, CLIENT), intent_id(CLIENT, STRATEGY), intent_id(STRATEGY, STRATEGY)}
    assert len(ids) == 3
    assert all(one.version == 5 for one in ids)


def test_closer_deadlines_first_then_larger_values() -> None:
    soon, later = NOW + timedelta(seconds=10), NOW + timedelta(seconds=100)
    assert priority(soon, NOW, 0) > priority(later, NOW, 2**200)
    assert priority(soon, NOW, 2_000) > priority(soon, NOW, 900)
    assert priority(NOW - timedelta(days=1), NOW, 0) == priority(NOW, NOW, 0)


def test_none_waits_behind_younger_ones_past_the_bound() -> None:
    bound = timedelta(seconds=30)
    old = replace(accepted(), priority=0, accepted_at=NOW)
    young = replace(accepted(), priority=10**6, accepted_at=NOW + timedelta(seconds=29))
    before = NOW + timedelta(seconds=29)
    assert queue_key(young, before, bound) < queue_key(old, before, bound)
    after = NOW + timedelta(seconds=30)
    assert queue_key(old, after, bound) < queue_key(young, after, bound)
