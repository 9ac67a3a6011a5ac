"""Conformance of risk rules: purity, totality, monotony, and that they fail closed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sep_hooks.config import PluginConfig
from sep_hooks.risk import RiskRule
from sep_hooks.testing.purity import impurities
from sep_hooks.types import (
    Amount,
    AssetId,
    BlockRef,
    Call,
    Charge,
    Equity,
    Flow,
    Gauge,
    IntentId,
    Leg,
    MarketId,
    Need,
    Plan,
    Price,
    PriceBook,
    Quantity,
    RiskStage,
    RiskView,
    SnapshotRef,
    Step,
    StepKind,
    SwapOrder,
    Verdict,
    address,
    erc20,
    evm_chain,
)

QUOTE = erc20(1, "0x" + "a0" * 20)
BASE = erc20(1, "0x" + "c0" * 20)
OTHER = erc20(1, "0x" + "d0" * 20)
INTENT = IntentId(UUID("11111111-1111-5111-8111-111111111111"))
_ACCOUNT = address("0x" + "ee" * 20)
_BLOCK = BlockRef(100, "0x" + "01" * 32)


def swap_plan(
    *,
    asset_in: AssetId = QUOTE,
    asset_out: AssetId = BASE,
    amount_in: int = 1_000_000,
    amount_out: int = 500_000,
    slippage_ppm: int = 5_000,
    exact_in: bool = True,
    venue: str = "uni",
    intent_id: IntentId = INTENT,
    gas_limit: int = 200_000,
    max_fee_per_gas: int = 2_000_000_000,
) -> Plan:
    """A plan of one approval and one swap through one market, with limits `slippage_ppm` off the expectation."""
    limit_in = amount_in if exact_in else amount_in + amount_in * slippage_ppm // 1_000_000
    limit_out = amount_out - amount_out * slippage_ppm // 1_000_000 if exact_in else amount_out
    leg = Leg(MarketId(f"{venue}/pool"), asset_in, asset_out, Amount(amount_in), Amount(amount_out))
    order = SwapOrder((leg,), exact_in, Amount(limit_in), Amount(limit_out), _ACCOUNT, 1_700_000_060)
    call = Call(address("0x" + "bb" * 20), b"\x01")
    chain = evm_chain(1)
    spender = address("0x" + "bb" * 20)
    approve = Step(
        "approve-1", StepKind.APPROVE, chain, call, gas_limit // 4,
        token=asset_in, spender=spender, allowance=Amount(limit_in),
    )  # fmt: skip
    swap = Step("swap-1", StepKind.SWAP, chain, call, gas_limit - gas_limit // 4, venue, order)
    return Plan(
        digest="0x" + "22" * 32,
        intent_id=intent_id,
        account="main",
        snapshot=SnapshotRef("0x" + "33" * 32, _BLOCK, 1_700_000_000, 1),
        steps=(approve, swap),
        exact_in=exact_in,
        spends=(Flow(asset_in, Amount(amount_in), Amount(limit_in), Amount(amount_in)),),
        receives=(Flow(asset_out, Amount(amount_out), Amount(limit_out), Amount(amount_out)),),
        marginal=(Amount(amount_out), Amount(amount_in)),
        gas_limit=gas_limit,
        max_fee_per_gas=max_fee_per_gas,
        method="best_path",
        slices=1,
        slices_reason="",
        left_out=(),
    )


def scaled(plan: Plan, factor: int) -> Plan:
    """The same plan, `factor` times as large."""

    def times(amount: Amount) -> Amount:
        return Amount(amount * factor)

    def flow(one: Flow) -> Flow:
        return Flow(one.asset, times(one.expected), times(one.limit), times(one.quoted))

    def step(one: Step) -> Step:
        order = one.order
        if order is None:
            allowance = None if one.allowance is None else times(one.allowance)
            return replace(one, allowance=allowance)
        legs = tuple(
            replace(leg, amount_in=times(leg.amount_in), amount_out=times(leg.amount_out))
            for leg in order.legs
        )
        grown = replace(
            order, legs=legs, amount_in=times(order.amount_in), amount_out=times(order.amount_out)
        )
        return replace(one, order=grown)

    return replace(
        plan,
        steps=tuple(step(one) for one in plan.steps),
        spends=tuple(flow(one) for one in plan.spends),
        receives=tuple(flow(one) for one in plan.receives),
    )


def risk_view(
    *,
    prices: PriceBook | None,
    free: Mapping[AssetId, int],
    total: Mapping[AssetId, int] | None = None,
    held: Mapping[tuple[str, str], int] | None = None,
) -> RiskView:
    """A view of account `main` and strategy `rebalance`."""
    return RiskView(
        account="main",
        strategy="rebalance",
        prices=prices,
        free={asset: Amount(amount) for asset, amount in free.items()},
        total={asset: Amount(amount) for asset, amount in (total or free).items()},
        held=dict(held or {}),
    )


def price_book(value_of_base: int, *, per: int = 1_000_000, numeraire: AssetId = QUOTE) -> PriceBook:
    """Prices in `QUOTE`, where `per` units of `BASE` are worth `value_of_base`."""
    prices = (Price(BASE, Amount(per), Amount(value_of_base)),)
    return PriceBook(numeraire, prices, "0x" + "44" * 32)


# As many small ones as large ones: limits lie anywhere.
_sizes = st.one_of(st.integers(1, 10**4), st.integers(1, 10**10), st.integers(1, 10**30))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans between the three sample assets, of any size, in both directions."""
    pair = draw(st.permutations([QUOTE, BASE, OTHER]))
    return swap_plan(
        asset_in=pair[0],
        asset_out=pair[1],
        amount_in=draw(_sizes),
        amount_out=draw(_sizes),
        slippage_ppm=draw(st.integers(0, 200_000)),
        exact_in=draw(st.booleans()),
        venue=draw(st.sampled_from(["uni", "sushi", "elsewhere"])),
    )


@st.composite
def views(draw: st.DrawFn) -> RiskView:
    """Views with and without prices, holdings and open charges."""
    prices = draw(st.none() | st.builds(price_book, _sizes))
    free = draw(st.dictionaries(st.sampled_from([QUOTE, BASE, OTHER]), _sizes))
    extra = draw(st.dictionaries(st.sampled_from([QUOTE, BASE, OTHER]), _sizes))
    total = {asset: free.get(asset, 0) + extra.get(asset, 0) for asset in free.keys() | extra.keys()}
    return RiskView(
        account="main",
        strategy="rebalance",
        prices=prices,
        free={asset: Amount(amount) for asset, amount in free.items()},
        total={asset: Amount(amount) for asset, amount in total.items()},
    )


@st.composite
def equities(draw: st.DrawFn) -> Equity:
    """Worths of a scope, from nothing left to a new high."""
    parts = st.integers(0, 2 * 10**18)
    now, other, third, older = draw(parts), draw(parts), draw(parts), draw(parts)
    return Equity(
        scope=draw(st.sampled_from(["global", "strategy:rebalance"])),
        numeraire=QUOTE,
        at=datetime(2026, 1, 2, tzinfo=UTC),
        value=Quantity(draw(_sizes)),
        unit_value=now,
        high=max(now, other, third, older, 10**18),
        day_start=other,
        day_ago=third,
    )


_factors = st.one_of(st.integers(2, 10), st.integers(2, 10**6))
_stages = st.sampled_from(RiskStage)
_quick = settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),  # to explain a failure takes longest
    suppress_health_check=[HealthCheck.differing_executors],
)


class RiskSuite[C: PluginConfig]:
    """Subclass it in the tests of a rule and say how the rule is made.

    Sample plans go from account `main`, strategy `rebalance`, over venues `uni`, `sushi` and `elsewhere`.
    """

    def rule(self) -> RiskRule[C]:
        """The rule under its usual configuration, made afresh."""
        raise AssertionError("a RiskSuite says how its rule is made: override rule()")

    def ladder(self) -> Sequence[RiskRule[C]]:
        """The rule under ever tighter limits, the loosest first."""
        return (self.rule(),)

    def passing(self) -> tuple[Plan, RiskView]:
        """A plan and a view that the usual configuration lets pass."""
        raise AssertionError("a RiskSuite names a plan that passes: override passing()")

    def test_source_is_pure(self) -> None:
        """No clock, randomness, file, socket, task or thread in the rule's package."""
        assert impurities(type(self.rule())) == ()

    def test_passing_plan_passes(self) -> None:
        """The rule is no mere refusal."""
        plan, view = self.passing()
        for stage in RiskStage:
            assert passes(self.rule(), plan, view, stage)

    @_quick
    @given(plans(), views(), _stages)
    def test_total_and_well_typed(self, plan: Plan, view: RiskView, stage: RiskStage) -> None:
        """Answers every plan and view, in the types of the contract; charges are never negative."""
        rule = self.rule()
        if not _needs_met(rule, view):
            return
        for verdict in rule.assess(plan, view, stage):
            assert isinstance(verdict, Verdict)
            for number in (verdict.used, verdict.held, verdict.asked, verdict.limit):
                assert type(number) is int
            for flag in (verdict.hard, verdict.ok):
                assert type(flag) is bool
            assert verdict.ok or verdict.code
        limited = {(one.metric, one.scope) for one in rule.assess(plan, view, stage)}
        for charge in rule.charges(plan, view):
            assert isinstance(charge, Charge)
            assert type(charge.amount) is int
            assert charge.amount >= 0
            assert (charge.metric, charge.scope) in limited, f"{charge} is held against no limit"

    @_quick
    @given(plans(), views(), _stages)
    def test_pure(self, plan: Plan, view: RiskView, stage: RiskStage) -> None:
        """Same question, same answer: asked twice, and of a fresh instance."""
        rule = self.rule()
        if not _needs_met(rule, view):
            return
        first = tuple(rule.assess(plan, view, stage)), tuple(rule.charges(plan, view))
        again = tuple(rule.assess(plan, view, stage)), tuple(rule.charges(plan, view))
        fresh = self.rule()
        assert first == again
        assert first == (tuple(fresh.assess(plan, view, stage)), tuple(fresh.charges(plan, view)))

    @_quick
    @given(plans(), views(), _stages, _factors)
    def test_larger_never_passes_where_smaller_failed(
        self, plan: Plan, view: RiskView, stage: RiskStage, factor: int
    ) -> None:
        """Monotone in size on one view."""
        rule = self.rule()
        if not _needs_met(rule, view) or passes(rule, plan, view, stage):
            return
        assert not passes(rule, scaled(plan, factor), view, stage)

    @_quick
    @given(plans(), views(), _stages)
    def test_tighter_never_passes_where_looser_failed(
        self, plan: Plan, view: RiskView, stage: RiskStage
    ) -> None:
        """Monotone in the limits."""
        failed = False
        for rule in self.ladder():
            if not _needs_met(rule, view):
                continue
            ok = passes(rule, plan, view, stage)
            assert not (failed and ok), "a tighter limit let pass what a looser one refused"
            failed = failed or not ok

    @_quick
    @given(plans(), views(), _stages, st.integers(1, 10**30))
    def test_more_held_never_passes_where_less_failed(
        self, plan: Plan, view: RiskView, stage: RiskStage, more: int
    ) -> None:
        """Monotone in what other intents hold."""
        rule = self.rule()
        if not _needs_met(rule, view) or passes(rule, plan, view, stage):
            return
        held = dict(view.held)
        for charge in rule.charges(plan, view):
            key = charge.metric, charge.scope
            held[key] = held.get(key, 0) + more
        assert not passes(rule, plan, replace(view, held=held), stage)

    @_quick
    @given(equities(), st.integers(0, 2 * 10**18))
    def test_watches_purely_and_never_sees_less_in_a_larger_loss(self, equity: Equity, lower: int) -> None:
        """Gauges in the types of the contract; a lower unit value never leaves a metric further from its limit."""
        if Need.EQUITY not in self.rule().needs:
            return
        gauges = tuple(self.rule().watch(equity))
        assert gauges == tuple(self.rule().watch(equity))
        assert gauges, "a rule that needs EQUITY watches something"
        assert len({one.metric for one in gauges}) == len(gauges), "two gauges would share a breaker"
        for one in gauges:
            assert isinstance(one, Gauge)
            assert type(one.used) is type(one.limit) is int
            assert one.limit > 0
            assert one.metric
            assert one.detail
        worse = replace(equity, unit_value=min(lower, equity.unit_value))
        for one, other in zip(gauges, self.rule().watch(worse), strict=True):
            assert other.used >= one.used

    def test_fails_closed_without_prices(self) -> None:
        """What needs prices refuses where there are none, or none for what is spent."""
        plan, view = self.passing()
        rule = self.rule()
        if Need.PRICES not in rule.needs:
            return
        empty = PriceBook(OTHER, (), "0x" + "55" * 32)
        for prices in (None, empty):
            assert not passes(rule, plan, replace(view, prices=prices), RiskStage.PLAN)


def passes[C: PluginConfig](rule: RiskRule[C], plan: Plan, view: RiskView, stage: RiskStage) -> bool:
    """Whether all hard verdicts agree; raising refuses, as it does in the kernel."""
    try:
        return all(verdict.ok or not verdict.hard for verdict in rule.assess(plan, view, stage))
    except Exception:
        return False


def total_charge[C: PluginConfig](rule: RiskRule[C], plan: Plan, view: RiskView, metric: str) -> Quantity:
    """The sum of a rule's charges of one metric."""
    return Quantity(sum(charge.amount for charge in rule.charges(plan, view) if charge.metric == metric))


def _needs_met[C: PluginConfig](rule: RiskRule[C], view: RiskView) -> bool:
    return Need.PRICES not in rule.needs or view.prices is not None
