"""Marginal prices as integer fractions of a bearable length."""

from math import gcd

LONGEST_BITS = 256


def compact(numerator: int, denominator: int) -> tuple[int, int]:
    """The same ratio in lowest terms; beyond 256 bits, to 256 significant bits.

    A path's exact price can have thousands of bits; what is cut off is below one part in 2^63.
    """
    common = gcd(numerator, denominator) or 1
    numerator, denominator = numerator // common, denominator // common
    surplus = max(numerator.bit_length(), denominator.bit_length()) - LONGEST_BITS
    if surplus <= 0 or min(numerator, denominator) >> surplus < 1 << 64:
        return numerator, denominator
    return numerator >> surplus, denominator >> surplus
