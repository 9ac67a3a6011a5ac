"""The limits that stand in the call: the intent's slippage against the worse of two references, in integers.

The references are the snapshot's marginal price before fees and the venues' own quotes on the chain. A limit keeps
the slippage against both, so the worse one decides; roundings never widen it.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil, floor

from sep_hooks.types import Amount, Ratio, ratio_parts

type Price = tuple[int, int]
"""Output per input: numerator and denominator."""


def least_out(given: Iterable[tuple[int, Price]], quoted_out: int, max_slippage: Ratio) -> Amount:
    """The least that must come for exactly these amounts at these marginal prices; without any, the quote decides."""
    part, below = ratio_parts(max_slippage)
    kept = Fraction(max(0, below - part), below)
    by_marginal = sum((Fraction(amount * price[0], price[1]) for amount, price in given), Fraction(0)) * kept
    return Amount(max(ceil(by_marginal), ceil(quoted_out * kept)))


def most_in(
    amount_out: int, quoted: Sequence[tuple[int, Price | None]], max_slippage: Ratio
) -> tuple[Amount, ...]:
    """The most that may be spent of each asset for exactly `amount_out`, given what the chain quotes of each and
    its marginal price; without a price, the quote decides. Where they are too much together, each gives way alike.
    """
    part, below = ratio_parts(max_slippage)
    grown = Fraction(below + part, below)
    by_quote = [Fraction(quote) * grown for quote, _ in quoted]
    prices = [price for _, price in quoted if price is not None]
    if len(prices) < len(quoted):
        return tuple(Amount(floor(one)) for one in by_quote)
    worth = sum((one * Fraction(*price) for one, price in zip(by_quote, prices, strict=True)), Fraction(0))
    budget = amount_out * grown
    share = min(Fraction(1), budget / worth) if worth else Fraction(1)
    return tuple(Amount(floor(one * share)) for one in by_quote)


def limit_in(amount_out: int, marginal: Price, quoted_in: int, max_slippage: Ratio) -> Amount:
    """The most that may be spent of one asset for exactly `amount_out`."""
    (most,) = most_in(amount_out, [(quoted_in, marginal)], max_slippage)
    return most


def limit_out(amount_in: int, marginal: Price, quoted_out: int, max_slippage: Ratio) -> Amount:
    """The least that must come for exactly `amount_in` of one asset."""
    return least_out([(amount_in, marginal)], quoted_out, max_slippage)


def strictest(prices: Iterable[Price], marginal: Price) -> Price:
    """Of the present price and earlier references the one that asks most of a trade: the most output per input."""
    best = marginal
    for one in prices:
        if one[0] * best[1] > best[0] * one[1]:
            best = one
    return best
