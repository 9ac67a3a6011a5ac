"""Native constant-product amounts equal the reference, and create no value."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.errors import InsufficientLiquidity
from sep_native.amm import ConstantProduct

from tests.oracles import uniswap_v2 as reference

RESERVE_MAX = 2**112 - 1
reserves = st.one_of(st.integers(1, RESERVE_MAX), st.integers(1, 10_000))
fees = st.sampled_from([0, 100, 2500, 3000, 10_000])


@given(reserves, reserves, st.one_of(st.integers(1, 2**112), st.integers(1, 1000)), st.booleans())
def test_exact_in_equals_the_contract(reserve0: int, reserve1: int, amount: int, zero_for_one: bool) -> None:
    pool = ConstantProduct(reserve0, reserve1, 3000)
    reserve_in, reserve_out = (reserve0, reserve1) if zero_for_one else (reserve1, reserve0)
    if reserve_in + amount > RESERVE_MAX:
        with pytest.raises(InsufficientLiquidity):
            pool.quote(zero_for_one, amount, True)
        return
    quote, after = pool.after(zero_for_one, amount, True)
    assert quote == pool.quote(zero_for_one, amount, True)
    assert (quote.amount_in, quote.ticks_crossed) == (amount, 0)
    assert quote.amount_out == reference.amount_out(amount, reserve_in, reserve_out)
    assert after.reserve0 * after.reserve1 >= reserve0 * reserve1
    assert after.reserve0 + after.reserve1 == reserve0 + reserve1 + amount - quote.amount_out


@given(reserves, reserves, st.integers(1, 2**112), st.booleans())
def test_exact_out_equals_the_contract(reserve0: int, reserve1: int, amount: int, zero_for_one: bool) -> None:
    pool = ConstantProduct(reserve0, reserve1, 3000)
    reserve_in, reserve_out = (reserve0, reserve1) if zero_for_one else (reserve1, reserve0)
    if (
        amount >= reserve_out
        or reserve_in + reference.amount_in(amount, reserve_in, reserve_out) > RESERVE_MAX
    ):
        with pytest.raises(InsufficientLiquidity):
            pool.quote(zero_for_one, amount, False)
        return
    quote = pool.quote(zero_for_one, amount, False)
    assert quote.amount_in == reference.amount_in(amount, reserve_in, reserve_out)
    assert quote.amount_out == amount
    assert pool.quote(zero_for_one, quote.amount_in, True).amount_out >= amount


@given(reserves, reserves, fees, st.integers(1, 2**100))
def test_other_fees_follow_the_same_formula(reserve0: int, reserve1: int, fee: int, amount: int) -> None:
    if reserve0 + amount > RESERVE_MAX:
        return
    expected = reference.amount_out(amount, reserve0, reserve1, 1_000_000 - fee, 1_000_000)
    assert ConstantProduct(reserve0, reserve1, fee).quote(True, amount, True).amount_out == expected


@given(reserves, reserves, fees)
def test_a_state_is_a_value(reserve0: int, reserve1: int, fee: int) -> None:
    pool = ConstantProduct(reserve0, reserve1, fee)
    assert (pool.reserve0, pool.reserve1, pool.fee_ppm) == (reserve0, reserve1, fee)
    assert pickle.loads(pickle.dumps(pool)) == pool
    assert pool.with_sync(reserve1, reserve0) == ConstantProduct(reserve1, reserve0, fee)
