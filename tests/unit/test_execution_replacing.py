"""What is stuck at a nonce ends: by a bump, by a cancel or by evidence, once, wherever the engine dies meanwhile."""

from collections.abc import Callable, Sequence

import pytest
from sep_hooks.signer import PayloadKind
from sep_hooks.types import ChainUpdate, FeeSuggestion

from sep_core.events.facts import ReplacementRefused, TransactionFinal, TransactionSigned
from sep_core.execution import EntryStatus, reconcile
from sep_core.execution.lane import Payload
from sep_core.execution.replacing import PAYLOADS_MAX, raised
from sep_core.telemetry.crashpoints import armed

from .test_execution_worker import (
    Crash,
    Doubled,
    Durable,
    ListDesk,
    SmallChain,
    go_on,
    make_plan,
    nothing_leaves_undurable,
    open_world,
    start,
)

pytestmark = pytest.mark.anyio

GWEI = 10**9
ROUNDS = 60


def dearer(price: int, *, later: int | None = None) -> Callable[[int, SmallChain], ChainUpdate | None]:
    """The next blocks ask more than was signed, and `later` still more, just as the first bump is out."""

    def disturb(number: int, chain: SmallChain) -> ChainUpdate | None:
        chain.asks = price if later is None or number < 5 else later
        return None

    return disturb


def kinds(durable: Durable) -> list[PayloadKind]:
    return [one.kind for one in durable.told() if isinstance(one, TransactionSigned)]


def ended(durable: Durable, names: Sequence[str], effects: int) -> None:
    """Each nonce is final once, nothing is open, and each swap took effect once, or not at all."""
    counts = durable.chain.swaps()
    if any(count > 1 for name, count in counts.items() if name):
        raise Doubled(str(counts))
    assert {name: counts.get(name, 0) for name in names} == dict.fromkeys(names, effects)
    finals = [fact.nonce for fact in durable.told() if isinstance(fact, TransactionFinal)]
    assert len(finals) == len(set(finals)) == 3 * len(names)
    state = ListDesk(durable).state
    assert state is not None
    assert state.unfinished == ()
    assert state.frozen is None


def test_a_replacement_pays_an_eighth_more_and_what_the_next_block_asks() -> None:
    last = Payload("0x", PayloadKind.EFFECT, "", 21_000, 1001, 9)
    assert raised(last, FeeSuggestion(1, 1, 1, 1)) == (1127, 11), "an eighth more, rounded up"
    assert raised(last, FeeSuggestion(5_000, 6_000, 1, 70)) == (6_070, 70)


async def test_what_is_stuck_by_its_fee_is_bumped_and_takes_effect_once() -> None:
    durable = await open_world("a")
    nothing_leaves_undurable(durable)
    worker, desk = start(durable)
    await go_on(durable, worker, dearer(5 * GWEI), ROUNDS)
    ended(durable, ["a"], 1)
    assert PayloadKind.BUMP in kinds(durable)
    assert PayloadKind.CANCEL not in kinds(durable)
    lane = desk.lane()
    assert lane is not None
    (held, *_) = [one.held for one in reconcile(lane, make_plan("a")[0])]
    assert any("as a bump" in one for one in held)


async def test_the_first_payload_may_win_after_all() -> None:
    """The price comes back down when the bump is out, and the chain takes whichever it holds: one effect."""
    durable = await open_world("a")

    def disturb(number: int, chain: SmallChain) -> ChainUpdate | None:
        first, *others = [one.signed for one in durable.signer.entries[3]]
        chain.asks = GWEI if others else 5 * GWEI
        if others and chain.count(chain.tip.number) == 3:  # whoever builds the block holds the first one
            chain.pool[3] = (first.hash, first.raw)
        return None

    worker, desk = start(durable)
    await go_on(durable, worker, disturb, ROUNDS)
    ended(durable, ["a"], 1)
    lane = desk.lane()
    assert lane is not None
    entry = lane.entries[3]
    assert (entry.landed, entry.status) == (entry.payloads[0].hash, EntryStatus.FINAL)


async def test_a_stuck_swap_is_cancelled_where_its_end_was_asked_for() -> None:
    durable = await open_world("a")
    intent_id, _ = make_plan("a")
    durable.ends.add(intent_id)
    worker, desk = start(durable)
    # The approval passes, then the price rises.
    await go_on(durable, worker, dearer(5 * GWEI), ROUNDS)
    ended(durable, ["a"], 0)
    lane = desk.lane()
    assert lane is not None
    approve, swap, revoke = lane.of_intent(intent_id)
    assert [one.status for one in (approve, swap, revoke)] == [
        EntryStatus.FINAL,
        EntryStatus.CANCELLED,
        EntryStatus.FINAL,
    ], "what gives and takes an allowance goes its way"
    report = reconcile(lane, intent_id)[1]
    assert "cancelled the step" in " ".join(report.held)
    assert report.money == "not moved but for the cancel's gas, for good"


async def test_a_call_that_is_too_late_is_cancelled() -> None:
    durable = await open_world("a")
    intent_id, plan = make_plan("a", deadline=1_700_000_000 + 60)
    durable.plans[intent_id] = plan
    worker, desk = start(durable)
    await go_on(durable, worker, dearer(5 * GWEI), ROUNDS)
    lane = desk.lane()
    assert lane is not None
    assert lane.of_intent(intent_id)[1].status in (EntryStatus.CANCELLED, EntryStatus.REVERTED)
    assert not lane.unfinished


@pytest.mark.parametrize("most", [None, 3 * GWEI * 100_000])
async def test_no_more_is_paid_than_may_be(most: int | None) -> None:
    durable = await open_world("a")
    durable.most_fee = most
    worker, desk = start(durable)
    await go_on(durable, worker, dearer(1_000 * GWEI), ROUNDS)
    lane = desk.lane()
    assert lane is not None
    assert kinds(durable) == [PayloadKind.EFFECT] * 3
    assert [one.status for one in lane.unfinished] == [EntryStatus.IN_DOUBT] * 3
    durable.chain.asks = GWEI
    await go_on(durable, worker, dearer(GWEI), 10)
    ended(durable, ["a"], 1)


async def test_payloads_of_a_nonce_are_bounded() -> None:
    durable = await open_world("a")
    durable.most_fee = 10**30
    worker, _ = start(durable)

    def always(number: int, chain: SmallChain) -> ChainUpdate | None:
        chain.asks = 2 * max(one.request.transaction.max_fee_per_gas for one in durable.signer.entries[3])
        return None

    await go_on(durable, worker, always, 200)
    assert len(durable.signer.entries[3]) == PAYLOADS_MAX


async def test_what_the_signer_refuses_is_not_asked_for_again() -> None:
    durable = await open_world("a")
    durable.signer.refuse_kind = PayloadKind.BUMP
    worker, desk = start(durable)
    await go_on(durable, worker, dearer(5 * GWEI), ROUNDS)
    assert kinds(durable) == [PayloadKind.EFFECT] * 3
    (refused,) = [one for one in durable.told() if isinstance(one, ReplacementRefused)]
    lane = desk.lane()
    assert lane is not None
    entry = lane.entries[refused.nonce]
    assert entry.last is not None
    assert (refused.kind, refused.hash) == (PayloadKind.BUMP, entry.last.hash)
    held = [line for one in reconcile(lane, make_plan("a")[0]) for line in one.held]
    assert f"the signer refused a bump of {refused.hash}: {refused.reason}" in held
    await go_on(durable, worker, dearer(GWEI), 10)
    ended(durable, ["a"], 1)


SCENARIOS: dict[str, tuple[Callable[[int, SmallChain], ChainUpdate | None], int]] = {
    "bumped": (dearer(5 * GWEI), 1),
    "bumped twice": (dearer(5 * GWEI, later=20 * GWEI), 1),
    "cancelled": (dearer(5 * GWEI), 0),
}


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:coroutine .* was never awaited:RuntimeWarning",
)
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_every_crash_point_of_a_replacement_loses_and_doubles_nothing(scenario: str) -> None:
    disturb, effects = SCENARIOS[scenario]

    async def life(die_at: int) -> tuple[Durable, list[str]]:
        durable = await open_world("a")
        if not effects:
            durable.ends.add(make_plan("a")[0])
        nothing_leaves_undurable(durable)
        passed: list[str] = []

        def visitor(name: str) -> None:
            passed.append(name)
            if len(passed) == die_at:
                raise Crash(name)

        worker, _ = start(durable)
        try:
            with armed(visitor):
                await go_on(durable, worker, disturb, ROUNDS)
        except Crash:
            worker, _ = start(durable)
            await go_on(durable, worker, disturb, ROUNDS)
        return durable, passed

    durable, points = await life(0)
    ended(durable, ["a"], effects)
    assert {"execution.replace.sign.before", "execution.replace.record.after"} <= set(points)
    for die_at in range(1, len(points) + 1):
        durable, _ = await life(die_at)
        ended(durable, ["a"], effects)
