"""Slow reference of Balancer's weighted pools in plain integers.

The ladder of exponentials is computed, not listed: each is e to a power of two, kept to 21 significant digits.
Signed numbers are Python's own, with a division that truncates towards zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

ONE, ONE_20, ONE_36 = 10**18, 10**20, 10**36


class Reverted(Exception):
    """The contract would not have answered."""


def _ladder() -> list[tuple[int, int]]:
    """(power with 18 or 20 decimals, e to it): the first two without decimals, the others with 20."""
    terms = []
    for step in range(12):
        with localcontext() as context:
            context.prec = 120
            exponent = Decimal(128) / 2**step
            value = exponent.exp()
        with localcontext() as context:
            context.prec = 21
            context.rounding = ROUND_HALF_EVEN
            rounded = +value
        decimals = (18, 0) if step < 2 else (20, 20)
        terms.append((int(exponent * 10 ** decimals[0]), int(rounded * 10 ** decimals[1])))
    return terms


_LADDER = _ladder()


def _div(numerator: int, denominator: int) -> int:
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def _series(z: int, one: int, terms: int) -> int:
    square = _div(z * z, one)
    total = number = z
    for odd in range(3, 2 * terms, 2):
        number = _div(number * square, one)
        total += _div(number, odd)
    return 2 * total


def ln(x: int) -> int:
    """Natural logarithm, 18 decimals."""
    if x < ONE:
        return -ln(ONE_36 // x)
    total = 0
    for power, value in _LADDER[:2]:
        if x >= value * ONE:
            x //= value
            total += power
    total, x = total * 100, x * 100
    for power, value in _LADDER[2:]:
        if x >= value:
            x = x * ONE_20 // value
            total += power
    return (total + _series((x - ONE_20) * ONE_20 // (x + ONE_20), ONE_20, 6)) // 100


def exp(x: int) -> int:
    """e to the power of x, 18 decimals."""
    if x < 0:
        return ONE_36 // exp(-x)
    first = 1
    for power, value in _LADDER[:2]:
        if x >= power and first == 1:
            x, first = x - power, value
    x *= 100
    product = ONE_20
    for power, value in _LADDER[2:10]:
        if x >= power:
            x, product = x - power, product * value // ONE_20
    total, term = ONE_20 + x, x
    for number in range(2, 13):
        term = term * x // ONE_20 // number
        total += term
    return product * total // ONE_20 * first // 100


def power(x: int, y: int) -> int:
    """x to the power of y, 18 decimals."""
    if y == 0:
        return ONE
    if x == 0:
        return 0
    if ONE - 10**17 < x < ONE + 10**17:
        fine = _series(_div((x * ONE - ONE_36) * ONE_36, x * ONE + ONE_36), ONE_36, 8)
        whole = _div(fine, ONE)
        exponent = whole * y + _div((fine - whole * ONE) * y, ONE)
    else:
        exponent = ln(x) * y
    exponent = _div(exponent, ONE)
    if not -41 * ONE <= exponent <= 130 * ONE:
        raise Reverted("the exponent is out of bounds")
    return exp(exponent)


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def power_up(x: int, y: int) -> int:
    """As `power`, never below the true value."""
    if y == ONE:
        return x
    if y == 2 * ONE:
        return _up(x * x, ONE)
    if y == 4 * ONE:
        return power_up(power_up(x, 2 * ONE), 2 * ONE)
    raw = power(x, y)
    return raw + _up(raw * 10_000, ONE) + 1


@dataclass
class WeightedPool:
    """Scaling factors, weights and fee have 18 decimals."""

    balances: Sequence[int]
    scaling: Sequence[int]
    weights: Sequence[int]
    fee: int

    def amount_out(self, i: int, j: int, amount: int) -> int:
        """What the pool gives for exactly `amount`."""
        balance_in, balance_out = self._scaled(i), self._scaled(j)
        given = (amount - _up(amount * self.fee, ONE)) * self.scaling[i] // ONE
        if given > balance_in * 3 * 10**17 // ONE:
            raise Reverted("more than three tenths of the balance in")
        base = _up(balance_in * ONE, balance_in + given)
        kept = power_up(base, self.weights[i] * ONE // self.weights[j])
        return balance_out * max(ONE - kept, 0) // ONE * ONE // self.scaling[j]

    def amount_in(self, i: int, j: int, amount: int) -> int:
        """What the pool asks for exactly `amount`."""
        balance_in, balance_out = self._scaled(i), self._scaled(j)
        taken = amount * self.scaling[j] // ONE
        if taken > balance_out * 3 * 10**17 // ONE:
            raise Reverted("more than three tenths of the balance out")
        base = _up(balance_out * ONE, balance_out - taken)
        grown = power_up(base, _up(self.weights[j] * ONE, self.weights[i]))
        given = _up(balance_in * (grown - ONE), ONE)
        return _up(_up(given * ONE, self.scaling[i]) * ONE, ONE - self.fee)

    def _scaled(self, at: int) -> int:
        return self.balances[at] * self.scaling[at] // ONE
