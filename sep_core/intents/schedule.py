"""When how much of an amount goes its way. Pure: what is random comes from a seed that anyone can draw from again."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from sep_hooks.types import Amount, Constraints, Ratio

from sep_core.events.facts import Slice

MOST_SLICES = 256
LEAST_INTERVAL_MS = 1_000
MOST_JITTER = Fraction(9, 10)
_USUAL_INTERVAL_MS = 60_000
_MOST_USUAL = 60
_DRAWN_BITS = 64


def twap_count(constraints: Constraints) -> int:
    """How many equal slices a TWAP has: as many as it names, else about one a minute."""
    slicing = constraints.slicing
    if slicing is not None and slicing.slices is not None:
        return slicing.slices
    return max(2, min(_MOST_USUAL, constraints.time_window_ms // _USUAL_INTERVAL_MS))


def apportion(total: int, weights: Sequence[Fraction]) -> tuple[int, ...]:
    """Integers in the ratio of the weights that add up to the total exactly; the largest remainders are rounded up."""
    whole = sum(weights, Fraction(0))
    shares = [total * weight / whole for weight in weights]
    floors = [share.numerator // share.denominator for share in shares]
    missing = total - sum(floors)
    by_remainder = sorted(range(len(shares)), key=lambda place: (floors[place] - shares[place], place))
    for place in by_remainder[:missing]:
        floors[place] += 1
    return tuple(floors)


def spread(
    total: int,
    weights: Sequence[Fraction],
    start: datetime,
    end: datetime,
    *,
    seed: str = "",
    size_jitter: Ratio | Fraction = Fraction(0),
    time_jitter: Ratio | Fraction = Fraction(0),
    first_ordinal: int = 0,
) -> tuple[Slice, ...]:
    """One slice at the beginning of each of as many equal parts of the window as there are weights.

    Sizes differ from their shares by at most `size_jitter` of them (and less than a unit of rounding), times come
    later by at most `time_jitter` of their part; what comes to nothing is left out.
    """
    sizes = apportion(total, _varied(weights, Fraction(size_jitter), seed))
    moments = _moments(len(weights), start, end, Fraction(time_jitter), seed)
    kept = [(at, size) for at, size in zip(moments, sizes, strict=True) if size > 0]
    return tuple(
        Slice(ordinal, at, Amount(size)) for ordinal, (at, size) in enumerate(kept, start=first_ordinal)
    )


def first_and_rest(
    total: int, count: int, start: datetime, end: datetime, first_ordinal: int
) -> tuple[Slice, ...]:
    """The first of as many equal slices, and all others as one at the time of the second: it will be cut anew.

    There are fewer where they would follow on each other faster than slices may.
    """
    most = (end - start) // timedelta(milliseconds=LEAST_INTERVAL_MS)
    parts = max(1, min(count, total, most))
    first = -(-total // parts)
    said = Slice(first_ordinal, start, Amount(first))
    if first == total:
        return (said,)
    return said, Slice(first_ordinal + 1, start + (end - start) / parts, Amount(total - first))


def retimed(pending: Sequence[Slice], now: datetime, end: datetime) -> tuple[Slice, ...]:
    """The same slices over what is left of the window, the first of them now."""
    moments = _moments(len(pending), now, end, Fraction(0), "")
    return tuple(Slice(one.ordinal, at, one.amount) for one, at in zip(pending, moments, strict=True))


def halfway(last: datetime, end: datetime) -> datetime:
    """When something is tried again: between the last thing that is due and the end."""
    return last + (end - last) / 2


def _varied(weights: Sequence[Fraction], jitter: Fraction, seed: str) -> Sequence[Fraction]:
    """The weights, each off by at most `jitter` of itself, their sum unchanged."""
    if not jitter:
        return weights
    whole = sum(weights, Fraction(0))
    drawn = [2 * _draw(seed, "size", place) - 1 for place in range(len(weights))]
    mean = sum((one * weight for one, weight in zip(drawn, weights, strict=True)), Fraction(0)) / whole
    centred = [one - mean for one in drawn]
    # Centred on their mean, the sum stays; shrunk to the bound, none goes beyond what was allowed.
    widest = max(Fraction(1), *(abs(one) for one in centred))
    return [weight * (1 + jitter * one / widest) for weight, one in zip(weights, centred, strict=True)]


def _moments(count: int, start: datetime, end: datetime, jitter: Fraction, seed: str) -> tuple[datetime, ...]:
    span = (end - start) // timedelta(microseconds=1)
    part = Fraction(span, max(1, count))
    offsets = [
        part * (place + (jitter * _draw(seed, "time", place) if jitter else 0)) for place in range(count)
    ]
    return tuple(start + timedelta(microseconds=one.numerator // one.denominator) for one in offsets)


def _draw(seed: str, what: str, place: int) -> Fraction:
    """A number from 0 up to but not including 1, the same for ever."""
    digest = hashlib.sha256(f"{seed}|{what}|{place}".encode()).digest()
    return Fraction(int.from_bytes(digest[: _DRAWN_BITS // 8]), 2**_DRAWN_BITS)
