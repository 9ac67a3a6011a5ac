"""Compiles the contract when the package is built: its bytecode is never committed."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("src/sep_executor/contracts/executor.vy")
BUILT = Path("src/sep_executor/built/executor.json")


class CompileContract(BuildHookInterface):  # type: ignore[misc]
    """Writes creation code, runtime code and the digest of the source that they come from."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles before the files are collected, for a wheel and for an editable install alike."""
        root = Path(self.root)
        (root / BUILT).parent.mkdir(exist_ok=True)
        (root / BUILT).write_text(json.dumps(compiled(root / SOURCE), indent=1) + "\n", encoding="ascii")


def compiled(source: Path) -> dict[str, str]:
    """What the compiler makes of a source."""
    from vyper import compile_code

    text = source.read_text(encoding="utf-8")
    made = compile_code(text, output_formats=["bytecode", "bytecode_runtime"])
    return {
        "compiler": f"vyper {version('vyper')}",
        "source_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "creation_code": made["bytecode"],
        "runtime_code": made["bytecode_runtime"],
    }
