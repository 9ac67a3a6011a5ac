"""An intent in slices and its children under every order of events: amounts add up, nothing is traded twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID, uuid5

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sep_hooks.testing.fakes import FakeClock
from sep_hooks.testing.risk import BASE, QUOTE, swap_plan
from sep_hooks.types import (
    Amount,
    Asset,
    AssetId,
    BlockRef,
    Constraints,
    ExecutionStyle,
    Fill,
    Intent,
    IntentAsset,
    IntentId,
    IntentStatus,
    IntentType,
    Slicing,
    address,
    erc20,
    evm_chain,
)

from sep_core import intents
from sep_core.events.decided import Decided
from sep_core.intents import IntentRules, IntentState, KnownAccount, Roster, Slices
from sep_core.risk import RiskEngine
from sep_core.runtime import flow
from sep_core.runtime.commands import (
    CancelIntent,
    ExpireIntent,
    KernelCommand,
    RecordPlanFailure,
    RecordSlicing,
    ReleaseSlices,
    SubmitIntent,
)
from sep_core.runtime.flow import Composition
from sep_core.runtime.flow.family import followed
from sep_core.runtime.world import World
from tests.harness.facts import as_read

S = IntentStatus
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STRATEGY = UUID(int=1)
SIGNED = frozenset({S.EXECUTING, S.PARTIALLY_FILLED, S.IN_DOUBT})
UNSIGNED = frozenset({S.ACCEPTED, S.PLANNED, S.RISK_APPROVED})
MOST_ATTEMPTS = 3
OTHER = erc20(1, "0x" + "0d" * 20)

jitters = st.decimals(0, Decimal("0.9"), places=2)
slicings = st.one_of(
    st.builds(
        lambda n, t, s: (ExecutionStyle.TWAP, Slicing(n, (), t, s)), st.integers(2, 6), jitters, jitters
    ),
    st.builds(
        lambda w, t, s: (ExecutionStyle.VWAP, Slicing(None, tuple(map(Decimal, w)), t, s)),
        st.lists(st.integers(0, 9), min_size=2, max_size=6).filter(any),
        jitters,
        jitters,
    ),
    st.just((ExecutionStyle.ADAPTIVE, None)),
)


class Family(RuleBasedStateMachine):
    """A parent and its children. Everything goes through the flow's own arrows; the world takes in what they say."""

    @initialize(
        said=slicings,
        total=st.integers(1, 10**24),
        kind=st.sampled_from([IntentType.ACQUIRE, IntentType.DISPOSE]),
        max_fee=st.none() | st.integers(0, 10**18),
    )
    def submitted(
        self, said: tuple[ExecutionStyle, Slicing | None], total: int, kind: IntentType, max_fee: int | None
    ) -> None:
        style, slicing = said
        self.total, self.world, self.log = total, World(), list[Decided]()
        self.first_prices: dict[tuple[AssetId, AssetId], tuple[Amount, Amount]] = {}
        self.clock = FakeClock(START)
        account = KnownAccount("main", evm_chain(1), address("0x" + "ee" * 20), (QUOTE,))
        self.composition = Composition(
            "testnet",
            IntentRules(most_attempts=MOST_ATTEMPTS),
            RiskEngine({}),
            Roster({"author": "main"}, {"main": account}),
            {"author": STRATEGY},
            self.clock,
            lambda intent_id: False,
            lambda intent: 0,
            None,
            seed=lambda: "5eed" * 8,
        )
        own = UUID(int=2)
        intent = Intent(
            intents.intent_id(STRATEGY, own),
            own,
            "author",
            "main",
            kind,
            (IntentAsset(Asset(BASE, "WETH", 18), Amount(total)),),
            Constraints(
                Decimal("0.005"),
                600_000,
                style,
                max_fee=None if max_fee is None else Amount(max_fee),
                slicing=slicing,
            ),
        )
        self.id, self.max_fee = intent.id, max_fee
        self.tell(SubmitIntent(intent, "api"))
        self.deadline = START + timedelta(minutes=10)
        assert self.parent.deadline == self.deadline

    def take(self, decided: tuple[Decided, ...]) -> None:
        for one in decided:
            self.world.apply(one.stream, one.fact)
            self.log.append(one)

    def tell(self, command: KernelCommand) -> None:
        self.take(flow.decide(self.world, command, self.composition))

    def follow(self, decided: tuple[Decided, ...]) -> None:
        self.take(followed(self.world, decided, self.composition))

    @property
    def parent(self) -> IntentState:
        return self.world.intents[self.id]

    @property
    def slices(self) -> Slices:
        assert self.parent.slices is not None
        return self.parent.slices

    def children(self, among: frozenset[IntentStatus]) -> list[IntentState]:
        return [one for key, one in self.world.intents.items() if key != self.id and one.status in among]

    def started(self, child: IntentState, price: int, *, both_pay: bool) -> None:
        """From acceptance to signatures, as the desk would bring it there."""
        plan = swap_plan(intent_id=child.id)
        swap = plan.steps[1]
        plan = replace(plan, marginal=(Amount(price), Amount(1000)))
        if child.intent.type is IntentType.DISPOSE:
            plan = replace(plan, spends=plan.receives, receives=plan.spends, exact_in=True)
        elif both_pay:
            other = replace(plan.spends[0], asset=OTHER)
            more = ((Amount(price + 1), Amount(1000)),)
            plan = replace(plan, spends=(*plan.spends, other), more_marginals=more)
        for flow_, (received, spent) in zip(plan.spends, (plan.marginal, *plan.more_marginals), strict=True):
            self.first_prices.setdefault((flow_.asset, plan.asset_out), (spent, received))
        two = replace(plan, steps=(replace(swap, id="a"), replace(swap, id="b")))
        self.follow(intents.plan_chosen(child, two, None))
        self.follow(intents.risk_approved(self.world.intents[child.id], (), (), (), 1))
        now = self.world.intents[child.id]
        self.follow(intents.execution_started(now, "testnet", ("a", "b"), ("0x1", "0x2")))

    def fill(self, child: IntentState, step: str, amount: int) -> Fill:
        ends = (QUOTE, Amount(7), BASE, Amount(amount))
        if child.intent.type is IntentType.DISPOSE:
            ends = (BASE, Amount(amount), QUOTE, Amount(7))
        most = child.intent.constraints.max_fee
        gas = 3 if most is None else min(3, most // 2)  # two fills of a child keep below its share
        return Fill(child.id, step, "uni", *ends, (), Amount(gas), BlockRef(1, "0x1"), "0x1")

    @rule(seconds=st.integers(0, 200))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @rule(count=st.integers(1, 7))
    def slices_are_due(self, count: int) -> None:
        before = len(self.children(frozenset(S)))
        self.tell(ReleaseSlices(self.id))
        self.tell(RecordSlicing(self.id, Amount(self.total), count, f"{count} cost least"))
        assert len(self.children(frozenset(S))) <= before + 1

    @precondition(lambda self: self.parent.slices is not None and self.parent.slices.pending)
    @rule(count=st.integers(1, 7))
    def the_next_slice_comes(self, count: int) -> None:
        next_at = min(one.at for one in self.slices.pending)
        self.clock.advance(max(timedelta(0), next_at - self.clock.now()))
        self.slices_are_due(count)

    @precondition(lambda self: self.children(frozenset({S.ACCEPTED})))
    @rule(data=st.data(), price=st.integers(1, 9), both_pay=st.booleans())
    def child_is_signed(self, data: st.DataObject, price: int, both_pay: bool) -> None:
        child = data.draw(st.sampled_from(self.children(frozenset({S.ACCEPTED}))))
        self.started(child, price, both_pay=both_pay)

    @precondition(lambda self: self.children(SIGNED))
    @rule(data=st.data())
    def child_settles(self, data: st.DataObject) -> None:
        child = data.draw(st.sampled_from(self.children(SIGNED)))
        amount = child.intent.assets[0].amount or 0
        first = data.draw(st.integers(0, amount))
        said = intents.fill_recorded(child, self.fill(child, "a", first), simulated=False)
        after = intents.fold((one.fact for one in said), child)
        assert after is not None
        said += intents.fill_recorded(after, self.fill(child, "b", amount - first), simulated=False)
        after = intents.fold((one.fact for one in said), child)
        assert after is not None
        self.follow(said + intents.settled(after))

    @precondition(lambda self: self.children(SIGNED))
    @rule(data=st.data())
    def child_fails_with_a_part(self, data: st.DataObject) -> None:
        child = data.draw(st.sampled_from(self.children(SIGNED)))
        part = data.draw(st.integers(0, child.intent.assets[0].amount or 0))
        said = intents.fill_recorded(child, self.fill(child, "a", part), simulated=False)
        after = intents.fold((one.fact for one in said), child)
        assert after is not None
        self.follow(said + intents.failed(after, "reverted", "the second step reverted"))

    @precondition(lambda self: self.children(SIGNED))
    @rule(data=st.data())
    def child_reverts(self, data: st.DataObject) -> None:
        child = data.draw(st.sampled_from(self.children(SIGNED)))
        self.follow(intents.failed(child, "reverted", "for good"))

    @precondition(lambda self: self.children(frozenset({S.ACCEPTED})))
    @rule(data=st.data())
    def child_finds_no_plan(self, data: st.DataObject) -> None:
        child = data.draw(st.sampled_from(self.children(frozenset({S.ACCEPTED}))))
        self.tell(RecordPlanFailure(child.id, "no_route", "no path"))

    @precondition(lambda self: self.children(UNSIGNED))
    @rule(data=st.data(), late=st.booleans())
    def child_is_ended(self, data: st.DataObject, late: bool) -> None:
        child = data.draw(st.sampled_from(self.children(UNSIGNED)))
        self.tell(ExpireIntent(child.id, "late") if late else CancelIntent(child.id, "owner"))

    @rule()
    def parent_finds_no_plan(self) -> None:
        if self.parent.intent.constraints.execution_style is ExecutionStyle.ADAPTIVE:
            self.tell(RecordPlanFailure(self.id, "no_route", "no path"))

    @precondition(lambda self: self.clock.now() >= self.deadline)
    @rule()
    def deadline_of_all(self) -> None:
        self.late()
        assert not self.children(UNSIGNED)

    def late(self) -> None:
        """The deadline of all has come, and each is told, in whatever order."""
        for one in (self.parent, *self.children(UNSIGNED)):
            self.tell(ExpireIntent(one.id, "late"))

    @rule()
    def owner_cancels(self) -> None:
        ended = not self.parent.open
        before = len(self.log)
        self.tell(CancelIntent(self.id, "owner"))
        assert not self.children(UNSIGNED)
        assert not ended or len(self.log) == before

    @invariant()
    def the_first_price_of_each_pair_stays(self) -> None:
        if self.parent.slices is None:
            return
        fixed = {
            (one.asset_in, one.asset_out): (one.amount_in, one.amount_out) for one in self.slices.references
        }
        assert len(fixed) == len(self.slices.references)
        assert all(self.first_prices[pair] == price for pair, price in fixed.items())
        # Once the whole is closed no further price is fixed: nothing more will be planned.
        assert self.slices.closed or fixed.keys() == self.first_prices.keys()

    @invariant()
    def amounts_add_up(self) -> None:
        if self.parent.slices is None:
            return
        slices = self.slices
        assert slices.total == self.total == slices.done + slices.in_flight + slices.rest
        assert slices.missing >= 0
        assert all(one.amount > 0 for one in slices.pending)
        assert all(one.amount > 0 for one in slices.children)
        ordinals = [one.ordinal for one in slices.pending] + [one.ordinal for one in slices.children]
        assert len(set(ordinals)) == len(ordinals)

    @invariant()
    def nothing_is_traded_twice(self) -> None:
        moved = 0
        for child in self.children(frozenset(S)):
            amount = child.intent.assets[0].amount
            assert amount is not None
            filled = child.received if child.intent.type is IntentType.ACQUIRE else child.spent
            moved += max(filled, amount if child.open else 0)
        assert moved <= self.total

    @invariant()
    def both_sides_know_the_same(self) -> None:
        slices = self.parent.slices
        known = {} if slices is None else {one.id: one for one in slices.children}
        others = self.children(frozenset(S))
        assert {one.id for one in others} == set(known)
        for child in others:
            told = known[child.id]
            link = child.intent.parent
            assert link is not None
            assert link.intent_id == self.id
            assert child.id == IntentId(uuid5(self.id, str(told.ordinal)))
            assert told.open == child.open
            assert told.status in (None, child.status)
            assert told.amount == child.intent.assets[0].amount
            moved = child.received if child.intent.type is IntentType.ACQUIRE else child.spent
            assert told.done == (0 if child.open else moved)
            assert child.deadline is not None
            assert child.deadline <= self.deadline
            assert child.intent.constraints.max_slippage == self.parent.intent.constraints.max_slippage

    @invariant()
    def the_fee_of_all_keeps_below_that_of_the_whole(self) -> None:
        if self.max_fee is None or self.parent.slices is None:
            return
        shares = [one.max_fee or 0 for one in self.slices.children if one.open]
        spare = self.max_fee - self.slices.gas_cost
        assert sum(shares) <= max(0, spare)

    @invariant()
    def the_end_is_that_of_all(self) -> None:
        parent, slices = self.parent, self.parent.slices
        if slices is None:
            return
        if not parent.open:
            assert not slices.pending
            assert not slices.open_children
            assert (parent.status is S.SETTLED) == slices.complete
            assert parent.status is not S.CANCELLED or parent.cancel_requested
        else:
            assert slices.pending or slices.open_children
            assert (parent.status is S.PARTIALLY_FILLED) == (0 < slices.done < slices.total)
        assert sum(one.fell_short for one in slices.children) <= len(slices.children)

    def the_log_folds_to_the_same(self) -> None:
        again = World()
        for one in self.log:
            again.apply(one.stream, as_read(one.fact))
        assert again.intents == self.world.intents

    def teardown(self) -> None:
        """Whatever happened: once the time is over and the evidence is in, all has ended."""
        if not hasattr(self, "world"):
            return
        self.clock.advance(timedelta(minutes=30))
        self.late()
        for child in self.children(SIGNED):
            self.follow(intents.failed(child, "reverted", "for good"))
        assert not self.parent.open
        assert not self.children(SIGNED | UNSIGNED)
        self.the_end_is_that_of_all()
        self.the_log_folds_to_the_same()
        assert Fraction(self.parent.gas_cost) == sum(one.gas_cost for one in self.children(frozenset(S)))


TestFamily = Family.TestCase
TestFamily.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
