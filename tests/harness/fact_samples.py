"""One sample of every fact, made of the types of its fields; `python -m tests.harness.fact_samples` keeps new ones.

A body that stands in `tests/unit/facts` is never changed again: logs hold such bodies.
"""

import dataclasses
import json
import types
import typing
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, NewType, TypeAliasType, get_args, get_origin, get_type_hints
from uuid import UUID

from sep_core.events import facts  # declares them all
from sep_core.events.registry import encode_fact, known_facts

FOLDER = Path(__file__).parents[1] / "unit" / "facts"
assert facts


def sample(hint: object, name: str = "") -> Any:
    """A value of a type that a fact may hold; texts say which field they are of."""
    if isinstance(hint, TypeAliasType):
        return sample(hint.__value__, name)
    if isinstance(hint, NewType):
        if hint.__name__ in ("Amount", "Quantity"):
            return hint(10**18 + 1)
        return hint(sample(hint.__supertype__, name))
    plain = {
        bool: True,
        str: f"{name} \u00e9",
        int: 2**53 - 1,
        bytes: b"\x00\xff",
        UUID: UUID(int=7),
        Decimal: Decimal("0.005"),
        datetime: datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    }
    if hint in plain:
        return plain[hint]  # type: ignore[index]
    origin, members = get_origin(hint), get_args(hint)
    if origin is typing.Literal:
        return members[0]
    if origin in (typing.Union, types.UnionType):
        return sample(next(one for one in members if one is not type(None)), name)
    if origin is tuple:
        if members[-1] is Ellipsis:
            return (sample(members[0], name),)
        return tuple(sample(one, name) for one in members)
    assert isinstance(hint, type), hint
    if issubclass(hint, Enum):
        return next(iter(hint))
    hints = get_type_hints(hint)
    return hint(**{one.name: sample(hints[one.name], one.name) for one in dataclasses.fields(hint)})  # type: ignore[arg-type]


def file_of(name: str, version: int) -> Path:
    """Where the body of a fact is kept."""
    return FOLDER / f"{name}.v{version}.json"


def main() -> None:
    """Keeps a body of each fact and version that has none yet."""
    FOLDER.mkdir(exist_ok=True)
    for name, version, cls in known_facts():
        file = file_of(name, version)
        if not file.exists():
            body = encode_fact(sample(cls))
            file.write_text(json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
            print(file.name)


if __name__ == "__main__":
    main()
