"""Values of facts on their way to JSON and back.

The kinds of field and their JSON: `Amount`, `Quantity`, `Decimal`, `UUID`, enums and times become strings, `int` a
JSON integer within 2^53, `bytes` 0x hex, tuples arrays, dataclasses objects, `X | None` null. Anything else is refused
when the fact is declared, not when it happens.
"""

import dataclasses
import types
import typing
from abc import ABC
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import cache, reduce
from operator import or_
from typing import Any, NewType, TypeAliasType, cast, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from sep_hooks.types import Json

type Written = bytes | msgspec.Raw
"""A value as JSON in UTF-8."""

type Encode = Callable[[Any], Json]
type Decode = Callable[[Written], Any]

_TEXT_INTEGERS = frozenset({"Amount", "Quantity"})
_INTEGER_BOUND = 2**53 - 1


def value_codec(hint: object) -> tuple[Encode, Decode]:
    """Both directions for any value of the contract, as facts use it."""
    return encoder(hint), decoder(hint)


def utc_text(moment: datetime) -> str:
    """A moment as the log writes it: UTC, microseconds, `Z`. Raises `ValueError` where UTC has no such moment."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} names no time zone")
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{moment.isoformat()} lies outside the years 1 to 9999 in UTC") from None
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


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


def _decimal_text(value: Decimal) -> str:
    return format(value, "f")


def encoder(hint: object) -> Encode:
    """To plain JSON values. Raises `TypeError` for a kind of value that no fact may hold."""
    if isinstance(hint, TypeAliasType):
        return encoder(hint.__value__)
    if isinstance(hint, NewType):
        return str if hint.__name__ in _TEXT_INTEGERS else encoder(hint.__supertype__)
    if hint is bool:
        return _same
    if hint is str:
        return _text
    if hint is int:
        return _integer
    if hint is bytes:
        return _hex
    if hint is UUID:
        return str
    if hint is Decimal:
        return _decimal_text
    if hint is datetime:
        return utc_text
    origin = get_origin(hint)
    if origin is typing.Literal:
        return _text
    if origin in (typing.Union, types.UnionType):
        return _optional_encoder(get_args(hint))
    if origin is tuple:
        return _tuple_encoder(get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return lambda value: value.value
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _object_encoder(hint)
    raise TypeError(f"a fact cannot hold {hint!r}")


def _optional_encoder(members: tuple[object, ...]) -> Encode:
    inner = [member for member in members if member is not type(None)]
    if len(inner) != 1 or len(members) != 2:
        raise TypeError(f"a fact cannot hold a union of {members!r}")
    encode = encoder(inner[0])
    return lambda value: None if value is None else encode(value)


def _tuple_encoder(members: tuple[object, ...]) -> Encode:
    if len(members) == 2 and members[1] is Ellipsis:
        encode = encoder(members[0])
        return list if encode is _same else lambda value: [encode(item) for item in value]
    encoders = [encoder(member) for member in members]
    return lambda value: [one(item) for one, item in zip(encoders, value, strict=True)]


@cache
def _object_encoder(cls: type) -> Encode:
    hints = get_type_hints(cls)
    fields = {field.name: hints[field.name] for field in dataclasses.fields(cls)}
    encoders = {name: encoder(hint) for name, hint in fields.items()}
    _tell_of_hex(cls, fields)
    # Written out as source, as `dataclass` does: a loop over the fields costs three times as much, for each event.
    place: dict[str, object] = {f"encode_{name}": one for name, one in encoders.items()}
    parts = [
        f"{name!r}: value.{name}" if one is _same else f"{name!r}: encode_{name}(value.{name})"
        for name, one in encoders.items()
    ]
    source = f"lambda value: {{{', '.join(parts)}}}"
    return cast(Encode, eval(source, place))  # noqa: S307  # names of our own fields, nothing else


def decoder(hint: object) -> Decode:
    """From JSON as text, for a hint that has an `encoder`. Fields that a newer release added are passed over; what this
    returns raises `ValueError` for anything else that does not fit.
    """
    # Lax, since amounts are integers that stand in the log as text.
    return msgspec.json.Decoder(_with_hex(hint), strict=False, dec_hook=_unhex).decode


class _Hex(ABC):  # noqa: B024  # a name for what msgspec is to ask us about
    """`bytes` as msgspec is told of them: its own way with them is base64."""


_Hex.register(bytes)


def _unhex(_: type, text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _with_hex(hint: Any) -> Any:
    """The hint with `_Hex` in place of `bytes`."""
    if isinstance(hint, TypeAliasType):
        return _with_hex(hint.__value__)
    if hint is bytes:
        return _Hex
    origin, members = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return reduce(or_, map(_with_hex, members))
    return types.GenericAlias(tuple, tuple(map(_with_hex, members))) if origin is tuple else hint


def _tell_of_hex(cls: type, fields: Mapping[str, Any]) -> None:
    # msgspec looks at the annotations of a data class once for ever: so before anybody else lets it look at this one.
    told = {name: _with_hex(hint) for name, hint in fields.items()}
    if told == fields:
        return
    before, cls.__annotations__ = cls.__annotations__, told
    try:
        msgspec.json.Decoder(cls, dec_hook=_unhex)
    finally:
        cls.__annotations__ = before
