"""Amounts in base units, and ratios."""

import re
from decimal import Decimal, InvalidOperation
from typing import NewType

from sep_hooks.errors import InvalidAmount

Amount = NewType("Amount", int)
"""A non-negative integer in an asset's base units; a decimal string in JSON."""

Quantity = NewType("Quantity", int)
"""A signed integer in base units or in a metric's own parts; a decimal string in JSON."""

Ratio = Decimal
"""An exact share or slippage; a decimal string in JSON, never a binary float."""

MAX_AMOUNT = 2**256 - 1

AMOUNT_PATTERN = r"^(0|[1-9][0-9]{0,77})$"
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,77})")


def parse_amount(text: str) -> Amount:
    """The amount that a canonical decimal string means. Raises `InvalidAmount`."""
    if not _AMOUNT.fullmatch(text):
        raise InvalidAmount(f"{text[:100]!r} is no amount: write base units as digits without sign or point")
    value = int(text)
    if value > MAX_AMOUNT:
        raise InvalidAmount(f"{text!r} is above 2^256-1")
    return Amount(value)


def parse_ratio(text: str) -> Ratio:
    """The exact ratio that a decimal string means. Raises `InvalidAmount`."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise InvalidAmount(f"{text[:100]!r} is no ratio") from None
    if not value.is_finite():
        raise InvalidAmount(f"{text!r} is no finite ratio")
    return value


def floor_fraction(amount: int, numerator: int, denominator: int) -> Amount:
    """`amount * numerator / denominator`, rounded down."""
    return Amount(amount * numerator // denominator)


def ratio_parts(ratio: Ratio) -> tuple[int, int]:
    """The ratio as an exact integer fraction (numerator, denominator)."""
    return ratio.as_integer_ratio()
