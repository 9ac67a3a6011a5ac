"""Canonical JSON against an independent implementation of RFC 8785."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.store import InvalidEvent, LogBroken, NewEvent
from sep_hooks.testing.records import recorded_as
from sep_hooks.types.json import Json

from sep_core.events.codec import (
    DEEPEST_NESTING,
    LARGEST_RECORD_BYTES,
    check,
    decode,
    decode_foreign,
    dump,
    encode,
)
from sep_core.events.envelope import (
    KEYS,
    draft,
    microseconds,
    page_of,
    recorded,
    time_of_text,
    time_text,
)
from sep_core.events.native import Draft, Ledger, NoteSigner, draft_plain, encode_plain

KEY = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LEAF = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
JSON = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEY, inner, max_size=4))
OBJECT = st.dictionaries(KEY, JSON, max_size=6)
WHOLE = recorded_as({}).record
MOMENT = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(JSON)
def test_the_encoding_is_that_of_rfc_8785(value: Json) -> None:
    data = encode(value)
    assert data == rfc8785.dumps(value)
    assert decode(data) == value
    assert decode_foreign(data) == value
    assert b"\n" not in data


def placed_at(drafted: Draft, pos: int, version: int, previous: bytes | None, moment: datetime) -> bytes:
    """The record of a draft, as the appender places it."""
    peaks = bytes(32) * (pos - 1).bit_count()
    time = microseconds(moment)
    ledger = Ledger(bytes(16), 1, pos - 1, peaks, b"", time, NoteSigner("sep/s", bytes(32)))
    record = ledger.place([("s", drafted, version, previous)], time).events[9]
    assert isinstance(record, bytes)
    return record


@given(
    body=OBJECT,
    meta=OBJECT,
    ids=st.tuples(st.uuids(), st.none() | st.uuids(), st.none() | st.uuids()),
    occurred=st.none() | MOMENT,
    moment=MOMENT,
    pos=st.integers(1, 2**53 - 1),
    version=st.integers(1, 2**53 - 1),
    previous=st.none() | st.binary(min_size=32, max_size=32),
    stream=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,40}", fullmatch=True),
    kind=st.from_regex(r"[A-Za-z][A-Za-z0-9_.]{0,20}", fullmatch=True),
)
def test_a_record_put_together_in_parts_is_the_canonical_one(
    body: dict[str, Json],
    meta: dict[str, Json],
    ids: tuple[UUID, UUID | None, UUID | None],
    occurred: datetime | None,
    moment: datetime,
    pos: int,
    version: int,
    previous: bytes | None,
    stream: str,
    kind: str,
) -> None:
    store = uuid4()
    event = NewEvent(ids[0], kind, 3, body, meta, occurred, ids[1], ids[2])
    drafted = draft(event, stream, str(store).encode(), 9)
    record = placed_at(drafted, pos, version, previous, moment)
    whole: Mapping[str, Any] = {
        "v": 1,
        "store": str(store),
        "epoch": 9,
        "pos": pos,
        "stream": stream,
        "ver": version,
        "id": str(ids[0]),
        "type": kind,
        "sv": 3,
        "rec": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "occ": None if occurred is None else occurred.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "corr": None if ids[1] is None else str(ids[1]),
        "cause": None if ids[2] is None else str(ids[2]),
        "prev": None if previous is None else "0x" + previous.hex(),
        "meta": meta,
        "body": body,
    }
    assert record == rfc8785.dumps(dict(whole))
    assert len(record) <= drafted.size_bytes
    found = recorded(record)
    assert tuple(found.envelope) == KEYS
    assert (found.pos, found.version, found.id, found.body, found.recorded_at) == (
        pos,
        version,
        ids[0],
        body,
        moment,
    )
    assert found.occurred_at == occurred


@pytest.mark.parametrize(
    "wrong", [b"", b"null", b"[]", b"{}", b"\xff", b'{"pos":1', WHOLE.replace(b'"pos":1', b'"pos":"1"')]
)
def test_what_is_no_record_is_no_event(wrong: bytes) -> None:
    """A record is read as far as who and where at once."""
    with pytest.raises(LogBroken, match="a record of the log is malformed"):
        recorded(wrong)


def test_a_broken_body_is_named_when_it_is_asked_for() -> None:
    """With the place that it has in the log."""
    event = recorded(WHOLE.replace(b"{}", b'{"note":"\xff"}', 1))
    assert event.pos == 1
    for part in ("body", "envelope"):
        with pytest.raises(LogBroken, match="position 1 is not JSON") as caught:
            getattr(event, part)
        assert caught.value.pos == 1


@pytest.mark.parametrize("part", [[], "x", None, 1])
def test_body_and_meta_are_objects(part: Any) -> None:
    for event in (NewEvent(uuid4(), "a", 1, part), NewEvent(uuid4(), "a", 1, {}, part)):
        with pytest.raises(InvalidEvent, match="JSON objects"):
            draft(event, "s", b"", 1)


@given(MOMENT)
def test_times_come_back(moment: datetime) -> None:
    assert time_of_text(time_text(microseconds(moment)).decode()) == microseconds(moment)


def test_years_before_1000_keep_four_digits() -> None:
    assert time_text(microseconds(datetime(900, 1, 1, tzinfo=UTC))) == b"0900-01-01T00:00:00.000000Z"


def nested(depth: int) -> Json:
    """Objects inside objects."""
    value: Json = {}
    for _ in range(depth - 1):
        value = {"d": value}
    return value


def test_nesting_is_bounded() -> None:
    assert decode_foreign(encode(nested(DEEPEST_NESTING))) == nested(DEEPEST_NESTING)
    with pytest.raises(InvalidEvent, match="nested deeper"):
        encode(nested(DEEPEST_NESTING + 1))
    with pytest.raises(InvalidEvent, match="nested deeper"):
        encode(nested(DEEPEST_NESTING), outer_depth=1)
    with pytest.raises(InvalidEvent, match="nested deeper"):
        decode_foreign("[" * 100_000 + "]" * 100_000)


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        [float("nan")],
        {"x": 1e300},
        2**53,
        -(2**53),
        {"Upper": 1},
        {"1": 1},
        {"": 1},
        {"a-b": 1},
        {"a\n": 1},
        {1: 1},
        {"x": "\ud800"},
        "\udfff",
        {"x": {1, 2}},
        {"x": b"y"},
        {"x": datetime(2030, 1, 1, tzinfo=UTC)},
        {"x": UUID(int=1)},
    ],
)
def test_what_encoders_disagree_about_is_refused(value: Any) -> None:
    with pytest.raises(InvalidEvent):
        encode(value)


ANYTHING = st.recursive(
    LEAF | st.integers() | st.floats() | st.binary(max_size=3) | st.uuids() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEY | TEXT, inner, max_size=4)
        | st.dictionaries(KEY, inner, max_size=4).map(MappingProxyType)
    ),
)


@given(ANYTHING, st.integers(0, DEEPEST_NESTING))
def test_native_encoding_admits_and_writes_what_python_does(value: Any, outer_depth: int) -> None:
    native = encode_plain(value, outer_depth)
    try:
        check(value, outer_depth)
        expected = dump(value)
    except InvalidEvent:
        assert native is None
    else:
        assert native in (expected, None)
        # At the limit itself native code leaves the judgement to Python.
        assert native is not None or "mappingproxy" in repr(value) or outer_depth == DEEPEST_NESTING


@given(
    OBJECT, OBJECT, st.none() | st.uuids(), st.sampled_from(["s", "", "a b", "x" * 255, "x" * 256, "\u00e9"])
)
def test_a_plain_event_becomes_the_draft_that_any_other_becomes(
    body: dict[str, Json], meta: dict[str, Json], correlation: UUID | None, stream: str
) -> None:
    event = NewEvent(UUID(int=7), "a.b", 2, body, meta, None, correlation)
    other = NewEvent(UUID(int=7), "a.b", 2, MappingProxyType(body), meta, None, correlation)
    assert draft_plain(other, stream, b"id", 4, None) is None
    plain = draft_plain(event, stream, b"id", 4, None)
    try:
        slow = draft(other, stream, b"id", 4)
    except InvalidEvent:
        assert plain is None
        return
    assert plain is not None
    for name in ("id", "type", "schema_version", "correlation", "cause", "head", "tail", "size_bytes"):
        assert getattr(plain, name) == getattr(slow, name)


@pytest.mark.parametrize("kind", ["", "1", "a b", "a" * 129, "a\n", None, 3])
@pytest.mark.parametrize("version", [0, -1, 2**53, 2**70, True, None, 1.0])
def test_malformed_types_and_versions_are_refused(kind: Any, version: Any) -> None:
    for event in (NewEvent(uuid4(), kind, 1, {}), NewEvent(uuid4(), "a", version, {})):
        assert draft_plain(event, "s", b"", 1, None) is None
        with pytest.raises(InvalidEvent):
            draft(event, "s", b"", 1)


def test_a_record_is_never_larger_than_what_a_log_takes() -> None:
    largest = LARGEST_RECORD_BYTES - draft(NewEvent(uuid4(), "a", 1, {"x": ""}), "s", b"", 1).size_bytes
    assert (
        draft(NewEvent(uuid4(), "a", 1, {"x": "y" * largest}), "s", b"", 1).size_bytes == LARGEST_RECORD_BYTES
    )
    with pytest.raises(InvalidEvent, match="more than 256 KiB"):
        draft(NewEvent(uuid4(), "a", 1, {"x": "y" * (largest + 1)}), "s", b"", 1)


def test_mappings_and_tuples_are_as_good_as_dicts_and_lists() -> None:
    assert encode(MappingProxyType({"b": (1, 2), "a": MappingProxyType({})})) == b'{"a":{},"b":[1,2]}'


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '[{"x":{"b":1,"c":2,"b":1}}]',
        "1.5",
        "1e3",
        "NaN",
        "-Infinity",
        str(2**53),
        "9" * 5000,
        r'"\ud800"',
        b"\xff",
        b'"\xed\xa0\x80"',
        "{",
        "",
        "[1,]",
        "{'a':1}",
    ],
)
def test_foreign_json_that_readers_disagree_about_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidEvent):
        decode_foreign(text)


@given(st.dictionaries(TEXT, LEAF))
def test_foreign_json_may_use_any_key(value: dict[str, Json]) -> None:
    assert decode_foreign(json.dumps(value)) == value


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"1", b'"x"', b"null"])
def test_what_is_no_record_is_reported(data: bytes) -> None:
    with pytest.raises(LogBroken):
        page_of([data])
