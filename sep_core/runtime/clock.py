"""The machine's clock, the only place that reads it."""

from datetime import UTC, datetime


class SystemClock:
    """Wall time in UTC. Deadlines in calldata and staleness use the chain's time instead."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)
