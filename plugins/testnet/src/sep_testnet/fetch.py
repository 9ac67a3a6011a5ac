"""Brings locked packages into the cache: fetched, verified, and only the listed files taken out."""

import base64
import hashlib
import hmac
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from .cache import cache_folder, filled_at_once
from .errors import ArtifactRefused, TestnetUnavailable
from .lock import LockedPackage

FETCH_TIMEOUT_SECONDS = 180
_PARALLEL_FETCHES = 4
# Its own waits between attempts add up to minutes where there is no network.
_NPM_OPTIONS = (
    "--ignore-scripts",
    "--loglevel=error",
    "--prefer-offline",
    "--fetch-retries=2",
    "--fetch-retry-mintimeout=500",
    "--fetch-retry-maxtimeout=4000",
)

type Progress = Callable[[str], None]


def quiet(_line: str) -> None:
    """Report progress to nobody."""


def ensure_packages(packages: Sequence[LockedPackage], progress: Progress = quiet) -> None:
    """Fetch what the cache lacks. Raises `TestnetUnavailable`, or `ArtifactRefused` on other bytes."""
    missing = [package for package in packages if not package_folder(package).is_dir()]
    if not missing:
        return
    progress(f"fetching {len(missing)} packages for the testnet, once, into {cache_folder()}")
    with ThreadPoolExecutor(_PARALLEL_FETCHES) as pool:
        fetches = [pool.submit(_fetch, package) for package in missing]
        try:
            for fetch in as_completed(fetches):
                progress(f"  {fetch.result().specifier}: verified")
        finally:
            # After a failure the rest is not begun.
            pool.shutdown(wait=False, cancel_futures=True)


def package_folder(package: LockedPackage) -> Path:
    """Say where a package's files lie once it is fetched."""
    return cache_folder() / "artifacts" / package.folder_name


def locked_file(package: LockedPackage, name: str) -> Path:
    """Give the path of a cached file. Raises `ArtifactRefused` when its bytes are not the locked ones."""
    file = package.files[name]
    path = package_folder(package) / file.path
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if not hmac.compare_digest(found, file.sha256):
        raise ArtifactRefused(
            f"{path} was changed: its sha256 is {found}, the lock says {file.sha256}",
            next_step=f"delete {package_folder(package)}; the next start fetches it again",
        )
    return path


def unpack(package: LockedPackage, tarball: Path, folder: Path) -> None:
    """Verify a tarball and write the listed files. Raises `ArtifactRefused` before anything is written."""
    algorithm, _, expected = package.integrity.partition("-")
    with tarball.open("rb") as opened:
        digest = hashlib.file_digest(opened, algorithm).digest()
    found = base64.b64encode(digest).decode()
    if not hmac.compare_digest(found, expected):
        raise ArtifactRefused(
            f"{package.specifier} is not the package that the lock names:"
            f" its {algorithm} is {found}, the lock says {expected}; nothing of it was kept",
            next_step="check the package registry or proxy that this machine uses, then try again",
        )
    with tarfile.open(tarball) as archive:
        for file in package.files.values():
            member = archive.extractfile(f"package/{file.path}")
            if member is None:
                raise ArtifactRefused(f"{package.specifier} holds no plain file {file.path}")
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as opened:
                shutil.copyfileobj(member, opened)
            target.chmod(0o755 if target.parent.name == "bin" else 0o644)


def _fetch(package: LockedPackage) -> LockedPackage:
    with tempfile.TemporaryDirectory(prefix="sep-testnet-") as scratch:
        tarball = _pack(package, Path(scratch))
        with filled_at_once(package_folder(package)) as folder:
            unpack(package, tarball, folder)
    return package


def _pack(package: LockedPackage, scratch: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise TestnetUnavailable(
            f"{package.specifier} is not in the cache {cache_folder()} and npm is not installed",
            next_step="install Node's npm, or copy the cache from a machine that has it",
        )
    command = [npm, "pack", package.specifier, "--pack-destination", ".", *_NPM_OPTIONS]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command on locked names
            command, cwd=scratch, capture_output=True, text=True, timeout=FETCH_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TestnetUnavailable(
            f"fetching {package.specifier} took longer than {FETCH_TIMEOUT_SECONDS} s",
            next_step="check the network and try again",
        ) from error
    tarballs = list(scratch.glob("*.tgz"))
    if done.returncode != 0 or len(tarballs) != 1:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise TestnetUnavailable(
            f"npm could not fetch {package.specifier}: {reason[0] if reason else 'it gave no reason'}",
            next_step=f"check with: npm view {package.specifier}",
        )
    return tarballs[0]
