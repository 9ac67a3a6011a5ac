"""The server itself: addresses, ports, the token's file, and what nobody may see when SEP itself is wrong."""

import errno
import os
import stat
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest

from sep_core.api import serve
from sep_core.runtime.api_token import TokenUnavailable, ensure_token, read_token

pytestmark = pytest.mark.anyio


class Broken:
    """An engine whose every part fails in a way that nobody foresaw."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"secret inside of {name}")


def untold(_: str) -> None:
    """Takes the address."""


async def test_a_port_in_use_is_named() -> None:
    """With its host, so that the message alone helps."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as taken:
        port = taken.extra(anyio.abc.SocketAttribute.local_port)
        with pytest.raises(OSError, match=f"127.0.0.1:{port} is in use") as refused:
            await serve(cast(Any, Broken()), "t", "127.0.0.1", port, started=untold)
        assert refused.value.errno == errno.EADDRINUSE


async def test_an_address_of_another_machine_is_named() -> None:
    """Not a traceback of the socket's."""
    with pytest.raises(OSError, match=r"192.0.2.1:1 cannot be listened on"):
        await serve(cast(Any, Broken()), "t", "192.0.2.1", 1, started=untold)


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::1", "[::1]")]
)
async def test_a_failure_of_our_own_shows_nothing_of_its_inside(host: str, shown: str) -> None:
    """On each loopback name: 500 as a problem document; the probe that depends on nothing still answers."""
    async with anyio.create_task_group() as group:
        told: list[str] = []
        ready = anyio.Event()

        def started(url: str) -> None:
            told.append(url)
            ready.set()

        async def run() -> None:
            await serve(cast(Any, Broken()), "t", host, 0, started=started)

        group.start_soon(run)
        with anyio.fail_after(10):
            await ready.wait()
            if shown == "127.0.0.1" and host == "localhost":
                assert told[0].startswith(("http://127.0.0.1:", "http://[::1]:"))
            else:
                assert told[0].startswith(f"http://{shown}:")
            async with httpx.AsyncClient(base_url=told[0]) as client:
                for path in ("/v1/chains", "/health", "/v1/intents", "/metrics", "/v1/stream"):
                    answer = await client.get(path)
                    assert answer.status_code == 500, path
                    assert answer.json()["code"] == "internal"
                    assert "secret" not in answer.text
                    assert "RuntimeError" not in answer.text
                assert (await client.get("/livez")).status_code == 200
        group.cancel_scope.cancel()


def test_a_token_is_made_once_and_private(tmp_path: Path) -> None:
    """And read by the command line."""
    path, token = ensure_token(tmp_path / "data")
    assert path == tmp_path / "data" / "api-token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(token) >= 43
    assert ensure_token(tmp_path / "data") == (path, token)
    assert read_token(tmp_path / "data") == token
    assert ensure_token(tmp_path / "other")[1] != token


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_token_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """With the command that mends it."""
    path, _ = ensure_token(tmp_path)
    path.chmod(mode)
    with pytest.raises(TokenUnavailable, match="chmod 600"):
        ensure_token(tmp_path)


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 40, b"a b" * 20])
def test_a_damaged_token_is_refused(tmp_path: Path, content: bytes) -> None:
    """Never an empty one that everybody knows."""
    path, _ = ensure_token(tmp_path)
    path.write_bytes(content)
    with pytest.raises(TokenUnavailable, match="holds no token"):
        read_token(tmp_path)


def test_a_missing_token_names_the_next_command(tmp_path: Path) -> None:
    """For a command line that comes before the engine."""
    with pytest.raises(TokenUnavailable, match="sep serve"):
        read_token(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """As an error of the folder, not of the program."""
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenUnavailable, match=os.fspath(tmp_path / "file")):
        ensure_token(tmp_path / "file" / "data")
