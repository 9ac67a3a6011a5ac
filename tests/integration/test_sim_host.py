"""The simulated chain as a process of its own: it outlives its clients, and ends when it is told to."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sep_hooks.context import RpcFailed, RpcOk, RpcRequest
from sep_hooks.errors import Ambiguous, CallReverted, RpcRejected, RpcUnavailable
from sep_native.sim import SimChain, default_genesis

from sep_core.adapters.sim_host import host_command
from sep_core.adapters.sim_socket import SimSocketRpc

pytestmark = pytest.mark.anyio

START_SECONDS = 20.0


@asynccontextmanager
async def hosted(command: list[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A host that answers; killed at the end if it still lives."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    try:
        assert await asyncio.wait_for(process.stdout.readline(), START_SECONDS) == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def number(rpc: SimSocketRpc) -> int:
    return int(json.loads(await rpc.call(RpcRequest("eth_blockNumber"))), 16)


async def test_both_mounts_answer_alike(tmp_path: Path) -> None:
    path = tmp_path / "chain.sock"
    genesis = tmp_path / "genesis.json"
    genesis.write_text(default_genesis(5))
    chain = SimChain(default_genesis(5))
    router = json.loads(default_genesis(5))["router"]
    async with hosted(host_command(path, genesis)):
        assert path.stat().st_mode & 0o777 == 0o600
        rpc = SimSocketRpc(path)
        await rpc.call(RpcRequest("sim_mine", (3,)))
        chain.rpc("sim_mine", "[3]")
        latest = await rpc.call(RpcRequest("eth_getBlockByNumber", ("latest", False)))
        assert json.loads(latest) == json.loads(chain.rpc("eth_getBlockByNumber", '["latest", false]'))
        outcomes = await rpc.calls(
            [
                RpcRequest("eth_chainId"),
                RpcRequest("eth_sendRawTransaction", ("0x00",)),
                RpcRequest("nonsense"),
                RpcRequest("eth_call", ({"to": router, "data": "0x12345678"}, "latest")),
                RpcRequest("eth_blockNumber"),
            ]
        )
        kinds = [type(outcome.error) if isinstance(outcome, RpcFailed) else RpcOk for outcome in outcomes]
        assert kinds == [RpcOk, RpcRejected, RpcRejected, CallReverted, RpcOk]


async def test_a_killed_client_does_not_disturb_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "chain.sock"
    client = (
        "import socket, sys, time\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        f"s.connect({str(path)!r})\n"
        's.sendall(b\'[{"id": 1, "method": "sim_mine", "params": [7]}]\\n\')\n'
        "print(s.recv(65536)[:1].decode(), flush=True)\n"
        's.sendall(b\'[{"id": 1, "method"\')\n'
        "print('halfway', flush=True)\n"
        "time.sleep(60)\n"
    )
    async with hosted(host_command(path)) as host:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", client, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"[\n"
        assert await process.stdout.readline() == b"halfway\n"
        os.kill(process.pid, signal.SIGKILL)
        await process.communicate()
        rpc = SimSocketRpc(path)
        assert await number(rpc) == 7
        assert host.returncode is None


async def test_it_mines_by_its_own_clock(tmp_path: Path) -> None:
    path = tmp_path / "chain.sock"
    async with hosted(host_command(path, block_interval_ms=5)):
        rpc = SimSocketRpc(path)
        start = await number(rpc)
        async with asyncio.timeout(START_SECONDS):
            while await number(rpc) < start + 5:
                pass


async def test_it_stops_when_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "chain.sock"
    async with hosted(host_command(path)) as host:
        rpc = SimSocketRpc(path)
        assert await rpc.call(RpcRequest("sim_shutdown")) == b"true"
        assert await asyncio.wait_for(host.wait(), START_SECONDS) == 0
        assert not path.exists()
        with pytest.raises(RpcUnavailable, match="nothing was sent"):
            await number(rpc)
        with pytest.raises(RpcUnavailable, match="nothing was sent"):
            await rpc.call(RpcRequest("eth_sendRawTransaction", ("0x00",)))


async def test_it_ends_with_its_lifetime_and_by_sigterm(tmp_path: Path) -> None:
    async with hosted(host_command(tmp_path / "a.sock", lifetime_seconds=0.2)) as host:
        assert await asyncio.wait_for(host.wait(), START_SECONDS) == 0
    async with hosted(host_command(tmp_path / "b.sock")) as host:
        host.terminate()
        assert await asyncio.wait_for(host.wait(), START_SECONDS) == 0


async def test_a_path_in_use_is_left_alone_and_a_leftover_replaced(tmp_path: Path) -> None:
    path = tmp_path / "chain.sock"
    async with hosted(host_command(path)) as host:
        second = await asyncio.create_subprocess_exec(*host_command(path), stderr=subprocess.PIPE)
        _, complaint = await asyncio.wait_for(second.communicate(), START_SECONDS)
        assert second.returncode == 1
        assert b"served by another host already" in complaint
        assert b"Traceback" not in complaint
        assert await number(SimSocketRpc(path)) == 0
        host.kill()
        await host.wait()
    assert path.is_socket()
    async with hosted(host_command(path)):
        assert await number(SimSocketRpc(path)) == 0


async def test_a_broken_genesis_is_named(tmp_path: Path) -> None:
    genesis = tmp_path / "genesis.json"
    genesis.write_text("{}")
    process = await asyncio.create_subprocess_exec(
        *host_command(tmp_path / "a.sock", genesis), stderr=subprocess.PIPE
    )
    _, complaint = await asyncio.wait_for(process.communicate(), START_SECONDS)
    assert process.returncode == 1
    assert b"genesis.json: genesis: missing field" in complaint


async def test_silence_is_bounded_and_ambiguous(tmp_path: Path) -> None:
    path = tmp_path / "mute.sock"

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(mute, path)
    async with server:
        rpc = SimSocketRpc(path)
        with pytest.raises(RpcUnavailable, match="no answer in time"):
            await rpc.call(RpcRequest("eth_blockNumber"), timeout_seconds=0.05)
        with pytest.raises(Ambiguous, match="may have arrived"):
            await rpc.call(RpcRequest("eth_sendRawTransaction", ("0x00",)), timeout_seconds=0.05)
