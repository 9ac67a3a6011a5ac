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
from sep_hooks.types.json import Json

from sep_core.events.codec import DEEPEST_NESTING, decode, decode_foreign, encode
from sep_core.events.envelope import (
    KEYS,
    draft,
    microseconds,
    page_of,
    place,
    recorded,
    time_of_text,
    time_text,
)

KEY = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LEAF = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
JSON = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEY, inner, max_size=4))
OBJECT = st.dictionaries(KEY, JSON, max_size=6)
MOMENT = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(JSON)
def test_the_encoding_is_that_of_rfc_8785(value: Json) -> None:
    data = encode(value)
    assert data == rfc8785.dumps(value)
    assert decode(data) == value
    assert decode_foreign(data) == value
    assert b"\n" not in data


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
    drafted = draft(event, stream=stream, store=str(store).encode(), epoch=9)
    record = place(
        drafted,
        pos=pos,
        previous=previous,
        recorded=time_text(microseconds(moment)),
        version=version,
    )
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


@pytest.mark.parametrize("part", [[], "x", None, 1])
def test_body_and_meta_are_objects(part: Any) -> None:
    for event in (NewEvent(uuid4(), "a", 1, part), NewEvent(uuid4(), "a", 1, {}, part)):
        with pytest.raises(InvalidEvent, match="JSON objects"):
            draft(event, stream="s", store=b"", epoch=1)


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
