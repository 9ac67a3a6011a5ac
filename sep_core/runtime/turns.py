"""Whose turn it is among many that wait, without a look at each of them."""

from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush

from sep_hooks.types import IntentId

from sep_core.intents import IntentState

type _ByArrival = tuple[datetime, IntentId]
type _ByPriority = tuple[int, datetime, IntentId]

_MOST_GONE = 64


class Turns:
    """A set of intents and the first of them by `queue_key`; arrival and priority of a member never change.

    Those that went stay in the heaps until they surface or outnumber the others.
    """

    def __init__(self, starvation_bound: timedelta) -> None:
        self._bound = starvation_bound
        self._members: dict[IntentId, tuple[_ByArrival, _ByPriority]] = {}
        self._by_arrival: list[_ByArrival] = []
        self._by_priority: list[_ByPriority] = []

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, intent_id: IntentId) -> bool:
        return intent_id in self._members

    def add(self, state: IntentState) -> None:
        """Lets an intent wait for its turn."""
        if state.id in self._members:
            return
        arrived = state.accepted_at if state.accepted_at is not None else state.received_at
        keys = (arrived, state.id), (-state.priority, arrived, state.id)
        self._members[state.id] = keys
        if len(self._by_arrival) > 2 * len(self._members) + _MOST_GONE:
            self._forget_gone()
        else:
            heappush(self._by_arrival, keys[0])
            heappush(self._by_priority, keys[1])

    def discard(self, intent_id: IntentId) -> None:
        """Takes an intent out, if it is in."""
        self._members.pop(intent_id, None)

    def first(self, now: datetime) -> IntentId | None:
        """The one whose turn it is; it stays in."""
        if not self._members:
            return None
        while self._by_arrival[0][1] not in self._members:
            heappop(self._by_arrival)
        arrived, oldest = self._by_arrival[0]
        if now - arrived >= self._bound:
            return oldest
        while self._by_priority[0][2] not in self._members:
            heappop(self._by_priority)
        return self._by_priority[0][2]

    def _forget_gone(self) -> None:
        self._by_arrival = [keys[0] for keys in self._members.values()]
        self._by_priority = [keys[1] for keys in self._members.values()]
        heapify(self._by_arrival)
        heapify(self._by_priority)
