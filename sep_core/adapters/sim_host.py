"""The simulated chain as a process of its own: newline-delimited JSON-RPC over a Unix socket.

It outlives the engine as a real chain would, and ends when it is told to (`sim_shutdown`), by SIGTERM or SIGINT, or
when its lifetime is over. Nobody but its owner can connect.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import click
from sep_native.sim import SimChain, default_genesis

REQUEST_LIMIT_BYTES = 8 * 1024 * 1024
DEFAULT_LIFETIME_SECONDS = 3600.0
_SHUTDOWN = b"sim_shutdown"


def host_command(
    socket_path: Path,
    genesis: Path | None = None,
    *,
    seed: int = 7,
    block_interval_ms: int | None = None,
    lifetime_seconds: float = DEFAULT_LIFETIME_SECONDS,
) -> list[str]:
    """The command line that starts a host; it prints `ready` when calls are answered.

    Start it in a session of its own where it shall outlive the terminal's Ctrl-C.
    """
    command = [sys.executable, "-m", "sep_core.adapters.sim_host", "--socket", str(socket_path)]
    command += ["--genesis", str(genesis)] if genesis is not None else ["--seed", str(seed)]
    if block_interval_ms is not None:
        command += ["--block-interval-ms", str(block_interval_ms)]
    return [*command, "--lifetime-seconds", str(lifetime_seconds)]


class SimHost:
    """Serves one chain until it is stopped. Without an interval, a transaction makes its own block."""

    def __init__(self, chain: SimChain, socket_path: Path, block_interval_ms: int | None) -> None:
        self._chain = chain
        self._socket_path = socket_path
        self._interval_seconds = block_interval_ms / 1000 if block_interval_ms else None
        self._stopped = asyncio.Event()
        chain.rpc("sim_setAutomine", json.dumps([self._interval_seconds is None]))

    def stop(self) -> None:
        """Ends `serve`."""
        self._stopped.set()

    async def serve(self, lifetime_seconds: float) -> None:
        """Answers until it is stopped or its lifetime is over."""
        server = await asyncio.start_unix_server(
            self._connection, sock=_listening(self._socket_path), limit=REQUEST_LIMIT_BYTES
        )
        try:
            async with asyncio.timeout(lifetime_seconds), asyncio.TaskGroup() as group:
                miner = group.create_task(self._mine())
                click.echo("ready")
                await self._stopped.wait()
                miner.cancel()
        except TimeoutError:
            return
        finally:
            server.close()
            server.close_clients()
            self._socket_path.unlink(missing_ok=True)

    async def _mine(self) -> None:
        if self._interval_seconds is None:
            return
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._interval_seconds, loop.time())
            await asyncio.sleep(due - loop.time())
            self._chain.rpc("sim_mine")

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client; whatever becomes of it, the chain goes on."""
        try:
            while line := await reader.readline():
                writer.write(self._answer(line) + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            return
        finally:
            writer.close()

    def _answer(self, line: bytes) -> bytes:
        if _SHUTDOWN not in line:
            return self._chain.rpc_batch(line)
        return self._answer_with_shutdown(line)

    def _answer_with_shutdown(self, line: bytes) -> bytes:
        """The one method that is the host's and not the chain's."""
        try:
            body = json.loads(line)
        except ValueError:
            return self._chain.rpc_batch(line)
        members = body if isinstance(body, list) else [body]
        answers = []
        for member in members:
            if isinstance(member, dict) and member.get("method") == "sim_shutdown":
                self.stop()
                answers.append({"jsonrpc": "2.0", "id": member.get("id"), "result": True})
            else:
                answers.append(json.loads(self._chain.rpc_batch(json.dumps(member).encode())))
        return json.dumps(answers if isinstance(body, list) else answers[0]).encode()


def _listening(path: Path) -> socket.socket:
    """A socket that only its owner may use; a dead host's leftover is replaced, a living one is not."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                try:
                    probe.connect(str(path))
                except OSError:
                    path.unlink(missing_ok=True)
                else:
                    raise click.ClickException(f"{path} is served by another host already; it goes on")
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
    except OSError as error:
        listener.close()
        raise click.ClickException(f"{path}: {error.strerror or error}") from None
    except click.ClickException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


async def _serve(chain: SimChain, path: Path, block_interval_ms: int | None, lifetime_seconds: float) -> None:
    host = SimHost(chain, path, block_interval_ms)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.stop)
    await host.serve(lifetime_seconds)


@click.command()
@click.option(
    "--socket", "path", required=True, type=click.Path(path_type=Path), help="Unix socket to serve."
)
@click.option(
    "--genesis", type=click.Path(path_type=Path), help="Genesis document; else the demonstration's."
)
@click.option("--seed", default=7, help="Seed of the demonstration's genesis.")
@click.option("--block-interval-ms", type=click.IntRange(min=1), help="Mine by this clock, not on arrival.")
@click.option(
    "--lifetime-seconds", default=DEFAULT_LIFETIME_SECONDS, type=click.FloatRange(min=0, min_open=True)
)
def main(
    path: Path, genesis: Path | None, seed: int, block_interval_ms: int | None, lifetime_seconds: float
) -> None:
    """Serves a simulated chain until it is told to stop."""
    try:
        chain = SimChain(genesis.read_text() if genesis is not None else default_genesis(seed))
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{genesis}: {error}") from None
    asyncio.run(_serve(chain, path, block_interval_ms, lifetime_seconds))


if __name__ == "__main__":
    main()
