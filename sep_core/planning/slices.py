"""Into how many slices an ADAPTIVE intent wants to be cut."""

from sep_core.intents.slicing import slice_count, slices_reason


def depth(amount_in: int, amount_out: int, marginal_after_fees: tuple[int, int], *, exact_in: bool) -> int:
    """What moves the price by itself, in base units of the exact side.

    In a constant-product pool of reserve R, trading X costs X^2/R beyond the price at size zero after fees. So the
    depth that an exact quote shows is L = X^2 / impact, the impact being what the quote lost against that price.
    """
    numerator, denominator = marginal_after_fees
    if exact_in:
        size = amount_in
        impact = (size * numerator - amount_out * denominator) // numerator
    else:
        size = amount_out
        impact = (amount_in * numerator - size * denominator) // denominator
    return max(1, size * size // max(1, impact))


def slices(size: int, depth_of_path: int, gas_in_asset: int | None) -> tuple[int, str]:
    """The number and how it came about. Without a price for gas the intent is not cut: nothing can be weighed."""
    if gas_in_asset is None:
        return 1, "whole: gas has no price in the asset, so its cost cannot be weighed against impact"
    return slice_count(size, depth_of_path, gas_in_asset), slices_reason(size, depth_of_path, gas_in_asset)
