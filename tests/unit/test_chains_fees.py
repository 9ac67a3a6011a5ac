"""Fees: EIP-1559 by its own examples and by a second derivation."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.types import Block

from sep_core.chains.fees import next_base_fee, suggestion
from sep_core.chains.header import Header

GWEI = 10**9


def header(base_fee: int, gas_used: int, gas_limit: int = 30_000_000) -> Header:
    return Header(Block(1, "0x1", "0x0", 1, base_fee, gas_limit), gas_used, None)


def test_full_empty_and_half_full_blocks() -> None:
    assert next_base_fee(header(GWEI, 15_000_000)) == GWEI
    assert next_base_fee(header(GWEI, 30_000_000)) == GWEI * 9 // 8
    assert next_base_fee(header(GWEI, 0)) == GWEI * 7 // 8
    assert next_base_fee(header(1, 15_000_001)) == 2
    assert next_base_fee(header(0, 30_000_000)) == 1


@given(st.integers(0, 10**13), st.integers(0, 60_000_000), st.integers(2, 60_000_000))
def test_the_change_is_bounded_by_an_eighth(base_fee: int, gas_used: int, gas_limit: int) -> None:
    gas_used = min(gas_used, gas_limit)
    after = next_base_fee(header(base_fee, gas_used, gas_limit))
    target = gas_limit // 2
    exact = base_fee * (1 + Fraction(gas_used - target, target * 8))
    assert abs(after - exact) <= 2
    assert after >= 0


def test_the_suggestion_joins_rule_and_node_and_keeps_the_floor() -> None:
    latest = header(GWEI, 0)
    history = {"baseFeePerGas": [hex(GWEI), hex(GWEI)], "reward": [["0x0", "0x0", "0x0"]] * 3}
    fees = suggestion(latest, history, 1_000_000)
    assert (fees.base_fee_low, fees.base_fee_high) == (GWEI * 7 // 8, GWEI)
    assert fees.max_priority_fee_per_gas == 1_000_000
    assert fees.max_fee_per_gas == 2 * GWEI + 1_000_000


def test_the_tip_is_the_median_of_what_others_paid() -> None:
    reward = [
        ["0x1", hex(GWEI), "0x9"],
        ["0x1", hex(3 * GWEI), "0x9"],
        ["0x0", "0x0", "0x0"],
        ["0x1", hex(5 * GWEI), "0x9"],
    ]
    fees = suggestion(header(GWEI, 15_000_000), {"baseFeePerGas": [hex(GWEI)], "reward": reward}, 1)
    assert fees.max_priority_fee_per_gas == 3 * GWEI
    assert fees.base_fee_low == fees.base_fee_high == GWEI


def test_a_tip_is_never_zero() -> None:
    assert suggestion(header(7, 0), {}, 0).max_priority_fee_per_gas == 1
