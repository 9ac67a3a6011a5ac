"""A digest of state depends on what there is, and on nothing else."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep_core.runtime.state_digest import canonical, state_digest
from sep_core.runtime.world import World

ATOMS = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.uuids() | st.datetimes()
STATES = st.recursive(
    ATOMS.map(lambda atom: atom.replace(tzinfo=UTC) if isinstance(atom, datetime) else atom),
    lambda inner: st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner) | st.frozensets(st.text()),
)


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Pair:
    one: object
    other: object


@given(STATES, STATES)
def test_different_states_have_different_texts(one: object, other: object) -> None:
    if repr(one) == repr(other):
        assert canonical(one) == canonical(other)
    if canonical(one) == canonical(other):
        assert one == other


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_filling_does_not_matter(state: dict[str, int]) -> None:
    assert canonical(dict(reversed(state.items()))) == canonical(state)


def test_each_kind_of_value_says_what_it_is() -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert canonical(moment) == canonical(moment.astimezone(timezone(timedelta(hours=2))))
    said = [canonical(one) for one in (1, "1", b"1", Decimal(1), True, None, UUID(int=1), Colour.RED, "RED")]
    assert len(set(said)) == len(said)
    assert canonical(Pair(1, "2")) == 'Pair(one=1,other="2")'
    assert canonical(Pair(1, 2)) != canonical(Pair(2, 1))


def test_what_is_no_state_is_refused() -> None:
    with pytest.raises(TypeError, match="float"):
        canonical(1.5)
    with pytest.raises(TypeError, match="object"):
        canonical({"a": [object()]})


def test_a_world_without_events_has_a_digest() -> None:
    world, other = World(), World()
    assert state_digest(world) == state_digest(other)
    other.position = 1
    assert state_digest(world) != state_digest(other)
