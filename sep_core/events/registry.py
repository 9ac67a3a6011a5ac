"""Facts: frozen dataclasses with a type name and a schema version, and their way to JSON and back.

The kinds of field and their JSON: `Amount`, `Quantity`, `Decimal`, `UUID`, enums and times become strings, `int` a
JSON integer within 2^53, `bytes` 0x hex, tuples arrays, dataclasses objects, `X | None` null. Anything else is refused
when the fact is declared, not when it happens.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import (
    Any,
    NewType,
    TypeAliasType,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from sep_hooks.errors import Permanent
from sep_hooks.types import Json

type _Encode = Callable[[Any], Json]
type _Decode = Callable[[Any], Any]
type _Fields = Sequence[tuple[str, _Encode, _Decode]]

_TEXT_INTEGERS = frozenset({"Amount", "Quantity"})
_INTEGER_BOUND = 2**53 - 1
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


class UnknownFact(Permanent):
    """A stored event has a type or schema version that this release does not know."""

    code = "unknown_fact"


class Fact:
    """The base of every event class. Instances are values: frozen, comparable, without behaviour."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Schema:
    cls: type[Fact]
    name: str
    version: int
    encode: _Encode
    decode: _Decode


type Upcast = Callable[[Mapping[str, Json]], Mapping[str, Json]]
"""Rewrites the body of an older schema version as the present one would say it; pure, and kept for ever."""


_by_class: dict[type[Fact], _Schema] = {}
_by_name: dict[tuple[str, int], _Schema] = {}
_objects: dict[type, tuple[_Encode, _Decode]] = {}


@dataclass_transform(frozen_default=True)
def fact[F: Fact](
    name: str, version: int = 1, older: Mapping[int, Upcast] | None = None
) -> Callable[[type[F]], type[F]]:
    """Declares an event class under its stored name; makes it a frozen dataclass with slots.

    `older` says how bodies of each earlier schema version are read, so that old logs stay readable.
    """

    def declare(cls: type[F]) -> type[F]:
        made = dataclasses.dataclass(frozen=True, slots=True)(cls)
        encode, decode = _object_codec(made)
        schema = _Schema(made, name, version, encode, decode)
        if (name, version) in _by_name:
            raise TypeError(f"two facts are called {name} v{version}")
        _by_class[made] = _by_name[(name, version)] = schema
        for before, upcast in (older or {}).items():
            _by_name[(name, before)] = dataclasses.replace(schema, decode=_upcasting(upcast, decode))
        return made

    return declare


def _upcasting(upcast: Upcast, decode: _Decode) -> _Decode:
    return lambda body: decode(upcast(body))


def fact_type(value: Fact) -> tuple[str, int]:
    """The stored name and schema version of a fact."""
    schema = _by_class[type(value)]
    return schema.name, schema.version


def encode_fact(value: Fact) -> Mapping[str, Json]:
    """The JSON body of a fact. Raises `ValueError` for an integer that JSON readers would round."""
    return cast(Mapping[str, Json], _by_class[type(value)].encode(value))


def decode_fact(name: str, version: int, body: Mapping[str, Json]) -> Fact:
    """The fact that a stored body means. Raises `UnknownFact`."""
    schema = _by_name.get((name, version))
    if schema is None:
        raise UnknownFact(
            f"the log holds an event {name} v{version} that this release does not know",
            next_step="open it with the release that wrote it, or a newer one",
        )
    return cast(Fact, schema.decode(body))


def known_facts() -> Sequence[tuple[str, int, type[Fact]]]:
    """Every declared fact, by name."""
    schemas = sorted(_by_class.values(), key=lambda one: (one.name, one.version))
    return [(schema.name, schema.version, schema.cls) for schema in schemas]


def older_facts() -> Sequence[tuple[str, int]]:
    """Every schema version that is read and no longer written, by name."""
    written = {(name, version) for name, version, _ in known_facts()}
    return sorted(_by_name.keys() - written)


def value_codec(hint: object) -> tuple[_Encode, _Decode]:
    """The two directions for any value of the contract, as facts use it."""
    return _codec(hint)


def utc_text(moment: datetime) -> str:
    """A moment as the log writes it: UTC, microseconds, `Z`. Raises `ValueError` where UTC has no such moment."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} names no time zone")
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{moment.isoformat()} lies outside the years 1 to 9999 in UTC") from None
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def utc_moment(text: str) -> datetime:
    """The moment that the log's text means."""
    if _TIME.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not of the form YYYY-MM-DDTHH:MM:SS.ffffffZ")
    return datetime.fromisoformat(text)


def _same(value: Any) -> Any:
    return value


def _text(value: str) -> str:
    # An enum's member is a text of another class; the log holds plain ones.
    return value if type(value) is str else str(value)


def _integer(value: int) -> int:
    if not -_INTEGER_BOUND <= value <= _INTEGER_BOUND:
        raise ValueError(f"{value} is no safe JSON integer; type the field Amount or Quantity")
    return value


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _decimal_text(value: Decimal) -> str:
    return format(value, "f")


def _codec(hint: object) -> tuple[_Encode, _Decode]:
    if isinstance(hint, TypeAliasType):
        return _codec(hint.__value__)
    if isinstance(hint, NewType):
        if hint.__name__ in _TEXT_INTEGERS:
            return str, int
        return _codec(hint.__supertype__)
    if hint is bool:
        return _same, _same
    if hint is str:
        return _text, _same
    if hint is int:
        return _integer, _same
    if hint is bytes:
        return _hex, _unhex
    if hint is UUID:
        return str, UUID
    if hint is Decimal:
        return _decimal_text, Decimal
    if hint is datetime:
        return utc_text, utc_moment
    origin = get_origin(hint)
    if origin is typing.Literal:
        return _text, _same
    if origin in (typing.Union, types.UnionType):
        return _optional_codec(get_args(hint))
    if origin is tuple:
        return _tuple_codec(get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return (lambda value: value.value), hint
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _object_codec(hint)
    raise TypeError(f"a fact cannot hold {hint!r}")


def _optional_codec(members: tuple[object, ...]) -> tuple[_Encode, _Decode]:
    inner = [member for member in members if member is not type(None)]
    if len(inner) != 1 or len(members) != 2:
        raise TypeError(f"a fact cannot hold a union of {members!r}")
    encode, decode = _codec(inner[0])
    return (
        lambda value: None if value is None else encode(value),
        lambda value: None if value is None else decode(value),
    )


def _tuple_codec(members: tuple[object, ...]) -> tuple[_Encode, _Decode]:
    if len(members) == 2 and members[1] is Ellipsis:
        encode, decode = _codec(members[0])
        return (
            list if encode is _same else lambda value: [encode(item) for item in value],
            tuple if decode is _same else lambda value: tuple([decode(item) for item in value]),
        )
    pairs = [_codec(member) for member in members]
    return (
        lambda value: [one(item) for (one, _), item in zip(pairs, value, strict=True)],
        lambda value: tuple(one(item) for (_, one), item in zip(pairs, value, strict=True)),
    )


def _object_codec(cls: type) -> tuple[_Encode, _Decode]:
    known = _objects.get(cls)
    if known is None:
        hints = get_type_hints(cls)
        fields = [(field.name, *_codec(hints[field.name])) for field in dataclasses.fields(cls)]
        known = _objects[cls] = _object_encoder(fields), _object_decoder(cls, fields)
    return known


def _object_encoder(fields: _Fields) -> _Encode:
    # Written out as source, as `dataclass` does: a loop over the fields costs three times as much, for each event.
    place: dict[str, object] = {f"encode_{name}": one for name, one, _ in fields}
    parts = [
        f"{name!r}: value.{name}" if one is _same else f"{name!r}: encode_{name}(value.{name})"
        for name, one, _ in fields
    ]
    return _compiled(f"lambda value: {{{', '.join(parts)}}}", place)


def _object_decoder(cls: type, fields: _Fields) -> _Decode:
    place: dict[str, object] = {"cls": cls} | {f"decode_{name}": one for name, _, one in fields}
    parts = [
        f"{name}=body[{name!r}]" if one is _same else f"{name}=decode_{name}(body[{name!r}])"
        for name, _, one in fields
    ]
    whole = _compiled(f"lambda body: cls({', '.join(parts)})", place)
    names = frozenset(name for name, _, _ in fields)

    def decode(body: Any) -> Any:
        # Fields that a newer release added are kept in the record and passed over here.
        if body.keys() >= names:
            return whole(body)
        return cls(**{name: one(body[name]) for name, _, one in fields if name in body})

    return decode


def _compiled(source: str, place: dict[str, object]) -> Callable[[Any], Any]:
    return cast(Callable[[Any], Any], eval(source, place))  # noqa: S307  # names of our own fields, nothing else
