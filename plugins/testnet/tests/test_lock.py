"""The lock admits exactly the locked bytes, and says so when a platform has none."""

import base64
import hashlib
import io
import sys
import tarfile
from pathlib import Path

import pytest
from sep_testnet.artifacts import check_init_codes, load_artifacts
from sep_testnet.errors import ArtifactRefused, TestnetUnavailable
from sep_testnet.fetch import ensure_packages, locked_file, package_folder, unpack
from sep_testnet.lock import LockedFile, LockedPackage, host_platform, load_lock

pytest_plugins = ["sep_testnet.fixtures"]

CONTENT = b'{"bytecode": "0x00"}'


def tarball(path: Path, members: dict[str, bytes]) -> bytes:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path.read_bytes()


def locked(content: bytes) -> LockedPackage:
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    file = LockedFile("build/Thing.json", hashlib.sha256(CONTENT).hexdigest())
    return LockedPackage("@some/package", "1.0.0", integrity, {"Thing": file})


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[LockedPackage, Path]:
    monkeypatch.setenv("SEP_TESTNET_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "package.tgz"
    content = tarball(path, {"build/Thing.json": CONTENT, "package.json": b"{}", "../../escaped": b"no"})
    return locked(content), path


def answer_with(tarball: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a package manager first that answers every request with this tarball."""
    npm = folder / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f"#!{sys.executable}\nimport shutil\nshutil.copy({str(tarball)!r}, 'package.tgz')\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(npm.parent), prepend=":")


def test_only_listed_files_are_taken_out(package: tuple[LockedPackage, Path], tmp_path: Path) -> None:
    entry, path = package
    unpack(entry, path, tmp_path / "out")
    assert [found.name for found in (tmp_path / "out").rglob("*") if found.is_file()] == ["Thing.json"]


@pytest.mark.parametrize("position", [0, 20, -1])
def test_a_tampered_tarball_is_refused_and_nothing_is_written(
    package: tuple[LockedPackage, Path], tmp_path: Path, position: int
) -> None:
    entry, path = package
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ArtifactRefused, match="not the package that the lock names"):
        unpack(entry, path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_changed_in_the_cache_is_refused(package: tuple[LockedPackage, Path]) -> None:
    entry, path = package
    unpack(entry, path, package_folder(entry))
    assert locked_file(entry, "Thing").read_bytes() == CONTENT
    (package_folder(entry) / "build/Thing.json").write_bytes(CONTENT + b" ")
    with pytest.raises(ArtifactRefused, match="was changed"):
        locked_file(entry, "Thing")


def test_the_package_manager_s_bytes_are_verified_too(
    package: tuple[LockedPackage, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that answers with another tarball leaves the cache as it was."""
    entry, _ = package
    other = tmp_path / "other.tgz"
    tarball(other, {"build/Thing.json": b'{"bytecode": "0xbad"}'})
    answer_with(other, tmp_path, monkeypatch)
    with pytest.raises(ArtifactRefused):
        ensure_packages([entry])
    assert not package_folder(entry).exists()
    assert list(package_folder(entry).parent.iterdir()) == []


def test_without_npm_and_cache_the_reason_is_told(
    package: tuple[LockedPackage, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TestnetUnavailable, match="npm is not installed"):
        ensure_packages([package[0]])


def test_a_cache_that_cannot_be_written_is_named(
    package: tuple[LockedPackage, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEP_TESTNET_CACHE", str(tmp_path / "file"))
    answer_with(package[1], tmp_path, monkeypatch)
    with pytest.raises(TestnetUnavailable, match="SEP_TESTNET_CACHE"):
        ensure_packages([package[0]])


def test_a_platform_without_a_node_is_named() -> None:
    assert host_platform("linux", "x86_64") == "linux-amd64"
    assert host_platform("darwin", "arm64") == "darwin-arm64"
    with pytest.raises(TestnetUnavailable, match="no test node for sunos5-sparc"):
        load_lock().node_for(host_platform("sunos5", "sparc"))


@pytest.mark.anvil
@pytest.mark.usefixtures("testnet_artifacts")
def test_init_code_hashes_match_and_any_other_code_is_refused() -> None:
    creation = dict(load_artifacts().creation)
    check_init_codes(load_lock(), creation)
    creation["UniswapV2Pair"] += b"\0"
    with pytest.raises(ArtifactRefused, match="UniswapV2Pair"):
        check_init_codes(load_lock(), creation)
