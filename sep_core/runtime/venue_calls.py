"""How venues have answered lately."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Final

from sep_hooks.context import Clock

REMEMBERED: Final = 128
_LONGEST_REASON: Final = 300


@dataclass(slots=True)
class VenueCalls:
    """The last calls into one venue that had to wait for something outside."""

    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    answered: int = 0
    failed: int = 0
    last_answer: datetime | None = None
    last_failure: str = ""

    @property
    def median_microseconds(self) -> int | None:
        """Of the last answers; None before the first."""
        return round(median(self.seconds) * 1_000_000) if self.seconds else None

    @property
    def slowest_microseconds(self) -> int | None:
        """Of the last answers; None before the first."""
        return round(max(self.seconds) * 1_000_000) if self.seconds else None


class CallBook:
    """The calls of all venues. Times are seconds of any monotonic clock, handed in."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self.monotonic = monotonic
        self._calls: dict[str, VenueCalls] = {}

    def of(self, venue: str) -> VenueCalls:
        """The calls of one venue."""
        return self._calls.setdefault(venue, VenueCalls())

    def answered(self, venue: str, since: float) -> None:
        """An answer came to a call that began at `since`."""
        calls = self.of(venue)
        calls.seconds.append(self.monotonic() - since)
        calls.answered += 1
        calls.last_answer = self._clock.now()

    def failed(self, venue: str, call: str, reason: str) -> None:
        """A call gave no usable answer."""
        calls = self.of(venue)
        calls.failed += 1
        calls.last_failure = f"{call}: {' '.join(reason.split())}"[:_LONGEST_REASON]
