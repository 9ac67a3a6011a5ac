"""Canonical JSON: the subset of RFC 8785 in which every encoder agrees byte for byte."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from sep_hooks.store import InvalidEvent
from sep_hooks.types.json import Json

from sep_core.events.native import encode_plain

LARGEST_INTEGER: Final = 2**53 - 1
DEEPEST_NESTING: Final = 64
LARGEST_RECORD_BYTES: Final = 256 * 1024

_OPTIONS: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
_KEY: Final = re.compile(r"[a-z][a-z0-9_]*")
# RFC 8785 sorts keys by UTF-16 unit, encoders by code point; over this alphabet the two agree.
_MOST_REMEMBERED_KEYS: Final = 4096
_good_keys: set[str] = set()


def encode(value: Json, *, outer_depth: int = 0) -> bytes:
    """The one encoding of a value, which stands `outer_depth` levels inside another.

    Raises `InvalidEvent` for floats, keys outside `[a-z][a-z0-9_]*`, integers beyond 2**53 - 1, nesting beyond
    64, lone surrogates and anything that is not JSON.
    """
    encoded = encode_plain(value, outer_depth)
    if encoded is not None:
        return encoded
    check(value, outer_depth)  # says what is wrong, or admits what is not made of plain values
    return dump(value)


def dump(value: object) -> bytes:
    """Sorted JSON of a value whose foreign parts went through `check`; ids of ours become text."""
    try:
        return orjson.dumps(value, _plain, _OPTIONS)
    except (TypeError, orjson.JSONEncodeError) as error:
        raise InvalidEvent(f"a value cannot be written as JSON: {error}") from error


def check(value: object, outer_depth: int = 0) -> None:
    """Raises `InvalidEvent` for what `encode` refuses, save lone surrogates, which only writing finds."""
    if type(value) is not dict:
        _check(value, outer_depth)
        return
    depth = outer_depth + 1
    for key, item in value.items():
        if key not in _good_keys:
            _check_key(key)
        if type(item) is not str and item is not None:
            _check(item, depth)


def decode(data: bytes | str) -> Json:
    """The value of JSON that `encode` wrote. Raises `InvalidEvent` for anything that is not JSON."""
    try:
        value: Json = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidEvent(f"these bytes are not JSON: {error}") from error
    return value


def decode_foreign(data: bytes | str) -> Json:
    """JSON that somebody else wrote, under the same rules as ours, save that keys may have any spelling.

    Raises `InvalidEvent` for duplicate keys (other readers silently keep one of them), floats, integers beyond
    2**53 - 1, nesting beyond 64, lone surrogates and malformed text.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        value: Json = json.loads(
            text,
            object_pairs_hook=_object_without_duplicates,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
            parse_int=_integer,
        )
        text.encode("utf-8")
        orjson.dumps(value)  # finds lone surrogates that came as escapes
    except InvalidEvent:
        raise
    except RecursionError as error:
        raise InvalidEvent(f"JSON is nested deeper than {DEEPEST_NESTING} levels") from error
    except (ValueError, TypeError) as error:
        raise InvalidEvent(f"this is not JSON in UTF-8: {error}") from error
    _check(value, 0, any_key=True)
    return value


def _check(value: object, depth: int, *, any_key: bool = False) -> None:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return
    if kind is int:
        if not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:  # type: ignore[operator]
            raise InvalidEvent(f"the integer {value} lies beyond 2**53 - 1; write it as a decimal string")
        return
    if isinstance(value, float):
        raise InvalidEvent(f"{value!r} is a float; write amounts and prices as decimal strings")
    depth += 1
    if depth > DEEPEST_NESTING:
        raise InvalidEvent(f"JSON is nested deeper than {DEEPEST_NESTING} levels")
    if kind is dict or isinstance(value, Mapping):
        for key, item in value.items():  # type: ignore[attr-defined]
            if not any_key and key not in _good_keys:
                _check_key(key)
            item_kind = type(item)
            if item_kind is not str and item is not None:
                _check(item, depth, any_key=any_key)
    elif (
        kind is list or kind is tuple or (isinstance(value, Sequence) and not isinstance(value, str | bytes))
    ):
        for item in value:  # type: ignore[attr-defined]
            if type(item) is not str:
                _check(item, depth, any_key=any_key)
    else:
        raise InvalidEvent(f"a {kind.__name__} is not JSON; convert it before it becomes part of an event")


def _check_key(key: object) -> None:
    if type(key) is not str or not _KEY.fullmatch(key):
        raise InvalidEvent(f"the key {key!r} is not of the form [a-z][a-z0-9_]*")
    if len(_good_keys) < _MOST_REMEMBERED_KEYS:
        _good_keys.add(key)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return list(value)
    raise TypeError(f"a {type(value).__name__} is not JSON")


def _object_without_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidEvent(f"the key {key!r} stands twice in one JSON object")
            seen.add(key)
    return result


def _refuse_number(text: str) -> Json:
    raise InvalidEvent(f"{text[:40]} is not an integer; write amounts and prices as decimal strings")


def _integer(text: str) -> int:
    if len(text) > 17:
        raise InvalidEvent(f"the integer {text[:40]} lies beyond 2**53 - 1; write it as a decimal string")
    return int(text)
