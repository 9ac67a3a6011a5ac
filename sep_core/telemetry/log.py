"""Messages for people: structured, one line each, to standard error or a file. Never a record of fact."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import structlog
from sep_hooks.types import Json


class NamedLog:
    """The `Log` that plugins and rooms are handed; `redact` blots out secrets before anything is written."""

    def __init__(self, name: str, redact: Callable[[str], str] = lambda text: text) -> None:
        self._log = structlog.get_logger().bind(source=name)
        self._redact = redact

    def info(self, event: str, **fields: Json) -> None:
        """Something worth knowing."""
        self._log.info(self._redact(event), **self._clean(fields))

    def warning(self, event: str, **fields: Json) -> None:
        """Something that deserves a look."""
        self._log.warning(self._redact(event), **self._clean(fields))

    def _clean(self, fields: dict[str, Json]) -> dict[str, object]:
        return {
            key: self._redact(value) if isinstance(value, str) else value for key, value in fields.items()
        }


def configure_logging(to: Path | None = None, *, quiet: bool = False) -> TextIO:
    """Sends messages to a file (JSON lines) or to standard error (for people). Returns the stream, to be closed."""
    stream = sys.stderr if to is None else to.open("a", encoding="utf-8")
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if to is not None
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    return stream
