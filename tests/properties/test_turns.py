"""Whose turn it is comes out as if each of those that wait had been looked at."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sep_hooks.types import (
    Amount,
    Asset,
    Constraints,
    ExecutionStyle,
    Intent,
    IntentAsset,
    IntentId,
    IntentType,
    Ratio,
    erc20,
)

from sep_core.intents import IntentState, queue_key
from sep_core.runtime.turns import Turns

START = datetime(2026, 1, 1, tzinfo=UTC)
BOUND = timedelta(seconds=30)
NUMBERS = st.integers(0, 300)
TOKEN = Asset(erc20(1, "0x" + "11" * 20), "T", 18)


def state_of(number: int) -> IntentState:
    """An intent; arrival and priority repeat among many."""
    intent = Intent(
        id=IntentId(UUID(int=number * 7919 % 1009)),
        client_id=UUID(int=number),
        strategy="one",
        account="main",
        type=IntentType.ACQUIRE,
        assets=(IntentAsset(TOKEN, Amount(1), None),),
        constraints=Constraints(Ratio(Decimal("0.1")), 1000, ExecutionStyle.IMMEDIATE, (), (), (), None),
        deadline=None,
    )
    arrived = START + timedelta(seconds=number % 90)
    accepted = arrived + timedelta(milliseconds=5) if number % 5 else None
    return IntentState(
        intent=intent, source="api", received_at=arrived, accepted_at=accepted, priority=number % 7
    )


class TurnsMachine(RuleBasedStateMachine):
    """Members come and go in any order while the clock runs."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns(BOUND)
        self.members: dict[IntentId, IntentState] = {}
        self.now = START

    @rule(number=NUMBERS)
    def add(self, number: int) -> None:
        """One that may be in already."""
        state = state_of(number)
        self.members[state.id] = state
        self.turns.add(state)

    @rule(numbers=st.lists(NUMBERS, max_size=200))
    def add_many(self, numbers: list[int]) -> None:
        """A burst."""
        for number in numbers:
            self.add(number)

    @rule(number=NUMBERS)
    def discard(self, number: int) -> None:
        """One that may not be in."""
        intent_id = state_of(number).id
        self.members.pop(intent_id, None)
        self.turns.discard(intent_id)

    @rule(times=st.integers(1, 200))
    def take(self, times: int) -> None:
        """Those whose turn it is."""
        for _ in range(min(times, len(self.members))):
            first = self.turns.first(self.now)
            assert first is not None
            assert first == self.expected()
            self.turns.discard(first)
            del self.members[first]

    @rule(seconds=st.integers(0, 40))
    def wait(self, seconds: int) -> None:
        """Some have waited past the bound now."""
        self.now += timedelta(seconds=seconds)

    @invariant()
    def the_first_is_the_smallest(self) -> None:
        """By the key that says what the order is."""
        assert len(self.turns) == len(self.members)
        assert self.turns.first(self.now) == self.expected()

    def expected(self) -> IntentId | None:
        """The smallest of all."""
        found = min(self.members.values(), key=lambda one: queue_key(one, self.now, BOUND), default=None)
        return None if found is None else found.id


TestTurns = TurnsMachine.TestCase
