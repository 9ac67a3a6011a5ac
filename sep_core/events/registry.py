"""Facts: frozen dataclasses with a type name and a schema version, and their way into the log and back."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import cast, dataclass_transform

import orjson
from sep_hooks.errors import Permanent
from sep_hooks.store import Recorded
from sep_hooks.types import Json

from sep_core.events.values import Decode, Encode, Written, decoder, encoder


class UnknownFact(Permanent):
    """A stored event has a type, schema version or body that this release does not know."""

    code = "unknown_fact"


class Fact:
    """The base of every event class. Instances are values: frozen, comparable, without behaviour."""

    __slots__ = ()


type Upcast = Callable[[Mapping[str, Json]], Mapping[str, Json]]
"""Rewrites the body of an older schema version as the present one would say it; pure, and kept for ever."""


@dataclasses.dataclass(frozen=True)
class _Schema:
    cls: type[Fact]
    name: str
    version: int
    encode: Encode
    upcast: Upcast | None = None

    @cached_property
    def decode(self) -> Decode:
        # Made when it is first needed: to make all of them takes longer than a command line should to begin.
        return decoder(self.cls)


_by_class: dict[type[Fact], _Schema] = {}
_by_name: dict[tuple[str, int], _Schema] = {}


@dataclass_transform(frozen_default=True)
def fact[F: Fact](
    name: str, version: int = 1, older: Mapping[int, Upcast] | None = None
) -> Callable[[type[F]], type[F]]:
    """Declares an event class under its stored name; makes it a frozen dataclass with slots.

    `older` says how bodies of each earlier schema version are read, so that old logs stay readable.
    """

    def declare(cls: type[F]) -> type[F]:
        made = dataclasses.dataclass(frozen=True, slots=True)(cls)
        schema = _Schema(made, name, version, encoder(made))
        if (name, version) in _by_name:
            raise TypeError(f"two facts are called {name} v{version}")
        _by_class[made] = _by_name[(name, version)] = schema
        for before, upcast in (older or {}).items():
            _by_name[(name, before)] = dataclasses.replace(schema, upcast=upcast)
        return made

    return declare


def fact_type(value: Fact) -> tuple[str, int]:
    """The stored name and schema version of a fact."""
    schema = _by_class[type(value)]
    return schema.name, schema.version


def encode_fact(value: Fact) -> Mapping[str, Json]:
    """The JSON body of a fact. Raises `ValueError` for an integer that JSON readers would round."""
    return cast(Mapping[str, Json], _by_class[type(value)].encode(value))


def decode_fact(name: str, version: int, body: Written) -> Fact:
    """The fact that a stored body means. Raises `UnknownFact`."""
    schema = _by_name.get((name, version))
    if schema is None:
        raise UnknownFact(
            f"the log holds an event {name} v{version} that this release does not know",
            next_step="open it with the release that wrote it, or a newer one",
        )
    try:
        if schema.upcast is not None:
            body = orjson.dumps(schema.upcast(orjson.loads(body)))
        return cast(Fact, schema.decode(body))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnknownFact(
            f"the log holds an event {name} v{version} whose body this release cannot read: {error}",
            next_step="open it with the release that wrote it, or a newer one",
        ) from error


def fact_of(recorded: Recorded) -> Fact:
    """The fact that an event of the log means. Raises `UnknownFact`."""
    return decode_fact(recorded.type, recorded.schema_version, recorded.written_body)


def known_facts() -> Sequence[tuple[str, int, type[Fact]]]:
    """Every declared fact, by name."""
    schemas = sorted(_by_class.values(), key=lambda one: (one.name, one.version))
    return [(schema.name, schema.version, schema.cls) for schema in schemas]


def older_facts() -> Sequence[tuple[str, int]]:
    """Every schema version that is read and no longer written, by name."""
    written = {(name, version) for name, version, _ in known_facts()}
    return sorted(_by_name.keys() - written)
