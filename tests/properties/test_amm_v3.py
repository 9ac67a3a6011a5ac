"""Native concentrated-liquidity amounts equal the reference to the last unit, tick crossings included."""

import pickle

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sep_hooks.errors import InsufficientLiquidity, NeedTicks
from sep_native.amm import ConcentratedLiquidity, sqrt_price_at_tick, tick_at_sqrt_price

from tests.oracles import uniswap_v3 as reference

SPACINGS = {100: 1, 500: 10, 3000: 60, 10_000: 200}


@st.composite
def pools(draw: st.DrawFn) -> ConcentratedLiquidity:
    """A pool with positions around its price, with gaps, perhaps with one over the whole range."""
    fee = draw(st.sampled_from(list(SPACINGS)))
    spacing = SPACINGS[fee]
    tick = draw(st.one_of(st.integers(-2000, 2000), st.integers(-600_000, 600_000)))
    low, high = reference.sqrt_price_at_tick(tick), reference.sqrt_price_at_tick(tick + 1)
    pool = ConcentratedLiquidity.initialized(draw(st.integers(low, high - 1)), fee, spacing)
    liquidity = st.one_of(st.integers(1, 10**6), st.integers(1, 2**100))
    last = 887_272 // spacing * spacing
    for offset, width, amount in draw(
        st.lists(st.tuples(st.integers(-400, 300), st.integers(1, 500), liquidity), max_size=8)
    ):
        lower = max(-last, min((tick // spacing + offset) * spacing, last - spacing))
        upper = min(last, lower + width * spacing)
        pool = pool.with_liquidity(lower, upper, amount)
    if draw(st.booleans()):
        pool = pool.with_liquidity(-last, last, draw(liquidity))
    return pool


def reference_of(pool: ConcentratedLiquidity) -> reference.Pool:
    return reference.Pool(
        pool.sqrt_price_x96, pool.tick, pool.liquidity, pool.fee_ppm, pool.tick_spacing, pool.ticks
    )


amounts = st.one_of(st.integers(1, 1000), st.integers(1, 2**70), st.integers(1, 2**110))


@settings(max_examples=300, deadline=None)
@given(pools(), amounts, st.booleans(), st.booleans())
def test_amounts_and_state_equal_the_reference(
    pool: ConcentratedLiquidity, amount: int, zero_for_one: bool, exact_in: bool
) -> None:
    expected = reference_of(pool).swap(amount, zero_for_one=zero_for_one, exact_in=exact_in)
    if expected.remaining:
        with pytest.raises(
            InsufficientLiquidity, match=f"take {expected.amount_in} and give {expected.amount_out}"
        ):
            pool.quote(zero_for_one, amount, exact_in)
        return
    quote, after = pool.after(zero_for_one, amount, exact_in)
    assert quote == pool.quote(zero_for_one, amount, exact_in)
    assert (quote.amount_in, quote.amount_out) == (expected.amount_in, expected.amount_out)
    assert quote.ticks_crossed == expected.ticks_crossed
    assert after.sqrt_price_x96 == expected.sqrt_price_x96
    assert (after.tick, after.liquidity) == (expected.tick, expected.liquidity)
    assert pool.with_swap(after.sqrt_price_x96, after.tick, after.liquidity) == after


@settings(max_examples=100, deadline=None)
@given(pools(), amounts, st.booleans(), st.booleans(), st.integers(1, 3000))
@example(ConcentratedLiquidity.initialized(reference.sqrt_price_at_tick(1), 100, 1), 1, True, False, 1)
@example(ConcentratedLiquidity.initialized(reference.sqrt_price_at_tick(254), 100, 1), 1, False, True, 0)
def test_a_price_limit_stops_where_the_reference_stops(
    pool: ConcentratedLiquidity, amount: int, zero_for_one: bool, exact_in: bool, distance: int
) -> None:
    limit = reference.sqrt_price_at_tick(pool.tick + (-distance if zero_for_one else 1 + distance))
    expected = reference_of(pool).swap(amount, zero_for_one=zero_for_one, exact_in=exact_in, limit=limit)
    quote, after = pool.after(zero_for_one, amount, exact_in, sqrt_price_limit_x96=limit)
    assert (quote.amount_in, quote.amount_out) == (expected.amount_in, expected.amount_out)
    assert (after.sqrt_price_x96, after.tick) == (expected.sqrt_price_x96, expected.tick)


@settings(max_examples=100, deadline=None)
@given(pools(), amounts, st.booleans(), st.booleans(), st.integers(0, 4000), st.integers(0, 4000))
def test_what_is_not_loaded_is_never_guessed(
    pool: ConcentratedLiquidity, amount: int, zero_for_one: bool, exact_in: bool, below: int, above: int
) -> None:
    loaded = (pool.tick - below, pool.tick + 1 + above)
    known = [entry for entry in pool.ticks if loaded[0] <= entry[0] <= loaded[1]]
    part = ConcentratedLiquidity(
        pool.sqrt_price_x96, pool.tick, pool.liquidity, pool.fee_ppm, pool.tick_spacing, known, loaded
    )
    try:
        quote = part.quote(zero_for_one, amount, exact_in)
    except NeedTicks:
        return
    except InsufficientLiquidity:
        pytest.fail("a pool that is loaded in part cannot know that it ends")
    assert quote == pool.quote(zero_for_one, amount, exact_in)


@given(st.integers(reference.MIN_TICK, reference.MAX_TICK - 1), st.integers(0, 10**9))
def test_ticks_and_prices(tick: int, inside: int) -> None:
    price, above = sqrt_price_at_tick(tick), sqrt_price_at_tick(tick + 1)
    assert price == reference.sqrt_price_at_tick(tick)
    assert tick_at_sqrt_price(price) == tick
    assert tick_at_sqrt_price(price + inside * (above - price) // (10**9 + 1)) == tick
    assert tick_at_sqrt_price(above - 1) == tick


@settings(max_examples=50, deadline=None)
@given(pools())
def test_a_state_is_a_value(pool: ConcentratedLiquidity) -> None:
    assert pickle.loads(pickle.dumps(pool)) == pool
    again = ConcentratedLiquidity(
        pool.sqrt_price_x96,
        pool.tick,
        pool.liquidity,
        pool.fee_ppm,
        pool.tick_spacing,
        pool.ticks,
        pool.loaded,
    )
    assert (again.ticks, again.loaded) == (pool.ticks, pool.loaded)
