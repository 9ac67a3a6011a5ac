"""How far a log was when it was last acknowledged, in a file beside it: one that ends before that has lost its end.

A write-ahead log that is cut or gone leaves a sound database that has forgotten what was committed last; so does a
server that fails over to a copy that lagged. Neither can be seen from inside.
"""

import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import UUID

from sep_hooks.store import Checkpoint, StoreUnavailable

from sep_core.events.verify import VerifyReport
from sep_core.telemetry.log import NamedLog

_FORMAT: Final = "sep-acknowledged-1"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A place that some writer was told is durable."""

    store_id: UUID
    pos: int
    root: bytes

    def line(self) -> bytes:
        """The whole file: of one length, so that writing it over itself needs no room."""
        said = f"{_FORMAT} {self.store_id} {self.pos:020d} {self.root.hex()}"
        return f"{said} {zlib.crc32(said.encode()):08x}\n".encode()

    @classmethod
    def read(cls, path: Path) -> "Acknowledged | None":
        """What the file says; None where there is none, or half of one: a power loss may leave that."""
        try:
            line = path.read_bytes()
            _, store_id, pos, root, _ = line.decode().split()
            found = cls(UUID(store_id), int(pos), bytes.fromhex(root))
        except (OSError, ValueError):
            return None
        return found if found.line() == line else None


class AcknowledgedMark:
    """The file, kept up by the engine that writes. It is not synced: what it says was durable before.

    Made before the log is read: an engine that is displaced may acknowledge more meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = Acknowledged.read(path)
        self._descriptor = -1
        self._failed = False

    def check(self, head: Checkpoint | None, place: str) -> None:
        """Whether the log holds what had been acknowledged here. Raises `StoreUnavailable`."""
        known = self._known
        if known is None:
            return
        lost = lost_end(known, head)
        if lost:
            raise StoreUnavailable(
                f"{place}: {lost}",
                next_step="keep everything as it is and bring back what is missing, the files beside the log or the"
                f" server that has it; only to go on without those events remove {self._path}",
            )

    def move(self, head: Checkpoint) -> None:
        """Takes note of a place, before anybody hears that it is durable. Where it cannot, the log is as good as ever,
        and only the loss of its end would go unseen.
        """
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.pwrite(self._descriptor, Acknowledged(head.store_id, head.pos, head.root).line(), 0)
        except OSError as error:
            if not self._failed:
                NamedLog("store").warning("acknowledged.unwritten", path=str(self._path), reason=str(error))
            self._failed = True

    def close(self) -> None:
        """Lets go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def lost_end(known: Acknowledged, head: Checkpoint | None) -> str:
    """What is wrong with a log that ends at `head`, None where there is none; empty where nothing is."""
    if head is None:
        return f"there is no log, but position {known.pos} of log {known.store_id} was acknowledged here"
    if head.store_id != known.store_id:
        return (
            f"this is log {head.store_id}; position {known.pos} of log {known.store_id} was acknowledged here"
        )
    if head.pos < known.pos:
        return (
            f"the log ends at position {head.pos}, but position {known.pos} was acknowledged:"
            f" {known.pos - head.pos} events are lost"
        )
    if head.pos == known.pos and head.root != known.root:
        return f"position {head.pos} has another root than the one that was acknowledged"
    return ""


def held_to(known: Acknowledged | None, report: VerifyReport) -> VerifyReport:
    """A check's report, held to what was acknowledged before the check began."""
    if known is None or not report.ok or report.positions >= known.pos:
        return report
    reason = f"it was acknowledged, and the log ends at {report.positions}"
    return replace(report, ok=False, first_bad=(report.positions + 1, reason))
