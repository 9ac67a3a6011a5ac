"""What a follower of a log can check by itself, as it goes: dense positions, one log, and the chain of every stream."""

from typing import Final
from uuid import UUID

from sep_hooks.store import LogBroken, Recorded

from sep_core.events.native import leaf_hash
from sep_core.events.subscription import follow_on

_NEXT: Final = "compare with `sep verify` beside the log; do not act on what came after"


class Witness:
    """Follows a log that somebody else hands over. A stream that it meets late is chained from there on."""

    def __init__(self, store_id: UUID, *, after: int = 0) -> None:
        self.store_id = store_id
        self.pos = after
        self._begun = after
        self._last: dict[str, str] = {}

    def see(self, event: Recorded) -> None:
        """The next event. Raises `LogBroken` where it cannot be the one that follows."""
        follow_on(self.pos, event)
        if event.store_id != self.store_id:
            raise LogBroken(
                f"position {event.pos} is of log {event.store_id}", pos=event.pos, next_step=_NEXT
            )
        known, before = self._last.get(event.stream), event.previous
        is_first = known is None and (event.version == 1 or self._begun == 0)
        if (known is not None or is_first) and before != known:
            raise LogBroken(
                f"position {event.pos} does not follow on the last event of {event.stream!r} that was seen",
                pos=event.pos,
                next_step=_NEXT,
            )
        self._last[event.stream] = "0x" + leaf_hash(event.record).hex()
        self.pos = event.pos
