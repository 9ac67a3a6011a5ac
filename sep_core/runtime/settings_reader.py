"""Reads one table key by key and collects what is wrong with it."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final
from uuid import UUID

from sep_hooks.errors import InvalidAsset
from sep_hooks.types import Address, address

from sep_core.plugins.names import nearest
from sep_core.runtime.settings_file import Toml
from sep_core.runtime.settings_mistakes import Mistake, shown

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
SYMBOL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,31}")

type Checksum = Callable[[str], str | None]
"""The mixed-case form of an address, whose capitals are a checksum."""


class Table:
    """One table of the configuration. What is asked for counts as known; `close` reports the rest.

    A wrong value is noted among the mistakes and answered by the default, so that reading goes on.
    """

    def __init__(self, pointer: str, values: Mapping[str, Toml], mistakes: list[Mistake]) -> None:
        self.pointer = pointer
        self.values = values
        self._mistakes = mistakes
        self._asked: set[str] = set()

    def at(self, key: str) -> str:
        """The pointer of a key."""
        return f"{self.pointer}.{key}" if self.pointer else key

    def wrong(self, key: str, text: str) -> None:
        """Notes a mistake."""
        self._mistakes.append(Mistake(self.at(key) if key else self.pointer, text))

    def has(self, key: str) -> bool:
        """Whether the table says anything about a key."""
        return key in self.values

    def raw(self, key: str) -> Toml | None:
        """The value as it stands, or None."""
        self._asked.add(key)
        return self.values.get(key)

    def text(self, key: str, default: str | None = None, *, pattern: re.Pattern[str] | None = None) -> str:
        """A string; without a default it must be there."""
        value = self.raw(key)
        if value is None:
            if default is None:
                self.wrong(key, "is missing; it must be a string")
            return default or ""
        if not isinstance(value, str) or not value:
            self.wrong(key, f"is {shown(value)}; it must be a string that is not empty")
            return default or ""
        if pattern is not None and not pattern.fullmatch(value):
            self.wrong(key, f"is {shown(value)}; it must match {pattern.pattern}")
        return value

    def choice(self, key: str, options: Collection[str], default: str) -> str:
        """One of a few words."""
        value = self.text(key, default)
        if value not in options:
            hint = nearest(value, options)
            self.wrong(
                key,
                f"is {shown(value)}; it must be one of {', '.join(options)}" + (f"; {hint}" if hint else ""),
            )
            return default
        return value

    def integer(self, key: str, default: int | None = None, *, least: int, most: int) -> int:
        """An integer within bounds; a string of digits too, as the environment gives it."""
        value = self.raw(key)
        if value is None:
            if default is None:
                self.wrong(key, f"is missing; it must be an integer from {least} to {most}")
            return least if default is None else default
        number = _integer(value)
        if number is None or not least <= number <= most:
            self.wrong(key, f"is {shown(value)}; it must be an integer from {least} to {most}")
            return least if default is None else default
        return number

    def texts(self, key: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of strings, each once."""
        value = self.raw(key)
        if value is None:
            return tuple(default)
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.wrong(key, f"is {shown(value)}; it must be a list of strings")
            return tuple(default)
        texts = tuple(str(item) for item in value)
        doubled = sorted({text for text in texts if texts.count(text) > 1})
        if doubled:
            self.wrong(key, f"lists {', '.join(doubled)} more than once")
        return tuple(dict.fromkeys(texts))

    def integers(self, key: str, default: tuple[int, int], *, least: int, most: int) -> tuple[int, int]:
        """A pair of integers, ascending."""
        value = self.raw(key)
        if value is None:
            return default
        numbers = [_integer(item) for item in value] if isinstance(value, list) else []
        if len(numbers) == 2 and numbers[0] is not None and numbers[1] is not None:
            low, high = numbers[0], numbers[1]
            if least <= low <= high <= most:
                return low, high
        self.wrong(key, f"is {shown(value)}; it must be [lowest, highest], integers from {least} to {most}")
        return default

    def ratios(self, key: str, default: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
        """A pair of ratios from 0 to 1, ascending."""
        value = self.raw(key)
        if value is None:
            return default
        numbers = [_ratio(item) for item in value] if isinstance(value, list) else []
        if len(numbers) == 2 and numbers[0] is not None and numbers[1] is not None:
            low, high = numbers[0], numbers[1]
            if 0 <= low <= high <= 1:
                return low, high
        self.wrong(key, f"is {shown(value)}; it must be [lowest, highest], ratios from 0 to 1")
        return default

    def address(self, key: str, checksum: Checksum | None) -> Address:
        """An address; capitals are a checksum and must be right."""
        text = self.text(key)
        if not text:
            return Address("")
        try:
            result = address(text)
        except InvalidAsset:
            self.wrong(key, f"is {shown(text)}; it must be 0x and 40 hex digits")
            return Address("")
        digits = text[2:]
        if checksum is not None and digits not in (digits.lower(), digits.upper()):
            right = checksum(text)
            if right is not None and right[2:] != digits:
                self.wrong(
                    key,
                    f"is {shown(text)}, whose capitals are no valid checksum; a typing error? (valid: {right})",
                )
        return result

    def uuid(self, key: str) -> UUID | None:
        """A UUID, or None where the table has none."""
        value = self.raw(key)
        if value is None:
            return None
        try:
            if isinstance(value, str) and len(value) == 36:
                return UUID(value)
        except ValueError:
            pass
        self.wrong(key, f"is {shown(value)}; it must be a UUID like c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d")
        return None

    def among(self, key: str, text: str, known: Collection[str], section: str) -> None:
        """Notes a name that its section does not have."""
        if text and text not in known:
            hint = nearest(text, known) or f"[{section}] has {', '.join(sorted(known)) or 'nothing'}"
            self.wrong(key, f"is {shown(text)}, there is no [{section}.{text}]; {hint}")

    def table(self, key: str) -> "Table | None":
        """A table inside this one, or None."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.wrong(key, f"is {shown(value)}; it must be a table")
            return None
        return Table(self.at(key), value, self._mistakes)

    def tables(self, key: str, pattern: re.Pattern[str] = NAME) -> Iterator[tuple[str, "Table"]]:
        """The named tables inside a table, e.g. each of `[venues.<name>]`."""
        outer = self.table(key)
        if outer is None:
            return
        for name in outer.values:
            if not pattern.fullmatch(name):
                outer.wrong(name, f"is no name; names match {pattern.pattern}")
                continue
            inner = outer.table(name)
            if inner is not None:
                yield name, inner

    def rest(self) -> Mapping[str, Toml]:
        """Everything that was not asked for; it belongs to the plugin."""
        rest = {key: value for key, value in self.values.items() if key not in self._asked}
        self._asked.update(rest)
        return rest

    def close(self) -> None:
        """Notes every key that nobody asked for. Call it after the last key was read."""
        for key in self.values:
            if key not in self._asked:
                hint = nearest(key, self._asked) or f"known are {', '.join(sorted(self._asked))}"
                self.wrong(key, f"is no known key; {hint}")


def _integer(value: Toml) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return None


def _ratio(value: Toml) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
