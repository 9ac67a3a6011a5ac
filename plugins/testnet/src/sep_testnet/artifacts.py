"""The node's binary and the contracts' creation code, as the lock names them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .cache import cache_folder
from .encoding import keccak
from .errors import ArtifactRefused
from .fetch import Progress, ensure_packages, locked_file, quiet
from .lock import ArtifactLock, LockedPackage, host_platform, load_lock
from .own_contracts import own_creation_codes


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Verified artifacts: `anvil` is executable, `creation` and `runtime` map contract names to code.

    Our own contracts stand beside the fetched ones: what was compiled of them, not a fetched file.
    """

    anvil: Path
    node_version: str
    creation: Mapping[str, bytes]
    runtime: Mapping[str, bytes]
    lock_digest: str


def load_artifacts(progress: Progress = quiet) -> Artifacts:
    """Give the artifacts, fetched where the cache lacks them; verified once in a process."""
    lock = load_lock()
    ensure_packages([lock.node_for(host_platform()), *lock.contracts], progress)
    return _verified(cache_folder())


@cache
def _verified(_cache: Path) -> Artifacts:
    lock = load_lock()
    node = lock.node_for(host_platform())
    creation: dict[str, bytes] = {}
    runtime: dict[str, bytes] = {}
    for package in lock.contracts:
        for name in package.files:
            compiled = _compiled(package, name)
            creation[name] = _code(compiled, "bytecode")
            if "deployedBytecode" in compiled:
                runtime[name] = _code(compiled, "deployedBytecode")
    check_init_codes(lock, creation)
    creation |= own_creation_codes()
    return Artifacts(locked_file(node, "anvil"), node.version, creation, runtime, lock.digest)


def check_init_codes(lock: ArtifactLock, creation: Mapping[str, bytes]) -> None:
    """Compare the creation code of pools with the hashes that routers derive addresses from."""
    for name, expected in lock.init_code_keccak.items():
        found = "0x" + keccak(creation[name]).hex()
        if found != expected:
            raise ArtifactRefused(f"the creation code of {name} hashes to {found}, not to {expected}")


def _compiled(package: LockedPackage, name: str) -> Mapping[str, object]:
    compiled = json.loads(locked_file(package, name).read_bytes())
    assert isinstance(compiled, dict)
    return compiled


def _code(compiled: Mapping[str, object], key: str) -> bytes:
    return bytes.fromhex(str(compiled[key]).removeprefix("0x"))
