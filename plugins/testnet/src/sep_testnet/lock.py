"""The artifact lock: which packages, in which exact bytes, and which files of them are used."""

import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from .errors import TestnetUnavailable

_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class LockedFile:
    """One file inside a package; `path` is relative to the package's root."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One package at one version; `integrity` is the sha512 of its tarball."""

    package: str
    version: str
    integrity: str
    files: Mapping[str, LockedFile]

    @property
    def specifier(self) -> str:
        """The name by which the package manager fetches exactly this package."""
        return f"{self.package}@{self.version}"

    @property
    def folder_name(self) -> str:
        """A file-system name that differs wherever the content could."""
        digest = hashlib.sha256(self.integrity.encode()).hexdigest()[:12]
        return f"{self.package.strip('@').replace('/', '-')}-{self.version}-{digest}"


@dataclass(frozen=True, slots=True)
class ArtifactLock:
    """Everything that the testnet fetches; `digest` changes with any of it."""

    node: Mapping[str, LockedPackage]
    contracts: tuple[LockedPackage, ...]
    init_code_keccak: Mapping[str, str]
    digest: str

    def node_for(self, host: str) -> LockedPackage:
        """Give the node's package for a platform. Raises `TestnetUnavailable` where there is none."""
        found = self.node.get(host)
        if found is None:
            raise TestnetUnavailable(
                f"the artifact lock has no test node for {host}",
                next_step=f"use one of: {', '.join(sorted(self.node))}",
            )
        return found


def host_platform(system: str = sys.platform, machine: str = "") -> str:
    """Name a platform as the lock does, e.g. `linux-amd64`."""
    kind = (machine or platform.machine()).lower()
    return f"{system}-{_MACHINES.get(kind, kind)}"


def parse_lock(text: bytes) -> ArtifactLock:
    """Read a lock file; its digest is that of the bytes."""
    raw = json.loads(text)
    return ArtifactLock(
        node={host: _package(entry) for host, entry in raw["node"].items()},
        contracts=tuple(_package(entry) for entry in raw["contracts"]),
        init_code_keccak=raw["init_code_keccak"],
        digest=hashlib.sha256(text).hexdigest(),
    )


@cache
def load_lock() -> ArtifactLock:
    """Give the lock that comes with this package."""
    return parse_lock(files("sep_testnet").joinpath("artifacts.lock.json").read_bytes())


def _package(entry: Mapping[str, object]) -> LockedPackage:
    raw_files = entry["files"]
    assert isinstance(raw_files, Mapping)
    return LockedPackage(
        package=str(entry["package"]),
        version=str(entry["version"]),
        integrity=str(entry["integrity"]),
        files={name: LockedFile(file["path"], file["sha256"]) for name, file in raw_files.items()},
    )
