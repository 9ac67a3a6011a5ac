"""Which intent goes first: the closer deadline, then the larger value, and none waits for ever."""

from datetime import datetime, timedelta

from sep_hooks.types import IntentId

from sep_core.intents.state import IntentState

_LONGEST_BITS = 48
_VALUE_STEPS = 512


def priority(deadline: datetime, now: datetime, value: int) -> int:
    """Urgency above value; larger goes first.

    Each halving of the remaining time is one step of urgency; within a step each doubling of the value (base
    units of a numéraire, 0 where unknown) counts.
    """
    remaining_ms = max(0, (deadline - now) // timedelta(milliseconds=1))
    urgency = max(0, _LONGEST_BITS - remaining_ms.bit_length())
    return urgency * _VALUE_STEPS + min(max(0, value).bit_length(), _VALUE_STEPS - 1)


type QueueKey = tuple[int, int, datetime, IntentId]


def queue_key(state: IntentState, now: datetime, starvation_bound: timedelta) -> QueueKey:
    """The place in the queue, smallest first: those that waited past the bound in order of arrival, then by
    priority. So at most the intents older than it stand before one that waited that long.
    """
    arrived = state.accepted_at if state.accepted_at is not None else state.received_at
    if now - arrived >= starvation_bound:
        return (0, 0, arrived, state.id)
    return (1, -state.priority, arrived, state.id)
