"""A thread that notices when a plugin keeps the event loop, leaves a note and stops the engine."""

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sep_core.plugins.holding import Hold, Holding
from sep_core.plugins.notes import Note, write_note

EXIT_CODE: Final = 75
"""The process's exit code when the watchdog stops it: a temporary failure, start again."""

LIMIT_SECONDS: Final = 2.0
_LOOKS: Final = 20  # looks within the limit: a stopped and continued process is not taken for a blocked one


class Watchdog:
    """Watches one slot. What the engine has committed is safe: it is stopped as by a kill."""

    def __init__(
        self,
        holding: Holding,
        folder: Path,
        *,
        limit_seconds: float = LIMIT_SECONDS,
        stop: Callable[[int], None] = os._exit,
    ) -> None:
        self._holding = holding
        self._folder = folder
        self._limit = limit_seconds
        self._stop = stop
        self._loop_thread = threading.get_ident()
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sep-watchdog", daemon=True)

    def __enter__(self) -> Self:
        """Starts watching; call it on the thread of the event loop."""
        self._loop_thread = threading.get_ident()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finished.set()
        self._thread.join(timeout=5)

    def _watch(self) -> None:
        seen: Hold | None = None
        looks = 0
        pause = self._limit / _LOOKS
        while not self._finished.wait(pause):
            hold = self._holding.hold
            if hold is None or seen is None or hold.sequence != seen.sequence:
                seen, looks = hold, 0
                continue
            looks += 1
            limit = self._limit if hold.limit_seconds is None else hold.limit_seconds
            if looks * pause >= limit and time.monotonic() - hold.since >= limit:
                self._end(hold)
                return

    def _end(self, hold: Hold) -> None:
        seconds = time.monotonic() - hold.since
        reason = f"held the event loop for {seconds:.1f} s"
        self._holding.ending(reason)
        text = f"{hold.plugin.label} {reason} in {hold.call}; the engine stops, nothing recorded is lost"
        try:
            path = write_note(self._folder, Note(hold.plugin, hold.call, reason, self._where()))
            text += f" -> start it again: the plugin is quarantined then (note: {path})"
        except OSError as error:
            text += f" (the note could not be written: {error})"
        os.write(2, (text + "\n").encode())
        self._stop(EXIT_CODE)

    def _where(self) -> tuple[str, ...]:
        frame = sys._current_frames().get(self._loop_thread)
        if frame is None:
            return ()
        frames = traceback.extract_stack(frame)[-10:]
        return tuple(f"{one.filename}:{one.lineno} {one.name}" for one in frames)
