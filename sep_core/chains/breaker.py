"""Stops asking an endpoint that keeps failing."""

FAILURES_TO_OPEN = 3
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 8.0


class Breaker:
    """Opens after three failures in a row; the pause doubles with each failure that follows, to a limit.

    Times are seconds of any monotonic clock, handed in.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._closed_at = 0.0

    def allows(self, now: float) -> bool:
        """Whether a call may go out."""
        return now >= self._closed_at

    def succeeded(self) -> None:
        """An answer came."""
        self._failures = 0
        self._closed_at = 0.0

    def failed(self, now: float) -> None:
        """No answer came."""
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN:
            doublings = min(self._failures - FAILURES_TO_OPEN, 10)
            self._closed_at = now + min(FIRST_PAUSE_SECONDS * 2**doublings, LONGEST_PAUSE_SECONDS)

    def pause(self, now: float, seconds: float) -> None:
        """The endpoint itself asked for a pause; an absurd one is cut."""
        self._closed_at = max(self._closed_at, now + min(seconds, 60.0))
