"""Writes small installed distributions into a folder, as an installer would leave them."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent


def write_dist(
    site: Path,
    name: str,
    *,
    entry_points: Mapping[str, Mapping[str, str]],
    files: Mapping[str, str],
    version: str = "1.0",
) -> Path:
    """Installs a distribution into `site`, a folder for the search path; answers its `.dist-info`.

    `entry_points` are groups of name to target, `files` paths below `site` to texts (dedented).
    """
    for path, text in files.items():
        target = site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(dedent(text), encoding="utf-8")
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: Apache-2.0\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    groups = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for group, entries in entry_points.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
    recorded = [*sorted(files), f"{info.name}/METADATA", f"{info.name}/entry_points.txt"]
    lines = [_record_line(site, path) for path in recorded]
    (info / "RECORD").write_text("".join([*lines, f"{info.name}/RECORD,,\n"]), encoding="utf-8")
    return info


def manifest_text(kind: str, name: str, *, api: str = ">=0.1,<1", more: str = "") -> str:
    """A manifest with one plugin; `more` is appended."""
    return f'schema = 1\n\n[[plugin]]\nname = "{name}"\nkind = "{kind}"\napi = "{api}"\n{dedent(more)}'


def _record_line(site: Path, path: str) -> str:
    data = (site / path).read_bytes()
    digest = urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}\n"
