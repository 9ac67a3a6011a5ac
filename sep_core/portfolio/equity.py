"""The worth of holdings by unit, so that money which comes or goes is neither gain nor loss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sep_hooks.errors import Retryable
from sep_hooks.types import AssetId, Equity, Quantity

from sep_core.events.facts import EquityLine, EquityMarked
from sep_core.events.scopes import GLOBAL, scope_of
from sep_core.portfolio.ledger import Ledger

ONE: Final = 10**18
"""The first unit value of a series."""

RECORDED_EACH: Final = timedelta(minutes=15)
NEWS_PARTS: Final = 1_000
"""A high is recorded when it lies a thousandth above the one that was."""

_DAY: Final = timedelta(days=1)

type ValueOf = Callable[[AssetId, int], int | None]
"""What a quantity, above or below zero, is worth in base units of the numéraire, rounded down; None without a price."""

type Owned = Mapping[AssetId, tuple[int, int]]
"""By asset: what is held, final and provisional, and all that ever came from outside less what went there."""


class Unmeasured(Retryable):
    """Something that is held has no price now, so that nobody knows what all of it is worth."""

    code = "unmeasured"


@dataclass(frozen=True, slots=True)
class EquityState:
    """The fold of a scope's marks: the last one, and the unit values of a day and a little more, oldest first."""

    last: EquityMarked
    series: tuple[tuple[datetime, int], ...]


def evolve_equity(state: EquityState | None, fact: EquityMarked) -> EquityState:
    """Takes one more mark in; what is older than the last 0:00 UTC and 24 hours ago is forgotten but for one."""
    earlier = () if state is None or fact.restarted else state.series
    series = (*earlier, (fact.at, fact.unit_value))
    needed = fact.at - _DAY
    first = max((at for at, one in enumerate(series) if one[0] <= needed), default=0)
    return EquityState(fact, series[first:])


def owned_by(ledger: Ledger, known: Callable[[AssetId], bool]) -> Mapping[str, Owned]:
    """What each strategy owns, over all accounts, and what `GLOBAL` stands for. What is not `known`, such as a token
    that a stranger sent, has no price and counts nowhere.
    """
    held, outflow = ledger.totals("wallet"), ledger.totals("external")
    whole: dict[AssetId, tuple[int, int]] = {}
    sums = {GLOBAL: whole}
    for key in {**held, **outflow}:
        strategy, asset = key
        if not known(asset):
            continue
        has, came = held.get(key, 0), -outflow.get(key, 0)
        sums.setdefault(scope_of(strategy), {})[asset] = has, came
        all_held, all_came = whole.get(asset, (0, 0))
        whole[asset] = all_held + has, all_came + came
    return sums


def mark(
    state: EquityState | None,
    scope: str,
    owned: Owned,
    value_of: ValueOf,
    numeraire: AssetId,
    now: datetime,
    high: int = 0,
) -> EquityMarked | None:
    """The scope's holdings at the prices of now; None where it never held anything. `high` is the highest unit value
    that was seen and not recorded.

    Units are kept as a fund's are: what came since the last mark makes units at the unit value of now, before it is
    counted (units = value / unit value, rounded up: the unit value is never overstated). A unit value of zero stays
    until a new series begins: money that comes then must not look like a gain. Raises `Unmeasured`.
    """
    last = None if state is None or state.last.numeraire != numeraire else state.last
    lines = tuple(
        EquityLine(asset, Quantity(held), Quantity(_value(value_of, asset, held)), Quantity(inflow))
        for asset, (held, inflow) in sorted(owned.items())
        if held or inflow
    )
    value = sum(one.value for one in lines)
    if last is None:
        if value <= 0:
            return None
        units, unit_value, high = value, ONE, ONE
    else:
        came = _came(last, lines, value_of)
        units, unit_value = last.units, last.unit_value
        if last.units and last.unit_value:
            unit_value = Quantity(max(0, value - came) * ONE // last.units)
        if came and unit_value:
            units = Quantity(max(0, -(-value * ONE // unit_value)))
        high = max(last.high, high, unit_value)
    return EquityMarked(
        scope,
        now,
        numeraire,
        Quantity(value),
        Quantity(units),
        Quantity(unit_value),
        Quantity(high),
        lines,
        last is None,
    )


def is_news(state: EquityState | None, found: EquityMarked) -> bool:
    """Whether a mark belongs in the log: units were made or ended, a high was reached, or a quarter hour has passed."""
    if state is None or found.restarted:
        return True
    last = state.last
    if {one.asset: one.inflow for one in found.lines} != {one.asset: one.inflow for one in last.lines}:
        return True
    rose = found.high > last.high + last.high // NEWS_PARTS
    return rose or found.at - last.at >= RECORDED_EACH


def equity_of(state: EquityState | None, found: EquityMarked) -> Equity:
    """What rules that watch are shown of a mark."""
    earlier = () if state is None or found.restarted else state.series
    series = (*earlier, (found.at, found.unit_value))
    midnight = found.at.replace(hour=0, minute=0, second=0, microsecond=0)
    return Equity(
        found.scope,
        found.numeraire,
        found.at,
        found.value,
        found.unit_value,
        found.high,
        _at(series, midnight),
        _at(series, found.at - _DAY),
    )


def _at(series: tuple[tuple[datetime, int], ...], moment: datetime) -> int:
    """The unit value that stood at a moment, or the first one there is."""
    return next((value for at, value in reversed(series) if at <= moment), series[0][1])


def _came(last: EquityMarked, lines: tuple[EquityLine, ...], value_of: ValueOf) -> int:
    """What came since the last mark, less what went, at the prices of now, rounded up."""
    before = {one.asset: one.inflow for one in last.lines}
    now = {one.asset: one.inflow for one in lines}
    if now == before:
        return 0
    return -sum(
        _value(value_of, asset, before.get(asset, 0) - now.get(asset, 0))
        for asset in before.keys() | now.keys()
    )


def _value(value_of: ValueOf, asset: AssetId, quantity: int) -> int:
    if not quantity:
        return 0
    value = value_of(asset, quantity)
    if value is None:
        raise Unmeasured(f"{quantity} of {asset} has no price now, so what is held cannot be measured")
    return value
