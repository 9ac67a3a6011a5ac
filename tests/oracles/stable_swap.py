"""Slow reference of stable pools in plain integers, by the rules of Curve and of Balancer's composable pools.

It shares nothing with the native code but the rules themselves: no number is kept between calls, lists are plain,
and the least input of an output is searched from one end to the other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ONE = 10**18
CURVE_PARTS = 10**10


class Reverted(Exception):
    """The contract would not have answered."""


def _settled(values: Iterator[int]) -> int:
    """The first value that is within 1 of the one before it."""
    before = next(values)
    for value in values:
        if abs(value - before) <= 1:
            return value
        before = value
    raise Reverted("no convergence")


def invariant(scaled: Sequence[int], amplification: int, precision: int) -> int:
    """The invariant D of balances that are scaled to 18 decimals."""
    count, total = len(scaled), amplification * len(scaled)

    def rounds() -> Iterator[int]:
        value = sum(scaled)
        yield value
        for _ in range(255):
            product = value
            for balance in scaled:
                product = product * value // (balance * count)
            up = (total * sum(scaled) // precision + product * count) * value
            down = (total - precision) * value // precision + (count + 1) * product
            value = up // down
            yield value

    return _settled(rounds())


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


@dataclass
class CurvePool:
    """A plain pool: `rates` are 10^(36 - decimals), fees parts of 10^10, amplification times 100."""

    balances: list[int]
    rates: list[int]
    amplification: int
    fee: int
    admin_fee: int = 0

    def _dy(self, i: int, j: int, dx: int) -> tuple[int, int]:
        scaled = [balance * rate // ONE for balance, rate in zip(self.balances, self.rates, strict=True)]
        d = invariant(scaled, self.amplification, 100)
        count, total = len(scaled), self.amplification * len(scaled)
        others = [value + dx * self.rates[i] // ONE if at == i else value for at, value in enumerate(scaled)]
        del others[j]
        c = d
        for value in others:
            c = c * d // (value * count)
        c = c * d * 100 // (total * count)
        b = sum(others) + d * 100 // total

        def rounds() -> Iterator[int]:
            y = d
            yield y
            for _ in range(255):
                y = (y * y + c) // (2 * y + b - d)
                yield y

        gross = scaled[j] - _settled(rounds()) - 1
        if gross < 0:
            raise Reverted("the output is below nothing")
        fee = gross * self.fee // CURVE_PARTS
        return gross, fee

    def amount_out(self, i: int, j: int, dx: int) -> int:
        """What `exchange` pays for exactly `dx`."""
        gross, fee = self._dy(i, j, dx)
        return (gross - fee) * ONE // self.rates[j]

    def amount_in(self, i: int, j: int, wanted: int) -> int:
        """The input that buys `wanted` where one unit less does not."""
        low, high = 0, 1
        while not self.buys(i, j, high, wanted):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.buys(i, j, middle, wanted) else (middle, high)
        return high

    def exchange(self, i: int, j: int, dx: int) -> int:
        """Swaps, moving the balances as the contract does."""
        gross, fee = self._dy(i, j, dx)
        dy = (gross - fee) * ONE // self.rates[j]
        self.balances[i] += dx
        self.balances[j] -= dy + fee * self.admin_fee // CURVE_PARTS * ONE // self.rates[j]
        return dy

    def buys(self, i: int, j: int, dx: int, wanted: int) -> bool:
        """Whether `dx` pays for at least `wanted`."""
        try:
            return self.amount_out(i, j, dx) >= wanted
        except Reverted:
            return False


@dataclass
class BalancerPool:
    """A composable stable pool without its own share token; scaling factors and fee have 18 decimals."""

    balances: list[int]
    scaling: list[int]
    amplification: int
    fee: int

    def amount_out(self, i: int, j: int, amount: int) -> int:
        """What the pool gives for exactly `amount`."""
        scaled = self._scaled()
        d = invariant(scaled, self.amplification, 1000)
        after_fee = amount - _up(amount * self.fee, ONE)
        moved = list(scaled)
        moved[i] += after_fee * self.scaling[i] // ONE
        gained = scaled[j] - self._balance(moved, j, d) - 1
        if gained < 0:
            raise Reverted("the output is below nothing")
        return gained * ONE // self.scaling[j]

    def amount_in(self, i: int, j: int, amount: int) -> int:
        """What the pool asks for exactly `amount`."""
        scaled = self._scaled()
        d = invariant(scaled, self.amplification, 1000)
        moved = list(scaled)
        moved[j] -= amount * self.scaling[j] // ONE
        if moved[j] <= 0:
            raise Reverted("more than the pool holds")
        given = self._balance(moved, i, d) - scaled[i] + 1
        return _up(_up(given * ONE, self.scaling[i]) * ONE, ONE - self.fee)

    def _scaled(self) -> list[int]:
        return [balance * factor // ONE for balance, factor in zip(self.balances, self.scaling, strict=True)]

    def _balance(self, balances: list[int], at: int, d: int) -> int:
        count, total = len(balances), self.amplification * len(balances)
        product = balances[0] * count
        for balance in balances[1:]:
            product = product * balance * count // d
        c = _up(d * d, total * product) * 1000 * balances[at]
        b = sum(balances) - balances[at] + d // total * 1000

        def rounds() -> Iterator[int]:
            value = _up(d * d + c, d + b)
            yield value
            for _ in range(255):
                value = _up(value * value + c, 2 * value + b - d)
                yield value

        return _settled(rounds())
