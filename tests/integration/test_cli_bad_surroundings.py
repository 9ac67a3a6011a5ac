"""Nodes, ports, folders and logs that are not as they should be: said in a sentence, nothing sent, nothing lost."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from .command import Answer, edited, refused, running, sep

TOKEN = "t" * 43
START_SECONDS = 5.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as `sep init` leaves it."""
    assert sep("init", ".", cwd=tmp_path).code == 0
    return tmp_path


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which an engine has worked and stopped."""
    folder = tmp_path_factory.mktemp("worked")
    assert sep("init", ".", cwd=folder).code == 0
    with running(["run"], folder, "ready") as engine:
        assert engine.stop() == 0
    assert engine.lines[-1].startswith("stopping")
    return folder


@pytest.fixture
def copied(worked: Path, tmp_path: Path) -> Path:
    """A copy of it to be spoiled."""
    return shutil.copytree(worked, tmp_path / "copy")


def test_an_unreachable_node_ends_the_start(tmp_path: Path) -> None:
    """With the address, at once, with a code that is not zero."""
    with _closed_port() as port:
        url = f"http://127.0.0.1:{port}"
        assert sep("init", ".", "--chain", "ethereum", "--rpc", url, cwd=tmp_path).code == 0
        began, load = time.monotonic(), os.getloadavg()[0] / (os.cpu_count() or 1)
        answer = sep("run", cwd=tmp_path)
        assert time.monotonic() - began < START_SECONDS * max(1.0, load)
        refused(answer, 4, "chain ethereum", url, "start the node or correct rpc")
        refused(sep("serve", cwd=tmp_path), 4, url)
        checked = sep("check", cwd=tmp_path)
        assert checked.code == 4
        assert f"NO  chain ethereum: {url} could not be reached" in checked.out
        assert sep("doctor", cwd=tmp_path).code == 1
        assert _events(tmp_path) == []


def test_a_node_of_another_chain_is_refused(tmp_path: Path) -> None:
    """Nothing of it is believed."""
    with _node({"eth_chainId": "0x5"}) as url:
        assert sep("init", ".", "--chain", "ethereum", "--rpc", url, cwd=tmp_path).code == 0
        refused(sep("run", cwd=tmp_path), 3, "chain", "5", url)
        checked = sep("check", cwd=tmp_path)
        assert checked.code == 4
        assert "NO  " in checked.out
        assert _events(tmp_path) == []


def test_a_port_in_use_ends_the_start(folder: Path) -> None:
    """With the port and three ways out; the log is whole."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = sep("serve", "--port", str(port), cwd=folder)
        assert answer.code == 4
        assert f"127.0.0.1:{port} is in use by another program" in answer.err
        assert "next: stop that program" in answer.err
    assert sep("verify", cwd=folder).code == 0


def test_a_file_where_the_data_folder_should_be(folder: Path) -> None:
    """It stays what it is."""
    (folder / "sep-data").write_text("precious")
    for verb in ("run", "serve"):
        refused(sep(verb, cwd=folder), 6, "sep-data", "cannot be made or written")
    refused(sep("status", cwd=folder), 6, "sep-data")
    assert (folder / "sep-data").read_text() == "precious"


def test_a_folder_that_cannot_be_written(copied: Path) -> None:
    """Writers are refused with the folder's name; readers read."""
    before = _files(copied / "sep-data")
    if os.geteuid() == 0:
        # Rights do not bind root; a mount does.
        mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        inside: list[str | Path] = ["unshare", "-rm", "sh", "-c", mount, copied]
        if subprocess.run([*inside, "true"], capture_output=True).returncode:
            pytest.skip("no read-only mount is allowed here, and rights do not bind root")
    else:
        inside = []
        for one in (copied / "sep-data", copied / "sep-data" / "keys"):
            one.chmod(0o500)
    try:
        for verb in ("run", "serve"):
            refused(sep(verb, cwd=copied, inside=inside), 6, str(copied / "sep-data"), "ermission")
        assert sep("verify", cwd=copied, inside=inside).code in (0, 6)
    finally:
        (copied / "sep-data").chmod(0o700)
        (copied / "sep-data" / "keys").chmod(0o700)
    assert _files(copied / "sep-data") == before


def test_a_second_engine_is_refused(folder: Path) -> None:
    """With the first one's process; that goes on, and readers read."""
    with running(["run"], folder, "ready") as engine:
        for verb in ("run", "serve"):
            refused(sep(verb, cwd=folder), 6, "another engine", str(engine.process.pid), "stop it first")
        assert sep("status", cwd=folder).code == 0
        assert engine.process.poll() is None
        assert engine.stop(signal.SIGTERM) == 0
    assert sep("verify", cwd=folder).code == 0


def test_an_engine_that_was_killed_leaves_a_log_that_goes_on(folder: Path) -> None:
    """The lock goes with the process."""
    with running(["serve", "--port", "0"], folder, "ready") as engine:
        assert engine.stop(signal.SIGKILL) == -signal.SIGKILL
    refused(sep("submit", "sep.toml", cwd=folder), 4, "no engine answers", "nothing was sent", "sep serve")
    with running(["serve", "--port", "0"], folder, "ready") as engine:
        assert engine.stop() == 0
    assert sep("verify", cwd=folder).code == 0


def test_a_changed_record_is_found(copied: Path) -> None:
    """Verification names the first bad position and why; so does the doctor."""
    _change_record(copied / "sep-data" / "log.sqlite3", 1, b"paper", b"PAPER")
    verified = sep("verify", cwd=copied)
    assert verified.code == 1
    assert verified.out.startswith("BROKEN at position 1: ")
    assert "next  stop the engine" in verified.out
    told = sep("verify", "--json", cwd=copied)
    assert (told.code, told.json["ok"], told.json["first_bad"]["position"]) == (1, False, 1)
    looked = sep("doctor", cwd=copied)
    assert looked.code == 1
    assert "broken at position 1" in looked.out


def test_a_damaged_file_is_neither_read_nor_written(copied: Path) -> None:
    """By anybody; it stays as it is, for whoever repairs it."""
    log = copied / "sep-data" / "log.sqlite3"
    connection = sqlite3.connect(log)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = log.read_bytes()
    log.write_bytes(data[:4096] + b"\x55" * (len(data) - 4096))
    spoiled = _files(copied / "sep-data")
    for verb in ("run", "serve", "status", "events", "verify"):
        refused(sep(verb, cwd=copied), 6, "log.sqlite3", "damaged")
    refused(sep("verify", cwd=copied), 6, "restore a backup beside it")
    assert _files(copied / "sep-data") == spoiled


def test_what_is_no_log_is_refused(copied: Path) -> None:
    """A text, a database of somebody else, nothing at all, a log whose key is gone."""
    log = copied / "sep-data" / "log.sqlite3"
    (copied / "sep-data" / "keys" / "log.key").rename(copied / "log.key")
    refused(sep("run", cwd=copied), 6, "log.key is missing", "restore it")
    (copied / "log.key").rename(copied / "sep-data" / "keys" / "log.key")
    for name in ("log.sqlite3", "log.sqlite3-wal", "log.sqlite3-shm"):
        log.with_name(name).unlink(missing_ok=True)
    log.write_text("no database, " * 1000)
    refused(sep("run", cwd=copied), 6, "log.sqlite3", "is not a SQLite file")
    refused(sep("verify", cwd=copied), 6, "log.sqlite3", "is not a SQLite file")
    log.unlink()
    with sqlite3.connect(log) as connection:
        connection.execute("CREATE TABLE other (one INTEGER)")
    connection.close()
    refused(sep("run", cwd=copied), 6, "log.sqlite3", "not a SEP log")
    refused(sep("verify", "nowhere", cwd=copied), 6, "nowhere holds no log")
    refused(sep("verify", "sep.toml", cwd=copied), 6, "sep.toml")
    log.unlink()
    refused(sep("verify", cwd=copied), 6, "sep-data holds no log")
    refused(sep("status", cwd=copied), 6, "sep-data holds no log")


def test_what_is_no_proof_is_refused(copied: Path) -> None:
    """Bytes, lines of something else, and what is nested without end, where a checkpoint or a receipt should be."""
    noise, lines, deep = copied / "noise.json", copied / "lines.note", copied / "deep.json"
    noise.write_bytes(b"\x00\xff" * 100)
    lines.write_text("one\ntwo\n\n")
    deep.write_text("[" * 100_000)
    refused(sep("verify", "--anchor", str(noise), cwd=copied), 2, "noise.json is no text", "--anchor")
    refused(sep("verify", "--anchor", str(lines), cwd=copied), 1, "not a checkpoint of a SEP log")
    for path in (noise, deep):
        refused(
            sep("verify", str(path), cwd=copied), 1, f"{path} is no receipt", "GET /v1/intents/ID/receipt"
        )
    (copied / "sep.toml").write_bytes(b"\xff\x00" * 10)
    refused(sep("verify", cwd=copied), 3, "sep.toml is not UTF-8: byte 0")


def test_without_an_engine_nothing_is_sent(copied: Path) -> None:
    """No token, no engine, somebody else's server, an engine that dies over the request: each told apart."""
    refused(sep("submit", "-", cwd=copied), 4, "api-token", "sep serve")
    token = copied / "sep-data" / "api-token"
    token.write_text(TOKEN)
    token.chmod(0o644)
    refused(sep("submit", "-", cwd=copied), 4, "api-token", "chmod 600")
    token.chmod(0o600)
    with _closed_port() as port:
        edited(copied / "sep.toml", ("[plugins]", f"[api]\nport = {port}\n\n[plugins]"))
        refused(sep("submit", "-", cwd=copied), 4, f"127.0.0.1:{port}", "nothing was sent", "sep serve")
    with _node({}) as url:
        edited(copied / "sep.toml", (f"port = {port}", f"port = {url.rpartition(':')[2]}"))
        refused(sep("submit", "-", cwd=copied), 4, url, "is no engine", "sep.toml")
    with _dying_server() as other:
        edited(copied / "sep.toml", (f"port = {url.rpartition(':')[2]}", f"port = {other}"))
        refused(
            sep("submit", "-", cwd=copied), 5, f"127.0.0.1:{other}", "not known", "a repeat changes nothing"
        )


def test_a_file_that_is_not_there(copied: Path) -> None:
    """Is a wrong command line."""
    refused(sep("submit", "there.json", cwd=copied), 2, "there.json", "--help")
    refused(sep("submit", ".", cwd=copied), 2, "directory")
    refused(sep("run", "--log", "no/where.log", cwd=copied), 4, "no/where.log")


def _events(folder: Path) -> list[object]:
    answer: Answer = sep("events", "--json", cwd=folder)
    assert answer.code in (0, 6)
    return [json.loads(line) for line in answer.out.splitlines()]


def _change_record(log: Path, position: int, old: bytes, new: bytes) -> None:
    """Changes a record as somebody would who can write the file: the guards are lifted and put back."""
    connection = sqlite3.connect(log)
    with connection:
        guards = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        (record,) = connection.execute("SELECT record FROM events WHERE pos = ?", (position,)).fetchone()
        assert old in record
        connection.execute("UPDATE events SET record = ? WHERE pos = ?", (record.replace(old, new), position))
        for _, statement in guards:
            connection.execute(statement)
    connection.close()


def _files(folder: Path) -> dict[str, bytes]:
    kept = ("log.sqlite3", "log.sqlite3-wal", "keys/log.key", "keys/vault.key")
    found = {name: (folder / name).read_bytes() for name in kept if (folder / name).exists()}
    return {name: content for name, content in found.items() if content}


@contextmanager
def _closed_port() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else takes meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def _node(answers: dict[str, str]) -> Iterator[str]:
    """An HTTP server that knows some JSON-RPC methods, and nothing of SEP."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"[]")
            asked = body if isinstance(body, list) else [body]
            said = [
                {"jsonrpc": "2.0", "id": one.get("id"), "result": answers.get(one.get("method", ""))}
                for one in asked
                if isinstance(one, dict)
            ]
            content = json.dumps(said if isinstance(body, list) else said[0]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _dying_server() -> Iterator[int]:
    """Takes one request and closes without an answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def die() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)

        thread = threading.Thread(target=die, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=10)
