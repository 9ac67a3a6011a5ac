"""The number of slices against its definition in exact rationals."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep_core.intents import slice_count, slices_reason

sizes = st.integers(1, 10**40)


@given(sizes, sizes, st.integers(1, 10**30))
def test_nearest_integer_of_x_over_root_of_depth_times_gas(size: int, depth: int, gas: int) -> None:
    count = slice_count(size, depth, gas)
    # n is nearest: (2n - 1)^2 Lg <= 4X^2 < (2n + 1)^2 Lg, or n is the least, 1.
    assert count == 1 or (2 * count - 1) ** 2 * depth * gas <= 4 * size * size
    assert 4 * size * size < (2 * count + 1) ** 2 * depth * gas


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(1, 10**9))
def test_equals_decimal_arithmetic(size: int, depth: int, gas: int) -> None:
    with localcontext() as context:
        context.prec = 60
        star = Decimal(size) / (Decimal(depth) * gas).sqrt()
        assert slice_count(size, depth, gas) == max(1, int(star + Decimal("0.5")))


@given(sizes, sizes, st.integers(0, 10**30))
def test_larger_sizes_want_no_fewer_slices(size: int, depth: int, gas: int) -> None:
    assert slice_count(size, depth, gas) <= slice_count(size * 2, depth, gas)
    assert slice_count(size, depth, gas) >= slice_count(size, depth * 2, gas)


def test_small_orders_go_whole_and_say_why() -> None:
    assert slice_count(10**17, 10**21, 10**14) == 1
    assert slices_reason(10**17, 10**21, 10**14).startswith("whole")
    assert slice_count(10**20, 10**22, 10**14) == 100_000 // 1_000
    assert "100 slices" in slices_reason(10**20, 10**22, 10**14)


@pytest.mark.parametrize("bad", [(0, 1, 1), (1, 0, 1), (1, 1, -1)])
def test_senseless_numbers_are_refused(bad: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no number of slices"):
        slice_count(*bad)
