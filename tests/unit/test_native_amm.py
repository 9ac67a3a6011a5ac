"""Real pools and refusals of the native venue mathematics."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sep_hooks.errors import InsufficientLiquidity, NeedTicks
from sep_native.amm import (
    ConcentratedLiquidity,
    ConstantProduct,
    Quote,
    sqrt_price_at_tick,
    tick_at_sqrt_price,
)

from tests.oracles import uniswap_v2, uniswap_v3

SAMPLES = Path(os.environ.get("SEP_SAMPLE_DATA", Path(__file__).parents[3] / "shared" / "data"))
POOLS = SAMPLES / "pools" / "ethereum-mainnet-pools.json"
FEES = {"Lowest": 100, "Low": 500, "Medium": 3000, "High": 10_000}

needs_pools = pytest.mark.skipif(
    not POOLS.is_file(), reason=f"no sample data at {POOLS}; set SEP_SAMPLE_DATA"
)


def number(text: int | str) -> int:
    return int(text, 0) if isinstance(text, str) else text


def real_pools(protocol: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(POOLS.read_text())
    return [entry["state"]["state"] for entry in entries if entry["state"]["protocol"] == protocol]


@needs_pools
def test_real_v2_pools_quote_as_the_contract() -> None:
    states = real_pools("UniswapV2State")
    assert states
    for state in states:
        reserve0, reserve1 = number(state["reserve0"]), number(state["reserve1"])
        pool = ConstantProduct(reserve0, reserve1, 3000)
        for power in range(0, 30, 2):
            quote = pool.quote(True, 10**power, True)
            assert quote.amount_out == uniswap_v2.amount_out(10**power, reserve0, reserve1)


@needs_pools
def test_real_v3_pools_quote_as_the_reference() -> None:
    crossed = checked = 0
    for state in real_pools("UniswapV3State"):
        ticks = [(tick["index"], tick["net_liquidity"]) for tick in state["ticks"]["ticks"]]
        arguments = (
            number(state["sqrt_price"]),
            state["tick"],
            state["liquidity"],
            FEES[state["fee"]],
            state["ticks"]["tick_spacing"],
            ticks,
        )
        pool, expected = ConcentratedLiquidity(*arguments), uniswap_v3.Pool(*arguments)
        for tick in state["ticks"]["ticks"]:
            assert sqrt_price_at_tick(tick["index"]) == number(tick["sqrt_price"])
        for power in range(2, 24, 3):
            for zero_for_one in (True, False):
                for exact_in in (True, False):
                    swap = expected.swap(10**power, zero_for_one=zero_for_one, exact_in=exact_in)
                    if swap.remaining:
                        with pytest.raises(InsufficientLiquidity):
                            pool.quote(zero_for_one, 10**power, exact_in)
                        continue
                    quote, after = pool.after(zero_for_one, 10**power, exact_in)
                    assert (quote.amount_in, quote.amount_out) == (swap.amount_in, swap.amount_out)
                    assert (after.sqrt_price_x96, after.tick) == (swap.sqrt_price_x96, swap.tick)
                    assert after.liquidity == swap.liquidity
                    crossed, checked = crossed + quote.ticks_crossed, checked + 1
    assert checked > 100
    assert crossed > 100


def test_a_known_swap() -> None:
    """Worked by hand: 1 of 1e24 against 3e12, after 0.3 %."""
    assert ConstantProduct(10**24, 3 * 10**12, 3000).quote(True, 10**18, True) == Quote(10**18, 2_990_997)


@pytest.mark.parametrize("amount", [-1, 2**256, -(2**300)])
def test_numbers_outside_256_bits_are_named(amount: int) -> None:
    pool = ConstantProduct(10**24, 10**24, 3000)
    with pytest.raises(ValueError, match="amount is outside 0 to 2\\^256 - 1"):
        pool.quote(True, amount, True)


def test_states_that_cannot_be_are_refused() -> None:
    price = sqrt_price_at_tick(5)
    with pytest.raises(ValueError, match="2\\^112"):
        ConstantProduct(2**112, 1, 3000)
    with pytest.raises(ValueError, match="fee"):
        ConstantProduct(1, 1, 1_000_000)
    with pytest.raises(ValueError, match="tick is not that"):
        ConcentratedLiquidity(price, 6, 0, 3000, 60, [])
    with pytest.raises(ValueError, match="multiple"):
        ConcentratedLiquidity(price, 5, 0, 3000, 60, [(59, 1)])
    with pytest.raises(ValueError, match="twice"):
        ConcentratedLiquidity(price, 5, 0, 3000, 60, [(60, 1), (60, 1)])
    with pytest.raises(ValueError, match="outside the loaded"):
        ConcentratedLiquidity(price, 5, 0, 3000, 60, [(120, 1)], (-60, 60))
    with pytest.raises(ValueError, match="liquidity does not fit"):
        ConcentratedLiquidity(price, 5, 2**128, 3000, 60, [])
    with pytest.raises(ValueError, match="zero"):
        ConstantProduct(10, 10, 3000).quote(True, 0, True)
    with pytest.raises(ValueError, match="outside the pool's bounds"):
        tick_at_sqrt_price(1)
    with pytest.raises(TypeError):
        ConstantProduct(1.0, 1, 3000)  # type: ignore[arg-type]


def test_a_price_on_its_tick_may_report_the_tick_below() -> None:
    """A swap that stops exactly on a tick it crossed downwards leaves the pool in that state."""
    price = sqrt_price_at_tick(60)
    pool = ConcentratedLiquidity(price, 59, 10**18, 3000, 60, [(0, 10**18), (60, -(10**18))])
    assert pool.quote(True, 10**9, True).amount_out > 0
    with pytest.raises(InsufficientLiquidity):
        pool.quote(False, 10**9, True)


def test_the_loaded_range_ends_with_need_ticks_and_what_to_do() -> None:
    pool = ConcentratedLiquidity(2**96, 0, 10**20, 3000, 60, [(-60, 10**20), (60, -(10**20))], (-60, 60))
    assert pool.quote(True, 10**15, True).amount_out > 0
    with pytest.raises(NeedTicks, match="-60 -> load more ticks"):
        pool.quote(True, 10**19, True)


def test_a_burn_removes_a_tick_and_keeps_one_that_others_use() -> None:
    pool = (
        ConcentratedLiquidity.initialized(2**96, 3000, 60)
        .with_liquidity(-60, 60, 5)
        .with_liquidity(60, 120, 5)
    )
    assert pool.ticks == [(-60, 5), (60, 0), (120, -5)]
    assert pool.liquidity == 5
    pool = pool.with_liquidity(-60, 60, -5)
    assert pool.ticks == [(60, 5), (120, -5)]
    assert pool.liquidity == 0
    with pytest.raises(ValueError, match="holds none"):
        pool.with_liquidity(-60, 120, -5)
