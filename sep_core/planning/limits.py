"""The limits that stand in the call: the intent's slippage against the worse of two references, in integers.

The references are the snapshot's marginal price before fees and the venue's own quote on the chain. A limit keeps
the slippage against both, so the worse one decides; roundings never widen it.
"""

from collections.abc import Iterable

from sep_hooks.types import Amount, Ratio, ratio_parts


def limit_in(amount_out: int, marginal: tuple[int, int], quoted_in: int, max_slippage: Ratio) -> Amount:
    """The most that may be spent for exactly `amount_out`; `marginal` is output per input."""
    part, below = ratio_parts(max_slippage)
    above = below + part
    numerator, denominator = marginal
    by_marginal = amount_out * denominator * above // (numerator * below)
    by_quote = quoted_in * above // below
    return Amount(min(by_marginal, by_quote))


def limit_out(amount_in: int, marginal: tuple[int, int], quoted_out: int, max_slippage: Ratio) -> Amount:
    """The least that must come for exactly `amount_in`."""
    part, below = ratio_parts(max_slippage)
    above = max(0, below - part)
    numerator, denominator = marginal
    by_marginal = -(-amount_in * numerator * above // (denominator * below))
    by_quote = -(-quoted_out * above // below)
    return Amount(max(by_marginal, by_quote))


def strictest(prices: Iterable[tuple[int, int]], marginal: tuple[int, int]) -> tuple[int, int]:
    """Of the present price and earlier references the one that asks most of a trade: the most output per input."""
    best = marginal
    for one in prices:
        if one[0] * best[1] > best[0] * one[1]:
            best = one
    return best
