"""Whether a plugin's answer is what its signature promises, field by field."""

import dataclasses
import types
import typing
from collections import abc
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import (
    TYPE_CHECKING,
    Annotated,
    Final,
    NewType,
    TypeAliasType,
    get_args,
    get_origin,
    get_type_hints,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

type Check = Callable[[object], str]
"""Names what is wrong with a value, or answers an empty text."""

LARGEST_ANSWER: Final = 100_000
"""The most items that one collection of an answer may have."""


@cache
def check_of(hint: object) -> Check:
    """The check of a type as the contract writes it. Raises `TypeError` for a type that it never uses."""
    if isinstance(hint, TypeAliasType):
        return check_of(hint.__value__)
    if isinstance(hint, NewType):
        return check_of(hint.__supertype__)
    if hint is None or hint is type(None):
        return lambda value: "" if value is None else _not("None", value)
    if hint is object:
        return lambda value: ""
    if hint is int:
        return lambda value: "" if type(value) is int else _not("an int", value)
    origin = get_origin(hint)
    if origin is Annotated:
        return check_of(get_args(hint)[0])
    if origin is typing.Literal:
        allowed = get_args(hint)
        return lambda value: "" if value in allowed else _not(f"one of {allowed}", value)
    if origin in (typing.Union, types.UnionType):
        return _any_of([check_of(member) for member in get_args(hint)], str(hint))
    if origin is tuple:
        return _tuple(get_args(hint))
    if origin in (abc.Sequence, list):
        return _sequence(check_of(get_args(hint)[0]))
    if origin in (abc.Mapping, dict):
        key, item = get_args(hint)
        return _mapping(check_of(key), check_of(item))
    if origin is frozenset:
        return _frozenset(check_of(get_args(hint)[0]))
    if isinstance(hint, type):
        if dataclasses.is_dataclass(hint):
            return _dataclass(hint)
        if issubclass(hint, str | bytes | bool | Decimal | Enum) or origin is None:
            return _instance(hint)
    raise TypeError(f"cannot check values against {hint!r}")


def _not(expected: str, value: object) -> str:
    return f"is a {type(value).__name__}, not {expected}"


def _instance(cls: type) -> Check:
    return lambda value: "" if isinstance(value, cls) else _not(f"a {cls.__name__}", value)


def _any_of(checks: Sequence[Check], name: str) -> Check:
    def check(value: object) -> str:
        answers = [one(value) for one in checks]
        return "" if "" in answers else min(answers, key=lambda text: text.startswith("is a ")) or name

    return check


def _tuple(members: tuple[object, ...]) -> Check:
    if len(members) == 2 and members[1] is Ellipsis:
        item = check_of(members[0])
        return lambda value: _items(value, item) if isinstance(value, tuple) else _not("a tuple", value)
    checks = [check_of(member) for member in members]

    def check(value: object) -> str:
        if not isinstance(value, tuple):
            return _not("a tuple", value)
        if len(value) != len(checks):
            return f"has {len(value)} items, not {len(checks)}"
        for index, (one, item) in enumerate(zip(checks, value, strict=True)):
            wrong = one(item)
            if wrong:
                return f"[{index}] {wrong}"
        return ""

    return check


def _sequence(item: Check) -> Check:
    def check(value: object) -> str:
        if not isinstance(value, list | tuple):
            return _not("a sequence", value)
        return _items(value, item)

    return check


def _items(value: Sequence[object], item: Check) -> str:
    if len(value) > LARGEST_ANSWER:
        return f"has {len(value)} items, more than {LARGEST_ANSWER}"
    for index, one in enumerate(value):
        wrong = item(one)
        if wrong:
            return f"[{index}] {wrong}"
    return ""


def _mapping(key: Check, item: Check) -> Check:
    def check(value: object) -> str:
        if not isinstance(value, Mapping):
            return _not("a mapping", value)
        if len(value) > LARGEST_ANSWER:
            return f"has {len(value)} items, more than {LARGEST_ANSWER}"
        for name, one in value.items():
            wrong = key(name) or item(one)
            if wrong:
                return f"[{name!r}] {wrong}"
        return ""

    return check


def _frozenset(item: Check) -> Check:
    def check(value: object) -> str:
        return _items(list(value), item) if isinstance(value, frozenset) else _not("a frozenset", value)

    return check


def _dataclass(cls: "type[DataclassInstance]") -> Check:
    fields: list[tuple[str, Check]] = []

    def check(value: object) -> str:
        if type(value) is not cls:
            return _not(f"a {cls.__name__}", value)
        if not fields:  # compiled at the first use: dataclasses may contain themselves
            hints = get_type_hints(cls)
            fields.extend((one.name, check_of(hints[one.name])) for one in dataclasses.fields(cls))
        for name, one in fields:
            wrong = one(getattr(value, name, None))
            if wrong:
                return f"{cls.__name__}.{name} {wrong}"
        return ""

    return check
