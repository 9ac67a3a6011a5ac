"""How much to trade, in exact integers."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from sep_hooks.types import Amount, IntentType, ratio_parts


@dataclass(frozen=True, slots=True)
class Holdings:
    """Base units of both assets: all that is owned, and what of it is free."""

    base: int
    quote: int
    free_base: int
    free_quote: int


@dataclass(frozen=True, slots=True)
class Trade:
    """What brings the share back to its weight: base units of the base asset."""

    type: IntentType
    amount: Amount


def share_is_off(base_value: int, total: int, weight: Decimal, band: Decimal) -> bool:
    """Whether the share of the base asset lies outside weight ± band."""
    part, whole = ratio_parts(weight)
    allowed, of = ratio_parts(band)
    return abs(base_value * whole - part * total) * of > allowed * total * whole


def trade(
    holdings: Holdings,
    price: tuple[int, int],
    weight: Decimal,
    band: Decimal,
    max_slippage: Decimal,
    minimum_trade: int,
) -> Trade | None:
    """The trade back to the weight at `price` (quote per base, numerator and denominator); None where none is due.

    Bounded by what is free, slippage included, so that the intent can be paid for at its worst.
    """
    numerator, denominator = price
    if numerator <= 0 or denominator <= 0:
        return None
    base_value = holdings.base * numerator // denominator
    total = base_value + holdings.quote
    if total == 0 or not share_is_off(base_value, total, weight, band):
        return None
    part, whole = ratio_parts(weight)
    missing = part * total // whole - base_value
    if missing > 0:
        slip, of = ratio_parts(max_slippage)
        affordable = holdings.free_quote * (of - slip) // of
        value, kind = min(missing, affordable), IntentType.ACQUIRE
    else:
        value, kind = min(-missing, holdings.free_base * numerator // denominator), IntentType.DISPOSE
    amount = value * denominator // numerator
    if value < minimum_trade or amount == 0:
        return None
    return Trade(kind, Amount(amount))


def largest_drift(
    worths: Mapping[str, Fraction], weights: Mapping[str, Decimal]
) -> tuple[Fraction, Fraction]:
    """How far the share that is off most lies from its weight, as a share and in worth; nothing held is no drift."""
    whole = sum(worths.values(), Fraction(0))
    if whole <= 0:
        return Fraction(0), Fraction(0)
    off = max(abs(worths[symbol] - whole * Fraction(weight)) for symbol, weight in weights.items())
    return off / whole, off
