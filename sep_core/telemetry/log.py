"""Messages for people: structured, one line each, to standard error or a file. Never a record of fact."""

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from sep_hooks.types import Json

LEVELS = ("info", "warning", "error")


class NamedLog:
    """The `Log` that plugins and rooms are handed; `redact` blots out secrets before anything is written."""

    def __init__(self, name: str, redact: Callable[[str], str] = lambda text: text) -> None:
        self._name = name
        self._redact = redact

    def info(self, event: str, **fields: Json) -> None:
        """Something worth knowing."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Json) -> None:
        """Something that deserves a look."""
        self._write("warning", event, fields)

    def error(self, event: str, *, exception: BaseException | None = None, **fields: Json) -> None:
        """A mistake of our own, with its traceback."""
        if exception is not None:
            fields["exception"] = "".join(traceback.format_exception(exception))
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: Mapping[str, Json]) -> None:
        clean = {
            key: self._redact(value) if isinstance(value, str) else value for key, value in fields.items()
        }
        _sink.write(level, self._name, self._redact(event), clean)


class Sink:
    """Where messages go: a file takes JSON lines, standard error lines for people."""

    def __init__(self, stream: TextIO | None = None, *, least: str = "info", as_json: bool = False) -> None:
        self._stream = stream
        self._least = LEVELS.index(least)
        self._as_json = as_json

    def write(self, level: str, source: str, event: str, fields: Mapping[str, object]) -> None:
        """One line. A message that cannot be written is lost; it never stops what it tells of."""
        if LEVELS.index(level) < self._least:
            return
        now = datetime.now(UTC)
        if self._as_json:
            said = {"timestamp": now.isoformat(), "level": level, "source": source, "event": event, **fields}
            line = json.dumps(said, ensure_ascii=False, default=str)
        else:
            rest = "".join(f"  {key}={_plain(value)}" for key, value in fields.items())
            line = f"{now:%H:%M:%S} {level:<7} {source}: {_visible(event)}{rest}"
        stream = self._stream or sys.stderr
        with suppress(OSError, ValueError):
            stream.write(line + "\n")
            stream.flush()


_sink = Sink()


def configure_logging(to: Path | None = None, *, quiet: bool = False, as_json: bool = False) -> TextIO:
    """Sends messages to a file (JSON lines) or to standard error. Returns the stream, to be closed if it is a file.

    Raises `OSError` where the file cannot be written.
    """
    global _sink
    stream = sys.stderr if to is None else to.open("a", encoding="utf-8")
    _sink = Sink(stream, least="warning" if quiet else "info", as_json=as_json or to is not None)
    return stream


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if "\n" in text:
        return "".join(f"\n{_visible(line)}" for line in text.splitlines())
    return json.dumps(text, ensure_ascii=False) if isinstance(value, str) and " " in text else _visible(text)


def _visible(text: str) -> str:
    """Text on one line, with nothing in it that a terminal obeys."""
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)
