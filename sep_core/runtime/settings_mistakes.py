"""Mistakes in a configuration: collected, then reported together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sep_hooks.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that cannot be: where it stands, what was found, what is allowed."""

    pointer: str
    text: str

    def __str__(self) -> str:
        return f"{self.pointer}: {self.text}" if self.pointer else self.text


class InvalidSettings(ConfigurationError):
    """A configuration has mistakes; all that were found are listed. Nothing was started."""

    code: ClassVar[str] = "configuration"

    def __init__(self, source: str, mistakes: Sequence[Mistake], *, next_step: str = "") -> None:
        ordered = tuple(dict.fromkeys(mistakes))
        if len(ordered) == 1:
            text = f"{source}: {ordered[0]}"
        else:
            text = f"{source} has {len(ordered)} mistakes:\n" + "\n".join(f"  {one}" for one in ordered)
        super().__init__(text, pointer=ordered[0].pointer, next_step=next_step)
        self.source = source
        self.mistakes = ordered


def shown(value: object) -> str:
    """A value as it may stand in a message: short, and a table only by its keys."""
    if isinstance(value, dict):
        return "a table with " + (", ".join(str(key) for key in value) or "no keys")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        text = "[" + ", ".join(shown(item) for item in value[:5]) + (", …]" if len(value) > 5 else "]")
    else:
        text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "…"
