"""The rule: one verdict for each limit that is set."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from sep_hooks.errors import Permanent
from sep_hooks.risk import RiskRule
from sep_hooks.types import (
    Amount,
    AssetId,
    Charge,
    Flow,
    Need,
    Plan,
    Quantity,
    RiskStage,
    RiskView,
    Verdict,
)

from sep_risk_limits.config import LimitsConfig

_PPM = 1_000_000
_ZERO = Quantity(0)


class Unpriceable(Permanent):
    """What the plan spends has no price in the numéraire, so its size is not known."""

    code = "unpriceable"


class Limits(RiskRule[LimitsConfig]):
    """Pure and monotone: a larger plan never passes where a smaller one failed. Without a price nothing passes."""

    Config = LimitsConfig
    version = "1"
    needs = frozenset({Need.PRICES, Need.HOLDINGS})

    def numeraire(self) -> str | None:
        """The symbol that notionals are measured in."""
        return self.config.numeraire

    def charges(self, plan: Plan, view: RiskView) -> Sequence[Charge]:
        """What open intents hold of the account's limits together."""
        return tuple(self._charges(plan, view))

    def assess(self, plan: Plan, view: RiskView, stage: RiskStage) -> Sequence[Verdict]:
        """One verdict for each limit that is set, at either stage."""
        return tuple(self._verdicts(plan, view))

    def _charges(self, plan: Plan, view: RiskView) -> Iterator[Charge]:
        if self.config.max_open_notional is not None:
            notional = _notional(plan, view)
            # Without a price the verdict refuses; there is nothing to hold.
            yield Charge("open_notional", _account(view), Quantity(notional or 0))
        if self.config.max_share is not None:
            for flow in plan.spends:
                yield Charge("spending", _holding(flow.asset, view), Quantity(flow.limit))

    def _verdicts(self, plan: Plan, view: RiskView) -> Iterator[Verdict]:
        yield from self._notionals(plan, view)
        if self.config.max_share is not None:
            for flow in plan.spends:
                yield self._share(flow, view, Fraction(self.config.max_share))
        if self.config.max_slippage is not None:
            yield self._slippage(plan, Fraction(self.config.max_slippage))
        if self.config.assets:
            yield self._assets(plan)
        if self.config.venues:
            yield self._venues(plan)

    def _notionals(self, plan: Plan, view: RiskView) -> Iterator[Verdict]:
        notional = _notional(plan, view)
        limits = [("notional", "intent", self.config.max_notional, 0)]
        if self.config.max_open_notional is not None:
            key = "open_notional", _account(view)
            limits.append((*key, self.config.max_open_notional, view.held.get(key, 0)))
        for metric, scope, limit, held in limits:
            if notional is None:
                unknown = ", ".join(flow.asset for flow in plan.spends if _worth(flow, view) is None)
                detail = f"{unknown} has no price in {self.config.numeraire}, so its size is unknown"
                yield self._verdict(
                    "unpriceable", metric, scope, self.config.numeraire, 0, held, limit, False, detail
                )
                continue
            spent = " and ".join(f"{flow.limit} of {flow.asset}" for flow in plan.spends)
            detail = (
                f"spending {spent} is worth {notional} {self.config.numeraire} "
                f"(base units); {held} are held, the limit is {limit}"
            )
            ok = held + notional <= limit
            code = f"{metric}_exceeded"
            yield self._verdict(code, metric, scope, self.config.numeraire, notional, held, limit, ok, detail)

    def _share(self, flow: Flow, view: RiskView, share: Fraction) -> Verdict:
        scope = _holding(flow.asset, view)
        total = view.total.get(flow.asset, Amount(0))
        limit = total * share.numerator // share.denominator
        held = view.held.get(("spending", scope), 0)
        detail = (
            f"spending {flow.limit} of {flow.asset}, with {held} already to be spent by open intents; "
            f"the share {self.config.max_share} of the holding is {limit}"
        )
        ok = held + flow.limit <= limit
        return self._verdict(
            "share_exceeded", "spending", scope, flow.asset, flow.limit, held, limit, ok, detail
        )

    def _slippage(self, plan: Plan, allowed: Fraction) -> Verdict:
        worst = max(_slippages(plan))
        parts = -(-worst.numerator * _PPM // worst.denominator)
        detail = f"the plan's limit is {parts} parts per million off the worse of its references"
        limit = int(allowed * _PPM)
        return self._verdict(
            "slippage_exceeded", "slippage", "intent", "ppm", parts, 0, limit, worst <= allowed, detail
        )

    def _assets(self, plan: Plan) -> Verdict:
        touched = {flow.asset for flow in (*plan.spends, *plan.receives)}
        touched |= {asset for leg in plan.legs for asset in (leg.asset_in, leg.asset_out)}
        return self._outside("asset", sorted(touched - set(self.config.assets)))

    def _venues(self, plan: Plan) -> Verdict:
        return self._outside("venue", sorted(set(plan.venues) - set(self.config.venues)))

    def _outside(self, what: str, names: Sequence[str]) -> Verdict:
        detail = f"{what}s that are not allowed: {', '.join(names) or 'none'}"
        return self._verdict(
            f"{what}_not_allowed", f"{what}s_outside", "intent", "count", len(names), 0, 0, not names, detail
        )

    def _verdict(
        self,
        code: str,
        metric: str,
        scope: str,
        unit: str,
        asked: int,
        held: int,
        limit: int,
        ok: bool,
        detail: str,
    ) -> Verdict:
        return Verdict(
            rule=self.context.instance,
            version=self.version,
            code=code,
            scope=scope,
            metric=metric,
            unit=unit,
            used=_ZERO,
            held=Quantity(held),
            asked=Quantity(asked),
            limit=Quantity(limit),
            hard=True,
            ok=ok,
            detail=detail,
        )


def _account(view: RiskView) -> str:
    return f"account:{view.account}"


def _holding(asset: AssetId, view: RiskView) -> str:
    return f"account:{view.account}:{view.strategy}:{asset}"


def _notional(plan: Plan, view: RiskView) -> int | None:
    """The worth of the most that may be spent, rounded up; None without a price above zero for each of it."""
    worth = [_worth(flow, view) for flow in plan.spends]
    known = [one for one in worth if one is not None]
    return sum(known) if len(known) == len(worth) else None


def _worth(flow: Flow, view: RiskView) -> int | None:
    if view.prices is None:
        return None
    value = view.prices.value(flow.asset, flow.limit)
    return None if value is None or (value == 0 and flow.limit > 0) else int(value)


def _slippages(plan: Plan) -> Iterator[Fraction]:
    """How far the limit lies off each reference: the expectation, the chain's own quote, the marginal price.

    Raises `ZeroDivisionError` for a plan without references, which refuses it.
    """
    if plan.exact_in:
        for flow in plan.receives:
            for reference in (flow.expected, flow.quoted):
                yield 1 - Fraction(flow.limit, reference)
    else:
        for flow in plan.spends:
            for reference in (flow.expected, flow.quoted):
                yield 1 - Fraction(reference, flow.limit)
    if len(plan.spends) == len(plan.receives) == 1:
        # The price before fees is that of one asset in another; of several, only the amounts are references.
        numerator, denominator = plan.marginal
        yield 1 - Fraction(plan.limit_out * denominator, plan.limit_in * numerator)
