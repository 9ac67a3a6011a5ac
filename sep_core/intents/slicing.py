"""How many slices an ADAPTIVE intent wants: where one more slice costs as much gas as it saves in impact."""

from math import isqrt


def slice_count(size: int, depth: int, gas_in_asset: int) -> int:
    """`max(1, round(X / sqrt(L * g)))` in exact integers, halves up.

    Size X, depth L (what moves the price by itself) and gas per slice g are base units of one asset; gas below
    one unit counts as one. Raises `ValueError` for a size or depth below one.
    """
    if size < 1 or depth < 1 or gas_in_asset < 0:
        raise ValueError(f"size {size}, depth {depth} and gas {gas_in_asset} admit no number of slices")
    # n <= X/sqrt(Lg) + 1/2  <=>  (2n - 1)^2 <= 4X^2 / (Lg), and the left side is an integer.
    return max(1, (isqrt(4 * size * size // (depth * max(1, gas_in_asset))) + 1) // 2)


def slices_reason(size: int, depth: int, gas_in_asset: int) -> str:
    """Why the intent is executed in that many slices, for people."""
    count = slice_count(size, depth, gas_in_asset)
    numbers = f"size {size}, depth {depth}, gas per slice {gas_in_asset}, in units of one asset"
    if count == 1:
        return f"whole: one slice costs least, as X/sqrt(L*g) rounds to at most 1 ({numbers})"
    return f"{count} slices cost least: X/sqrt(L*g) rounds to {count} ({numbers})"
