"""Who holds the thread of the event loop: one slot, written at each entry into plugin code and at each exit.

With a file behind it the slot outlives the process: a plugin that ends it inside a call is found in the file.
"""

import json
import mmap
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sep_hooks.capabilities import PluginKind

from sep_core.plugins.reference import PluginRef

_SIZE: Final = 8192
_HEADER: Final = 4096  # the writer's identity stands behind the slot
_FREE: Final = 0
_HELD: Final = 1
_ENDING: Final = 2
_LARGEST: Final = _HEADER - 8


@dataclass(frozen=True, slots=True)
class Hold:
    """A plugin holds the thread in one of its calls. `since` in monotonic seconds."""

    plugin: PluginRef
    call: str
    since: float
    sequence: int
    limit_seconds: float | None


@dataclass(frozen=True, slots=True)
class Death:
    """The last process ended while a plugin held its thread.

    `how` names the call by which the plugin ended it; empty where that is not known (a crash, or a kill from
    outside that happened to fall into the call).
    """

    plugin: PluginRef
    call: str
    how: str


class _Elsewhere:
    """What `enter` answers on any thread but the loop's: there the slot is not touched."""


_ELSEWHERE: Final = _Elsewhere()
type Entered = Hold | _Elsewhere | None


class Holding:
    """The slot. Entered and left by the guard around each step of plugin code.

    It belongs to the thread that made it, which must be that of the event loop; calls on other threads pass it by.
    """

    def __init__(self, file: Path | None = None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._thread = threading.get_ident()
        self._sequence = 0
        self._hold: Hold | None = None
        self._records: dict[tuple[PluginRef, str], bytes] = {}
        self._memory: mmap.mmap | None = None
        self.death: Death | None = None
        if file is not None:
            self._open(file)

    @property
    def hold(self) -> Hold | None:
        """Who holds the thread now."""
        return self._hold

    def enter(self, plugin: PluginRef, call: str, limit_seconds: float | None = None) -> Entered:
        """Plugin code runs from here on; returns what `leave` must be given."""
        if threading.get_ident() != self._thread:
            return _ELSEWHERE
        previous = self._hold
        self._sequence += 1
        self._hold = Hold(plugin, call, self._monotonic(), self._sequence, limit_seconds)
        if self._memory is not None:
            self._write(plugin, call)
        return previous

    def leave(self, previous: Entered) -> float:
        """Plugin code has returned; answers for how many seconds it held the loop."""
        if isinstance(previous, _Elsewhere):
            return 0.0
        hold = self._hold
        self._hold = previous
        if self._memory is not None:
            if previous is None:
                self._memory[0] = _FREE
            else:
                self._write(previous.plugin, previous.call)
        return 0.0 if hold is None else self._monotonic() - hold.since

    @contextmanager
    def by(self, plugin: PluginRef, call: str, *, limit_seconds: float | None = None) -> Iterator[None]:
        """Plugin code runs inside."""
        previous = self.enter(plugin, call, limit_seconds)
        try:
            yield
        finally:
            self.leave(previous)

    def ending(self, how: str) -> None:
        """The plugin that holds the thread is about to end the process by `how`."""
        if self._memory is not None and self._memory[0] == _HELD:
            text = how.encode("utf-8", "replace")[:200]
            self._memory[_HEADER - 256 : _HEADER - 256 + len(text) + 1] = text + b"\0"
            self._memory[0] = _ENDING

    def close(self) -> None:
        """Lets go of the file, leaving it free of holds."""
        if self._memory is not None:
            self._memory[0] = _FREE
            self._memory.close()
            self._memory = None

    def _write(self, plugin: PluginRef, call: str) -> None:
        assert self._memory is not None
        record = self._records.get((plugin, call))
        if record is None:
            text = json.dumps([*_fields(plugin), call]).encode()[: _LARGEST - 256]
            record = self._records[(plugin, call)] = bytes([_HELD]) + len(text).to_bytes(4, "little") + text
        self._memory[: len(record)] = record

    def _open(self, file: Path) -> None:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, _SIZE)
            memory = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)
        identity = _boot_identity()
        if memory[_HEADER : _HEADER + len(identity)] == identity:
            self.death = _read_death(memory)
        memory[0] = _FREE
        memory[_HEADER : _HEADER + len(identity)] = identity
        self._memory = memory


def _fields(plugin: PluginRef) -> tuple[str, str, str, str, str, str]:
    return plugin.kind, plugin.name, plugin.instance, plugin.dist, plugin.version, plugin.config_digest


def _read_death(memory: mmap.mmap) -> Death | None:
    state = memory[0]
    if state not in (_HELD, _ENDING):
        return None
    length = int.from_bytes(memory[1:5], "little")
    try:
        kind, name, instance, dist, version, digest, call = json.loads(memory[5 : 5 + length])
        plugin = PluginRef(PluginKind(kind), name, instance, dist, version, digest)
    except (ValueError, TypeError):
        return None
    how = ""
    if state == _ENDING:
        how = memory[_HEADER - 256 : _HEADER].split(b"\0", 1)[0].decode("utf-8", "replace")
    return Death(plugin, call, how)


def _boot_identity() -> bytes:
    """Names this boot of the machine: after a power cut the file may hold any of its past contents."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip().ljust(40, b"\0")
    except OSError:
        return b"unknown boot".ljust(40, b"\0")
