"""Native amounts of stable and weighted pools equal the references to the last unit, or both refuse."""

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sep_hooks.errors import InsufficientLiquidity
from sep_native.amm import StableSwap, WeightedProduct

from tests.oracles import stable_swap, weighted_product

ONE = 10**18
REFUSED = (InsufficientLiquidity, ValueError)

type Ask = Callable[[int, int, int], int]


@st.composite
def holdings(draw: st.DrawFn, most: int) -> tuple[list[int], list[int]]:
    """Balances from a few units to a thousand million, and what scales each to 18 decimals."""
    count = draw(st.integers(2, most))
    units = draw(st.integers(1, 10**9))
    parts = draw(st.lists(st.integers(1, 10_000), min_size=count, max_size=count))
    decimals = draw(st.lists(st.sampled_from([6, 8, 18]), min_size=count, max_size=count))
    balances = [units * 10**d * part // 1000 + 1 for d, part in zip(decimals, parts, strict=True)]
    return balances, [10 ** (36 - d) for d in decimals]


def swaps(balances: list[int]) -> st.SearchStrategy[tuple[int, int, int]]:
    """Two assets and an amount, from one unit to twice the balance."""
    pairs = st.permutations(range(len(balances))).map(lambda order: (order[0], order[1]))
    return pairs.flatmap(
        lambda pair: st.tuples(
            st.just(pair[0]),
            st.just(pair[1]),
            st.one_of(st.integers(1, 10**6), st.integers(1, 2 * balances[pair[0]])),
        )
    )


def agree(pool: StableSwap | WeightedProduct, i: int, j: int, amount: int, exact_in: bool, ask: Ask) -> None:
    """The native amount is the reference's, and what follows the swap is what was quoted."""
    try:
        expected = ask(i, j, amount)
    except (stable_swap.Reverted, weighted_product.Reverted, ZeroDivisionError):
        with pytest.raises(REFUSED):
            pool.quote(i, j, amount, exact_in)
        return
    quote, after = pool.after(i, j, amount, exact_in)
    assert quote == pool.quote(i, j, amount, exact_in)
    assert expected == (quote.amount_out if exact_in else quote.amount_in)
    assert after.balances[i] == pool.balances[i] + quote.amount_in
    assert after.balances[j] == pool.balances[j] - quote.amount_out


amplifications = st.sampled_from([2, 10, 85, 100, 200, 2000, 5000])


@given(st.data(), holdings(8), amplifications, st.integers(0, 10**8))
def test_curve(data: st.DataObject, held: tuple[list[int], list[int]], amplification: int, fee: int) -> None:
    balances, rates = held
    reference = stable_swap.CurvePool(balances, rates, 100 * amplification, fee)
    pool = StableSwap("curve", balances, rates, 100 * amplification, fee)
    i, j, amount = data.draw(swaps(balances))
    agree(pool, i, j, amount, True, reference.amount_out)
    wanted = data.draw(st.integers(1, max(1, balances[j] * 99 // 100)))
    try:
        quote = pool.quote(i, j, wanted, False)
    except InsufficientLiquidity:
        assert not reference.buys(i, j, 10**6 * amount, wanted)
        return
    assert quote.amount_out == reference.amount_out(i, j, quote.amount_in) >= wanted
    assert quote.amount_in == 1 or not reference.buys(i, j, quote.amount_in - 1, wanted)


@given(st.data(), holdings(5), amplifications, st.integers(10**12, 10**17), st.booleans())
def test_balancer_stable(
    data: st.DataObject, held: tuple[list[int], list[int]], amplification: int, fee: int, exact_in: bool
) -> None:
    balances, scaling = held
    providers = data.draw(
        st.lists(st.integers(ONE, 2 * ONE), min_size=len(balances), max_size=len(balances)), label="rates"
    )
    scaling = [factor * rate // ONE for factor, rate in zip(scaling, providers, strict=True)]
    reference = stable_swap.BalancerPool(balances, scaling, 1000 * amplification, fee)
    pool = StableSwap("balancer", balances, scaling, 1000 * amplification, fee)
    i, j, amount = data.draw(swaps(balances))
    agree(pool, i, j, amount, exact_in, reference.amount_out if exact_in else reference.amount_in)


@given(st.data(), holdings(8), st.integers(10**12, 10**17), st.booleans())
def test_weighted(data: st.DataObject, held: tuple[list[int], list[int]], fee: int, exact_in: bool) -> None:
    balances, scaling = held
    assume(all(balance < 2**112 for balance in balances))
    shares = data.draw(
        st.lists(st.integers(2, 40), min_size=len(balances), max_size=len(balances)), label="shares"
    )
    weights = [ONE * share // sum(shares) for share in shares]
    weights[weights.index(max(weights))] += ONE - sum(weights)
    assume(min(weights) >= ONE // 100)
    pool = WeightedProduct(balances, scaling, weights, fee)
    reference = weighted_product.WeightedPool(balances, scaling, weights, fee)
    i, j, amount = data.draw(swaps(balances))
    agree(pool, i, j, amount, exact_in, reference.amount_out if exact_in else reference.amount_in)
