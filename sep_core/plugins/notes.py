"""Notes that a dying engine leaves in the data folder, for the next start to read."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sep_hooks.capabilities import PluginKind

from sep_core.plugins.reference import PluginRef

FOLDER: Final = "quarantine"
SLOT_FILE: Final = "holding"


@dataclass(frozen=True, slots=True)
class Note:
    """Why an engine stopped itself: which plugin, in which call, and where it stood in the code."""

    plugin: PluginRef
    call: str
    reason: str
    where: tuple[str, ...] = ()


def write_note(folder: Path, note: Note) -> Path:
    """Puts a note on disk, durably: whole or not at all."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    plugin = note.plugin
    name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{plugin.kind}.{plugin.name}.{plugin.instance}")[:200]
    path = folder / f"{name}.json"
    temporary = folder / f".{name}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, json.dumps(asdict(note), indent=2).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)
    _sync(folder)
    return path


def read_notes(folder: Path) -> Sequence[tuple[Path, Note]]:
    """All notes of a folder; one that cannot be read is passed over (it was never whole)."""
    result = []
    for path in sorted(folder.glob("*.json")):
        try:
            raw = json.loads(path.read_bytes())
            plugin = PluginRef(**{**raw["plugin"], "kind": PluginKind(raw["plugin"]["kind"])})
            result.append((path, Note(plugin, raw["call"], raw["reason"], tuple(raw["where"]))))
        except (ValueError, KeyError, TypeError, OSError):
            continue
    return result


def remove_notes(paths: Sequence[Path]) -> None:
    """Takes notes away, after what they say stands in the log."""
    for path in paths:
        path.unlink(missing_ok=True)
    if paths:
        _sync(paths[0].parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
