"""What is known of an installed distribution without running any of its code."""

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

from sep_core.plugins.names import normalised


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed distribution; `record_sha256` pins its files, an editable install has none to pin."""

    name: str
    version: str
    record_sha256: str | None
    editable: bool


def installed(dist: Distribution) -> Installed:
    """Reads the distribution's metadata."""
    editable = _editable(dist)
    record = None if editable else dist.read_text("RECORD")
    digest = None if record is None else hashlib.sha256(record.encode()).hexdigest()
    return Installed(normalised(dist.name), dist.version, digest, editable)


def shadowed(dist: Distribution, package: str, folder: Path) -> str:
    """Where the distribution put its package, if that is not where Python finds it; else empty.

    An editable install puts it anywhere.
    """
    if _editable(dist):
        return ""
    own = Path(str(dist.locate_file(package)))
    return "" if not own.is_dir() or own.resolve() == folder.resolve() else str(own)


def _editable(dist: Distribution) -> bool:
    text = dist.read_text("direct_url.json")
    if text is None:
        return False
    try:
        return bool(json.loads(text).get("dir_info", {}).get("editable", False))
    except (ValueError, AttributeError):
        return True  # unreadable: trust it no more than an editable install
