"""Contracts of our own: sources that come with this package, compiled once into the cache."""

import hashlib
import re
import shutil
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from .cache import cache_folder, filled_at_once
from .errors import TestnetError

SOURCES = {"StablePool": "stable_pool.vy"}
"""Files in `contracts`, by the name under which their creation code is known."""

_CODE = "creation.hex"
_HEX = re.compile(r"(?:[0-9a-f]{2})+")


def own_creation_codes() -> dict[str, bytes]:
    """Give the creation code of each, by name. Raises `TestnetError` where a source does not compile."""
    return {name: _creation_code(name) for name in SOURCES}


def _creation_code(name: str) -> bytes:
    source = files("sep_testnet").joinpath("contracts", SOURCES[name]).read_text(encoding="utf-8")
    compiler = version("vyper")
    digest = hashlib.sha256(f"{compiler}\n{source}".encode()).hexdigest()
    folder = cache_folder() / "compiled" / f"{name}-{digest[:32]}"
    cached = _read(folder / _CODE)
    if cached is None:
        shutil.rmtree(folder, ignore_errors=True)
        with filled_at_once(folder) as staging:
            (staging / _CODE).write_text(_compiled(name, source), encoding="ascii")
        cached = _read(folder / _CODE)
    if cached is None:
        raise TestnetError(
            f"what was compiled of {name} cannot be read from {folder}", next_step=f"delete {folder}"
        )
    return cached


def _read(path: Path) -> bytes | None:
    """Give cached code; none when it is absent or damaged, for then it is compiled anew."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return bytes.fromhex(text) if _HEX.fullmatch(text) else None


def _compiled(name: str, source: str) -> str:
    # The compiler costs a sixth of a second to import and seconds to run: only a first start pays it.
    from vyper import compile_code
    from vyper.exceptions import VyperException

    try:
        code = compile_code(source, output_formats=["bytecode"])["bytecode"]
    except VyperException as error:
        raise TestnetError(f"the contract {name} does not compile: {error}") from error
    return str(code).removeprefix("0x").lower()
