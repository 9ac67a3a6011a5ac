"""The socket: one request a line, each on a connection of its own, from processes whose user the kernel names."""

import json
import os
import socket
import stat
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread
from anyio.streams.buffered import BufferedByteReceiveStream
from prometheus_client import CollectorRegistry, Counter, start_http_server
from sep_hooks.errors import SepError, SignerRefused
from sep_native.sign import Keystore

from sep_signer.desk import Account, Desk
from sep_signer.ledger import Ledger
from sep_signer.policy import Reason
from sep_signer.settings import AccountRules, SignerSettings

REQUEST_LIMIT_BYTES = 1024 * 1024
REQUEST_SECONDS = 10.0


class SocketTaken(SepError):
    """A signer answers at the socket already."""

    code = "socket_taken"


def unlocked(name: str, rules: AccountRules) -> Account:
    """Opens a key file, which takes about a second. Raises `SignerRefused`."""
    try:
        for path in (rules.password_file, rules.key):
            if path.stat().st_mode & 0o077:
                raise SignerRefused(f"{path} is open to others", next_step=f"chmod 600 {path}")
        password = rules.password_file.read_text().strip().encode()
    except (OSError, UnicodeDecodeError) as error:
        raise SignerRefused(f"account {name}: {error}") from None
    return Account(name, rules, Keystore.open(rules.key, password))


async def serve(settings: SignerSettings, ready: Callable[[], None]) -> None:
    """Answers until cancelled; `ready` is called once it does. Raises `SignerRefused` or `SocketTaken`."""
    accounts = {
        name: await anyio.to_thread.run_sync(unlocked, name, rules)
        for name, rules in settings.accounts.items()
    }
    ledger = Ledger(settings.database)
    desk = Desk(settings, accounts, ledger, lambda: datetime.now(UTC), _counter(settings, ledger))
    _free(settings.socket)
    try:
        async with await anyio.create_unix_listener(settings.socket, mode=0o660) as listener:
            ready()
            await listener.serve(lambda stream: _answer(desk, stream))
    finally:
        ledger.close()
        settings.socket.unlink(missing_ok=True)


async def _answer(desk: Desk, stream: anyio.abc.SocketStream) -> None:
    async with stream:
        try:
            with anyio.fail_after(REQUEST_SECONDS):
                uid = peer_uid(stream.extra(anyio.abc.SocketAttribute.raw_socket))  # noqa: S610
                line = await BufferedByteReceiveStream(stream).receive_until(b"\n", REQUEST_LIMIT_BYTES)
                # What is begun is finished: the answer may be lost, the row is not.
                answer = await anyio.to_thread.run_sync(desk.answer, uid, line)
                await stream.send(json.dumps(answer).encode() + b"\n")
        except (TimeoutError, OSError, anyio.EndOfStream, anyio.BrokenResourceError):
            return
        except (anyio.IncompleteRead, anyio.DelimiterNotFound, anyio.ClosedResourceError):
            return


def peer_uid(raw: socket.socket) -> int:
    """The user of the process at the other end, by the kernel's word (`SO_PEERCRED`, Linux)."""
    layout = struct.Struct("3i")
    _, uid, _ = layout.unpack(raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size))
    return int(uid)


def _free(path: Path) -> None:
    """Removes what a killed signer left; a signer that works is left alone. Raises `SocketTaken`."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise SocketTaken(f"{path} is no socket; it was left as it is")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(REQUEST_SECONDS)
        if probe.connect_ex(os.fspath(path)) == 0:
            raise SocketTaken(f"a signer works at {path} already; nothing was started")
    path.unlink()


def _counter(settings: SignerSettings, ledger: Ledger) -> Callable[[Reason], None]:
    """Counts refusals by reason, from what the database holds on."""
    registry = CollectorRegistry()
    refusals = Counter(
        "sep_signer_refusals_total", "What was not signed, by reason", ["reason"], registry=registry
    )
    for reason in Reason:
        refusals.labels(reason.value).inc(ledger.refusals().get(reason.value, 0))
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, "127.0.0.1", registry)
    return lambda reason: refusals.labels(reason.value).inc()
