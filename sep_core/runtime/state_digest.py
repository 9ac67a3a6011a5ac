"""One number for all that a log folds to, the same on every machine and in every run."""

import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID

from sep_core.events.state import State
from sep_core.portfolio import Ledger
from sep_core.runtime.world import World


def state_digest(world: World) -> str:
    """SHA-256 over every public part of the world, in hex: dictionaries and sets by their sorted keys, states and data
    classes by their fields, whatever order they were filled in.
    """
    whole = hashlib.sha256()
    for name, digest in digests(world).items():
        whole.update(f"{name}={digest}\n".encode())
    return whole.hexdigest()


def digests(world: World) -> Mapping[str, str]:
    """The same of each part by itself: where two states differ."""
    parts = [field.name for field in fields(world) if not field.name.startswith("_")]
    texts = {name: canonical(getattr(world, name)) for name in parts}
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}


def canonical(value: object) -> str:
    """A text that two values share only where they are equal. Raises `TypeError` for what no state is made of."""
    match value:
        case None | bool() | int():
            return json.dumps(value)
        case Enum():
            return f"{type(value).__name__}.{value.name}"
        case str():
            return json.dumps(value)
        case bytes():
            return f"0x{value.hex()}"
        case Decimal() | UUID():
            return f"{type(value).__name__}({value})"
        case datetime():
            return value.astimezone(UTC).isoformat()
        case Ledger():
            return canonical(value.contents())
        case Mapping():
            return _list("{}", sorted(f"{canonical(key)}:{canonical(one)}" for key, one in value.items()))
        case Set():
            return _list("<>", sorted(canonical(one) for one in value))
        case Sequence():
            return _list("[]", [canonical(one) for one in value])
    if isinstance(value, State):
        names: Sequence[str] = value.__struct_fields__
    elif is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
    else:
        raise TypeError(f"{type(value).__name__} is no part of a state")
    return type(value).__name__ + _list("()", [f"{name}={canonical(getattr(value, name))}" for name in names])


def _list(ends: str, parts: Sequence[str]) -> str:
    return ends[0] + ",".join(parts) + ends[1]
