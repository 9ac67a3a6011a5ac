"""Slow reference of concentrated-liquidity swaps in plain integers: a bitmap of words, one word a step.

It shares nothing with the native code: the factors of the tick ladder are computed, ticks are found by bisection.
"""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal, localcontext

Q96 = 1 << 96
MIN_TICK, MAX_TICK = -887272, 887272
PARTS = 1_000_000


def _factors() -> list[int]:
    with localcontext() as context:
        context.prec = 120
        root = Decimal("1.0001").sqrt()
        return [int((Decimal(1 << 128) / root ** (1 << bit)).to_integral_value()) for bit in range(20)]


_FACTORS = _factors()


def sqrt_price_at_tick(tick: int) -> int:
    """The square-root price at a tick, times 2^96, rounded up."""
    ratio = 1 << 128
    for bit, factor in enumerate(_FACTORS):
        if abs(tick) >> bit & 1:
            ratio = ratio * factor >> 128
    if tick > 0:
        ratio = ((1 << 256) - 1) // ratio
    return -(-ratio >> 32)


def tick_at_sqrt_price(price: int) -> int:
    """The greatest tick whose price is not above the one given."""
    low, high = MIN_TICK, MAX_TICK
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if sqrt_price_at_tick(middle) <= price else (low, middle)
    return low


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _amount0(a: int, b: int, liquidity: int, *, up: bool) -> int:
    low, high = sorted((a, b))
    scaled = (liquidity << 96) * (high - low)
    return _up(_up(scaled, high), low) if up else scaled // high // low


def _amount1(a: int, b: int, liquidity: int, *, up: bool) -> int:
    product = liquidity * abs(a - b)
    return _up(product, Q96) if up else product // Q96


def _after_input(price: int, liquidity: int, amount: int, *, zero_for_one: bool) -> int:
    if not zero_for_one:
        return price + (amount << 96) // liquidity
    if amount == 0:
        return price
    scaled, product = liquidity << 96, amount * price
    if product < 1 << 256 and scaled + product < 1 << 256:
        return _up(scaled * price, scaled + product)
    return _up(scaled, scaled // price + amount)


def _after_output(price: int, liquidity: int, amount: int, *, zero_for_one: bool) -> int:
    if zero_for_one:
        return price - _up(amount << 96, liquidity)
    scaled = liquidity << 96
    return _up(scaled * price, scaled - amount * price) if amount else price


@dataclass(slots=True)
class Swap:
    """What a swap took and gave, what it left, and where it ended."""

    amount_in: int
    amount_out: int
    remaining: int
    sqrt_price_x96: int
    tick: int
    liquidity: int
    ticks_crossed: int


class Pool:
    """A pool as the contract keeps it: net liquidity by tick, and a bitmap of words of 256 ticks."""

    def __init__(
        self,
        sqrt_price_x96: int,
        tick: int,
        liquidity: int,
        fee_ppm: int,
        spacing: int,
        ticks: list[tuple[int, int]],
    ) -> None:
        self.sqrt_price_x96, self.tick, self.liquidity = sqrt_price_x96, tick, liquidity
        self.fee_ppm, self.spacing, self.net = fee_ppm, spacing, dict(ticks)
        self.words: defaultdict[int, int] = defaultdict(int)
        for index, _ in ticks:
            self.words[index // spacing >> 8] |= 1 << (index // spacing & 255)

    def _next(self, tick: int, *, zero_for_one: bool) -> tuple[int, bool]:
        compressed = tick // self.spacing
        if zero_for_one:
            word, bit = compressed >> 8, compressed & 255
            masked = self.words[word] & ((2 << bit) - 1)
            step = bit - (masked.bit_length() - 1) if masked else bit
            return (compressed - step) * self.spacing, bool(masked)
        compressed += 1
        word, bit = compressed >> 8, compressed & 255
        masked = self.words[word] >> bit
        step = (masked & -masked).bit_length() - 1 if masked else 255 - bit
        return (compressed + step) * self.spacing, bool(masked)

    def swap(self, amount: int, *, zero_for_one: bool, exact_in: bool, limit: int | None = None) -> Swap:
        """Runs the contract's loop up to the limit, by default the last price of the direction."""
        if limit is None:
            limit = sqrt_price_at_tick(MIN_TICK) + 1 if zero_for_one else sqrt_price_at_tick(MAX_TICK) - 1
        price, tick, liquidity = self.sqrt_price_x96, self.tick, self.liquidity
        remaining, other, crossed = amount, 0, 0
        while remaining and price != limit:
            start = price
            index, initialized = self._next(tick, zero_for_one=zero_for_one)
            index = min(max(index, MIN_TICK), MAX_TICK)
            next_price = sqrt_price_at_tick(index)
            target = max(next_price, limit) if zero_for_one else min(next_price, limit)
            price, taken, given, fee = self._step(price, target, liquidity, remaining, exact_in=exact_in)
            if exact_in:
                remaining, other = remaining - taken - fee, other + given
            else:
                remaining, other = remaining - given, other + taken + fee
            if price == next_price:
                if initialized:
                    liquidity += -self.net[index] if zero_for_one else self.net[index]
                    crossed += 1
                tick = index - 1 if zero_for_one else index
            elif price != start:
                tick = tick_at_sqrt_price(price)
        moved = amount - remaining
        amount_in, amount_out = (moved, other) if exact_in else (other, moved)
        return Swap(amount_in, amount_out, remaining, price, tick, liquidity, crossed)

    def _step(
        self, price: int, target: int, liquidity: int, remaining: int, *, exact_in: bool
    ) -> tuple[int, int, int, int]:
        zero_for_one = price >= target
        into, out = (_amount0, _amount1) if zero_for_one else (_amount1, _amount0)
        if exact_in:
            after_fee = remaining * (PARTS - self.fee_ppm) // PARTS
            reaches = after_fee >= into(target, price, liquidity, up=True)
            after = (
                _after_input(price, liquidity, after_fee, zero_for_one=zero_for_one)
                if not reaches
                else target
            )
        else:
            reaches = remaining >= out(target, price, liquidity, up=False)
            after = (
                _after_output(price, liquidity, remaining, zero_for_one=zero_for_one)
                if not reaches
                else target
            )
        taken = into(after, price, liquidity, up=True)
        given = out(after, price, liquidity, up=False)
        if not exact_in:
            given = min(given, remaining)
        if exact_in and after != target:
            return after, taken, given, remaining - taken
        return after, taken, given, _up(taken * self.fee_ppm, PARTS - self.fee_ppm)
