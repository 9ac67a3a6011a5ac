"""Facts on their way to JSON and back: nothing is lost, other releases' fields are borne with, times have one form."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.types import Amount

from sep_core.events.codec import encode
from sep_core.events.values import utc_text, value_codec


class Colour(StrEnum):
    """A kind of thing."""

    RED = "red"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value inside another; its field names are those that the codec itself uses."""

    value: str
    body: Amount
    cls: bytes = b""


@dataclass(frozen=True, slots=True)
class Tree:
    """One of each kind of field."""

    amount: Amount
    count: int
    ratio: Decimal
    colour: Colour
    at: datetime
    leaves: tuple[Leaf, ...]
    names: tuple[str, ...] = ()
    pair: tuple[str, Amount] | None = None
    parent: UUID | None = None


EARLIEST = datetime(1000, 1, 1)  # noqa: DTZ001  # hypothesis adds the zone
ENCODE_TREE, DECODE_TREE = value_codec(Tree)
_, DECODE_LEAF = value_codec(Leaf)
_, DECODE_MOMENT = value_codec(datetime)
LEAVES = st.builds(Leaf, st.text(), st.integers().map(Amount), st.binary())
TREES = st.builds(
    Tree,
    st.integers().map(Amount),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.decimals(allow_nan=False, allow_infinity=False, places=9),
    st.just(Colour.RED),
    st.datetimes(EARLIEST, timezones=st.just(UTC)),
    st.lists(LEAVES, max_size=3).map(tuple),
    st.lists(st.text(), max_size=3).map(tuple),
    st.none() | st.tuples(st.text(), st.integers().map(Amount)),
    st.none() | st.uuids(),
)


@given(TREES)
def test_a_fact_comes_back_as_it_went(tree: Tree) -> None:
    """Through JSON values of plain types alone."""
    encoded = ENCODE_TREE(tree)
    assert isinstance(encoded, dict)
    assert list(encoded) == list(Tree.__dataclass_fields__)
    assert all(_is_plain(one) for one in encoded.values())
    assert DECODE_TREE(encode(encoded)) == tree


def test_what_a_newer_release_added_is_passed_over_and_what_an_older_one_lacked_has_its_default() -> None:
    """Also inside other facts."""
    leaf = {"value": "v", "body": "7", "later": 1}
    assert DECODE_LEAF(encode(leaf)) == Leaf("v", Amount(7))
    assert DECODE_LEAF(encode({**leaf, "cls": "0x01"})) == Leaf("v", Amount(7), b"\x01")
    for wrong in ({"value": "v"}, {**leaf, "body": "7 wei"}, {**leaf, "cls": 1}, {**leaf, "value": 1}):
        with pytest.raises(ValueError):
            DECODE_LEAF(encode(wrong))


@given(
    st.datetimes(EARLIEST + timedelta(days=1), timezones=st.just(timezone(timedelta(hours=5, minutes=30))))
)
def test_moments_have_one_form(moment: datetime) -> None:
    """UTC, six digits of a second, `Z`: as `strftime` has it."""
    text = utc_text(moment)
    assert text == moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert DECODE_MOMENT(b'"%b"' % text.encode()) == moment


def test_an_integer_that_json_readers_would_round_is_refused() -> None:
    """Amounts are text and may be of any size."""
    tree = Tree(Amount(2**256), 2**53, Decimal(1), Colour.RED, datetime(2026, 1, 1, tzinfo=UTC), ())
    with pytest.raises(ValueError, match="safe JSON integer"):
        ENCODE_TREE(tree)


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return type(value) is list and all(_is_plain(one) for one in value)
    if isinstance(value, dict):
        return all(_is_plain(one) for one in value.values())
    return type(value) in (str, int, bool, type(None))
