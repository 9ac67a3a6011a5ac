"""What verbs print: lines for people, JSON for programs, progress for those who wait at a terminal."""

import json
import os
import sys
import textwrap
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from pydantic import BaseModel

WIDTH = 100


def emit_json(value: object) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def emit_model(model: "BaseModel") -> None:
    """A view as JSON."""
    click.echo(model.model_dump_json(indent=2))


def emit_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell; nothing is cut."""
    widths = [max(len(row[index]) for row in [head, *rows]) for index in range(len(head))]
    for number, row in enumerate([head, *rows]):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 and colours() else line)


def emit_wrapped(text: str, *, first: str = "", rest: str | None = None) -> None:
    """Text in lines of at most `WIDTH`, the first behind `first`, the others behind `rest` or as many blanks."""
    indent = " " * len(first) if rest is None else rest
    for number, line in enumerate(text.splitlines() or [""]):
        click.echo(
            textwrap.fill(
                line,
                WIDTH,
                initial_indent=first if number == 0 else indent,
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
        )


def colours() -> bool:
    """Whether colours are wanted."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


class Progress:
    """A line on standard error that is rewritten; silent for what takes under a second, and without a terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = time.monotonic()
        self._shown = 0.0
        self._wide = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._wide:
            sys.stderr.write("\r" + " " * self._wide + "\r")
            sys.stderr.flush()

    def __call__(self, done: int, total: int) -> None:
        """So much is done."""
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._started < 1 or now - self._shown < 0.1:
            return
        self._shown = now
        share = f" ({done * 100 // total} %)" if total else ""
        line = f"{self._what}: {done:,} of {total:,}{share}"
        self._wide = max(self._wide, len(line))
        sys.stderr.write("\r" + line.ljust(self._wide))
        sys.stderr.flush()


class Waiting:
    """Says on standard error what is being waited for, once that takes longer than a second at a terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._thread = threading.Thread(target=self._show, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """It has come."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _show(self) -> None:
        seconds = line = 0
        while not self._done.wait(1):
            seconds += 1
            text = f"{self._what} … {seconds} s"
            line = max(line, len(text))
            sys.stderr.write("\r" + text)
            sys.stderr.flush()
        if line:
            sys.stderr.write("\r" + " " * line + "\r")
            sys.stderr.flush()
