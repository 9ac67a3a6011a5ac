"""Limits, marginal prices and slices in exact integers."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.types import Address, Amount, AssetId, erc20

from sep_core.planning.approvals import UNLIMITED, approvals
from sep_core.planning.limits import limit_in, limit_out
from sep_core.planning.marginal import LONGEST_BITS, compact
from sep_core.planning.slices import depth, slices

AMOUNTS = st.integers(1, 2**128)
SLIPPAGES = st.decimals(0, 1, places=12, allow_nan=False)
TOKEN: AssetId = erc20(1, "0x" + "a" * 40)
SPENDER = Address("0x" + "b" * 40)


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, SLIPPAGES)
def test_exact_out_never_allows_more_than_the_slippage_against_either_reference(
    amount: int, numerator: int, denominator: int, quoted: int, slippage: Decimal
) -> None:
    most = limit_in(amount, (numerator, denominator), quoted, slippage)
    factor = 1 + Fraction(slippage)
    by_marginal = Fraction(amount * denominator, numerator) * factor
    assert most <= by_marginal
    assert most <= quoted * factor
    assert most + 1 > min(by_marginal, quoted * factor), "and gives nothing away"


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, SLIPPAGES)
def test_exact_in_never_accepts_less_than_the_slippage_against_either_reference(
    amount: int, numerator: int, denominator: int, quoted: int, slippage: Decimal
) -> None:
    least = limit_out(amount, (numerator, denominator), quoted, slippage)
    factor = 1 - Fraction(slippage)
    by_marginal = Fraction(amount * numerator, denominator) * factor
    assert least >= by_marginal
    assert least >= quoted * factor
    assert least - 1 < max(by_marginal, quoted * factor)


@given(st.integers(1, 2**900), st.integers(1, 2**900))
def test_a_compact_ratio_is_the_ratio(numerator: int, denominator: int) -> None:
    above, below = compact(numerator, denominator)
    exact = Fraction(numerator, denominator)
    assert below > 0
    assert abs(Fraction(above, below) - exact) <= exact / 2**60
    if numerator.bit_length() < LONGEST_BITS and denominator.bit_length() < LONGEST_BITS:
        assert Fraction(above, below) == exact


@given(st.integers(10**9, 10**15), st.integers(10**18, 10**24), st.booleans())
def test_depth_of_a_constant_product_pool_is_its_reserve(size: int, reserve: int, exact_in: bool) -> None:
    """The derivation in the docstring, on the curve that it speaks of, without a fee."""
    price = 3
    if exact_in:
        got = reserve * price * size // (reserve + size)
        deep = depth(size, got, (price, 1), exact_in=True)
    else:
        spent = -(-(reserve // price) * size // (reserve - size))
        deep = depth(spent, size, (price, 1), exact_in=False)
    if size * size // reserve > 10**4:  # below that the pool's rounding is the impact
        assert Fraction(9, 10) < Fraction(deep, reserve) < Fraction(11, 10)


def test_without_impact_or_a_price_of_gas_an_intent_is_whole() -> None:
    assert depth(100, 300, (3, 1), exact_in=True) == 100 * 100
    number, why = slices(10**18, 10**18, None)
    assert number == 1
    assert "no price" in why


@pytest.mark.parametrize(
    ("allowed", "reset", "before", "after"),
    [
        (0, False, [9], [0]),
        (4, False, [9], [0]),
        (4, True, [0, 9], [0]),
        (0, True, [9], [0]),
        (9, False, [], [0]),
        (UNLIMITED, False, [], []),
    ],
)
def test_approvals_are_exact_and_leave_nothing(
    allowed: int, reset: bool, before: list[int], after: list[int]
) -> None:
    first, last = approvals(TOKEN, SPENDER, allowed, Amount(9), reset_first=reset)
    assert [one.amount for one in first] == before
    assert [one.amount for one in last] == after
