"""Asks every rule and the kernel's own checks; one hard no is a no."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from sep_hooks.errors import ConfigurationError
from sep_hooks.risk import RiskRule
from sep_hooks.types import (
    Amount,
    AssetId,
    BreakerAction,
    Charge,
    Constraints,
    Equity,
    Gauge,
    Need,
    Plan,
    Quantity,
    RiskStage,
    RiskView,
    Verdict,
)

from sep_core.risk.breakers import Reading, breaker_name
from sep_core.risk.checks import charge_verdict, kernel_verdicts, money_of

UNAVAILABLE = "risk_rule_unavailable"


@dataclass(frozen=True, slots=True)
class RuleFault:
    """A rule that raised or answered nonsense; it counts against the plugin."""

    instance: str
    error: str


@dataclass(frozen=True, slots=True)
class RiskDecision:
    """What all rules say together. Refused: `code` and `reason` of the first hard no, with all reasons."""

    approved: bool
    money: tuple[tuple[AssetId, Amount], ...]
    charges: tuple[Charge, ...]
    verdicts: tuple[Verdict, ...]
    code: str = ""
    reason: str = ""
    faults: tuple[RuleFault, ...] = ()


class WatchFailed(Exception):
    """A rule that watches raised or answered nonsense, so that nobody knows whether a breaker should open."""


class RuleAnswerInvalid(Exception):
    """A rule answered something that is no verdict or charge."""


class RuleCall(Protocol):
    """How rules are called: the kernel's guard contains, times and counts what they do wrong."""

    def __call__[T](self, instance: str, call: str, make: Callable[[], T]) -> T:
        """What `make()` answers. Raises anything for a rule that failed; the decision is then a refusal."""
        ...


def plain_call[T](instance: str, call: str, make: Callable[[], T]) -> T:
    """Calls a rule without a guard."""
    return make()


class RiskEngine:
    """The installed rules by instance name, in the order of the configuration.

    Raises `ConfigurationError` where rules want their prices in different symbols, or cannot say in which.
    """

    def __init__(
        self,
        rules: Mapping[str, RiskRule[Any]],
        limits_version: int = 1,
        *,
        call: RuleCall = plain_call,
    ) -> None:
        self._rules = dict(rules)
        self._call = call
        self.limits_version = limits_version
        self.needs: frozenset[Need] = frozenset().union(*(rule.needs for rule in self._rules.values()))
        self.numeraire = self._one_numeraire()

    def decide(self, plan: Plan, constraints: Constraints, view: RiskView, stage: RiskStage) -> RiskDecision:
        """Runs all rules on one view. A rule that raises, lacks a need or answers nonsense refuses."""
        verdicts = list(kernel_verdicts(plan, constraints, view))
        charges: list[Charge] = []
        faults: list[RuleFault] = []
        for instance, rule in self._rules.items():
            missing = _missing_need(rule, view)
            if missing:
                verdicts.append(_unavailable(instance, rule, view, f"needs {missing}, which cannot be had"))
                continue
            try:
                claimed, said = self._ask(instance, rule, plan, view, stage)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a plugin may exit or panic; here that only means no
                text = f"{type(error).__name__}: {error}"[:500]
                faults.append(RuleFault(instance, text))
                verdicts.append(_unavailable(instance, rule, view, text))
                continue
            charges += claimed
            verdicts += said
        merged = _merged(charges)
        verdicts += _charge_verdicts(merged, verdicts, view)
        return _decision(plan, merged, verdicts, faults)

    def _ask(
        self, instance: str, rule: RiskRule[Any], plan: Plan, view: RiskView, stage: RiskStage
    ) -> tuple[list[Charge], list[Verdict]]:
        claimed = self._call(instance, "charges", lambda: _checked_charges(rule.charges(plan, view)))
        said = self._call(instance, "assess", lambda: _checked_verdicts(rule.assess(plan, view, stage)))
        return claimed, [replace(verdict, rule=instance, version=rule.version) for verdict in said]

    def gauges(self, equity: Equity) -> list[Reading]:
        """What the rules that watch say of a scope's worth. Raises `WatchFailed` where one fails."""
        found = []
        for instance, rule in self._rules.items():
            if Need.EQUITY not in rule.needs:
                continue
            try:
                said = self._call(instance, "watch", partial(_checked_gauges, rule, equity))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise WatchFailed(f"risk rule {instance} cannot watch: {error}"[:500]) from error
            for gauge in said:
                name = breaker_name(instance, gauge.metric, equity.scope)
                found.append(Reading(name, equity.scope, gauge))
        return found

    def _one_numeraire(self) -> str | None:
        symbols: dict[str, str] = {}
        for instance, rule in self._rules.items():
            try:
                symbol = rule.numeraire()
            except Exception as error:
                raise ConfigurationError(
                    f"risk rule {instance} cannot say in what it wants prices: {error}",
                    pointer=f"risk.{instance}",
                ) from error
            if symbol is not None:
                symbols[instance] = symbol
        if len(set(symbols.values())) > 1:
            listed = ", ".join(f"{instance}: {symbol}" for instance, symbol in symbols.items())
            raise ConfigurationError(
                f"risk rules want prices in different symbols ({listed})",
                pointer="risk",
                next_step="give all of them the same numeraire",
            )
        return next(iter(symbols.values()), None)


def _missing_need(rule: RiskRule[Any], view: RiskView) -> str:
    return "prices" if Need.PRICES in rule.needs and view.prices is None else ""


def _checked_verdicts(answer: object) -> list[Verdict]:
    if not isinstance(answer, Sequence):
        raise RuleAnswerInvalid(f"assess answered a {type(answer).__name__}, not a sequence of verdicts")
    return [_checked_verdict(one) for one in answer]


def _checked_verdict(one: object) -> Verdict:
    if not isinstance(one, Verdict):
        raise RuleAnswerInvalid(f"assess answered a {type(one).__name__} among its verdicts")
    for name in ("used", "held", "asked", "limit"):
        number = getattr(one, name)
        if type(number) is not int:  # a float may be NaN, and compares as it likes
            raise RuleAnswerInvalid(f"{name} of {one.code!r} is {number!r}, not an integer")
    for name in ("ok", "hard"):
        if type(getattr(one, name)) is not bool:
            raise RuleAnswerInvalid(f"{name} of {one.code!r} is neither true nor false")
    for name in ("rule", "version", "code", "scope", "metric", "unit", "detail"):
        if type(getattr(one, name)) is not str:
            raise RuleAnswerInvalid(f"{name} of a verdict is no text")
    return one


def _checked_gauges(rule: RiskRule[Any], equity: Equity) -> list[Gauge]:
    answer: object = rule.watch(equity)
    if not isinstance(answer, Sequence):
        raise RuleAnswerInvalid(f"watch answered a {type(answer).__name__}, not a sequence of gauges")
    return [_checked_gauge(one) for one in answer]


def _checked_gauge(one: object) -> Gauge:
    if not isinstance(one, Gauge):
        raise RuleAnswerInvalid(f"watch answered a {type(one).__name__} among its gauges")
    for name, kind in (("used", int), ("limit", int), ("latched", bool), ("action", BreakerAction)):
        if type(getattr(one, name)) is not kind:
            raise RuleAnswerInvalid(f"{name} of {one.metric!r} is {getattr(one, name)!r}")
    for name in ("metric", "unit", "detail"):
        if type(getattr(one, name)) is not str:
            raise RuleAnswerInvalid(f"{name} of a gauge is no text")
    if one.limit <= 0:
        raise RuleAnswerInvalid(f"the limit of {one.metric!r} is {one.limit}: it would be open for ever")
    return one


def _checked_charges(answer: object) -> list[Charge]:
    if not isinstance(answer, Sequence):
        raise RuleAnswerInvalid(f"charges answered a {type(answer).__name__}, not a sequence of charges")
    for one in answer:
        if not isinstance(one, Charge) or type(one.metric) is not str or type(one.scope) is not str:
            raise RuleAnswerInvalid(f"charges answered {one!r}, which is no charge")
        if type(one.amount) is not int or one.amount < 0:
            raise RuleAnswerInvalid(f"a claim on {one.metric} of {one.amount!r} would free what others hold")
    return list(answer)


def _merged(charges: Sequence[Charge]) -> tuple[Charge, ...]:
    sums: dict[tuple[str, str], int] = {}
    for charge in charges:
        key = charge.metric, charge.scope
        sums[key] = sums.get(key, 0) + charge.amount
    return tuple(Charge(metric, scope, Quantity(amount)) for (metric, scope), amount in sums.items())


def _charge_verdicts(charges: Sequence[Charge], verdicts: Sequence[Verdict], view: RiskView) -> list[Verdict]:
    limits: dict[tuple[str, str], Verdict] = {}
    for verdict in verdicts:
        key = verdict.metric, verdict.scope
        if key not in limits or verdict.limit - verdict.used < limits[key].limit - limits[key].used:
            limits[key] = verdict
    found = []
    for charge in charges:
        key = charge.metric, charge.scope
        if key in limits:
            found.append(charge_verdict(key, charge.amount, view.held, limits[key]))
        else:
            found.append(
                _no(UNAVAILABLE, view, f"{charge.metric} of {charge.scope} is claimed, but no rule limits it")
            )
    return found


def _decision(
    plan: Plan, charges: tuple[Charge, ...], verdicts: Sequence[Verdict], faults: Sequence[RuleFault]
) -> RiskDecision:
    refused = [verdict for verdict in verdicts if verdict.hard and not verdict.ok]
    if not refused:
        return RiskDecision(True, money_of(plan), charges, tuple(verdicts), faults=tuple(faults))
    reasons = "; ".join(f"{one.rule}: {one.detail or one.code}" for one in refused)
    return RiskDecision(False, (), (), tuple(verdicts), refused[0].code, reasons, tuple(faults))


def _unavailable(instance: str, rule: RiskRule[Any], view: RiskView, why: str) -> Verdict:
    return replace(_no(UNAVAILABLE, view, why), rule=instance, version=str(getattr(rule, "version", "")))


def _no(code: str, view: RiskView, why: str) -> Verdict:
    return Verdict(
        rule="kernel",
        version="1",
        code=code,
        scope=f"strategy:{view.strategy}",
        metric="availability",
        unit="",
        used=Quantity(0),
        held=Quantity(0),
        asked=Quantity(1),
        limit=Quantity(0),
        hard=True,
        ok=False,
        detail=why,
    )
