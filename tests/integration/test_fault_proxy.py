"""A network that cuts, delays, falls silent and says things twice, before a node, PostgreSQL and NATS."""

import json
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import nats
import pytest
from aiohttp import web
from sep_hooks.context import RpcFailed, RpcOk, RpcRequest
from sep_hooks.errors import Ambiguous, RpcUnavailable
from sep_native.sign import Keystore, Transaction1559
from sep_native.sim import SimChain

from sep_core.chains.rpc import HttpRpc, open_http_rpc

from ..harness.bench import CHAIN_ID, GWEI, KEY_FILE, OWNER, PASSWORD, new_chain
from ..harness.fault_proxy import FaultProxy, Faults, drawn, fault_proxy
from ..harness.servers import NatsServer, PostgresServer

pytestmark = pytest.mark.anyio

READ = RpcRequest("eth_blockNumber")
TRIES = 40


@dataclass
class Node:
    """A simulated chain behind HTTP and a proxy; `transfer` is a call of the account's that changes nothing else."""

    chain: SimChain
    proxy: FaultProxy
    rpc: HttpRpc
    folder: Path

    def count(self) -> int:
        """The account's transactions, by the chain itself."""
        return int(json.loads(self.chain.rpc("eth_getTransactionCount", json.dumps([OWNER, "latest"]))), 16)

    def transfer(self) -> RpcRequest:
        """The next transaction of the account, signed."""
        made = Transaction1559(CHAIN_ID, self.count(), OWNER, 0, b"", 50_000, 10 * GWEI, GWEI)
        signed = Keystore.open(self.folder / KEY_FILE, PASSWORD.encode()).sign_transaction(made)
        return RpcRequest("eth_sendRawTransaction", ("0x" + signed.raw.hex(),))


@asynccontextmanager
async def node(folder: Path) -> AsyncIterator[Node]:
    chain = new_chain(folder)
    chain.rpc("sim_setAutomine", "[true]")

    async def serve(request: web.Request) -> web.Response:
        answer = chain.rpc_batch(await request.read())
        return web.Response(body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_post("/", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with (
            fault_proxy(runner.addresses[0][1]) as proxy,
            open_http_rpc([f"http://127.0.0.1:{proxy.port}/"]) as rpc,
        ):
            yield Node(chain, proxy, rpc, folder)
    finally:
        await runner.cleanup()


async def test_without_faults_it_is_not_there(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        assert await one.rpc.call(READ) == one.chain.rpc("eth_blockNumber")


async def test_an_effect_whose_answer_is_lost_is_ambiguous_and_was_taken(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        before, send = one.count(), one.transfer()
        one.proxy.faults = Faults(answered_bytes=0)
        with pytest.raises(Ambiguous):
            await one.rpc.call(send)
        assert one.count() == before + 1
        assert one.proxy.cuts == 1


async def test_an_effect_that_is_lost_on_the_way_is_ambiguous_too(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        before, send = one.count(), one.transfer()
        one.proxy.faults = Faults(asked_bytes=40)
        with pytest.raises(Ambiguous):
            await one.rpc.call(send)
        assert one.count() == before


async def test_an_effect_that_is_said_twice_happens_once(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        before, send = one.count(), one.transfer()
        one.proxy.faults = Faults(doubled=True)
        # Where the copy came first, the node says that the nonce is used.
        (outcome,) = await one.rpc.calls([send])
        assert isinstance(outcome, RpcOk) or "nonce too low" in str(outcome.error)
        assert one.count() == before + 1


async def test_silence_ends_in_time(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        one.proxy.faults = Faults(silent=True)
        with pytest.raises(RpcUnavailable):
            await one.rpc.call(READ, timeout_seconds=0.2)


@pytest.mark.says
async def test_reads_answer_truly_or_fail_whatever_the_network_does(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEP_FAULT_SEED", random.SystemRandom().randrange(2**32)))
    chance = random.Random(seed)
    answered = 0
    async with node(tmp_path) as one:
        truth = one.chain.rpc("eth_blockNumber")
        for _ in range(TRIES):
            one.proxy.faults = drawn(chance, most_bytes=600, most_seconds=0.01)
            # A pause of the endpoint after failures is not the network's: each try has a client of its own.
            async with open_http_rpc([f"http://127.0.0.1:{one.proxy.port}/"]) as rpc:
                (outcome,) = await rpc.calls([READ], timeout_seconds=2.0)
            assert isinstance(outcome, RpcFailed) or outcome.result == truth, f"seed {seed}: {outcome}"
            answered += isinstance(outcome, RpcOk)
    print(f"fault proxy: seed {seed}: {answered} of {TRIES} reads answered, {one.proxy.cuts} connections cut")


async def test_before_postgresql_a_commit_may_be_unheard_but_stands(postgres_server: PostgresServer) -> None:
    table = f"proxy_{uuid4().hex}"
    async with fault_proxy(postgres_server.port) as proxy:
        direct = await asyncpg.connect(postgres_server.url())
        through = await asyncpg.connect(
            postgres_server.url().replace(f":{postgres_server.port}", f":{proxy.port}"), ssl=False
        )
        try:
            await direct.execute(f"CREATE TABLE {table} (n int)")
            proxy.faults = Faults(answered_bytes=0)
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await through.execute(f"INSERT INTO {table} VALUES (1)")
            # PostgreSQL answers after its commit, and the cut came with the answer.
            assert await direct.fetchval(f"SELECT count(*) FROM {table}") == 1
        finally:
            through.terminate()
            await direct.execute(f"DROP TABLE IF EXISTS {table}")
            await direct.close()


async def test_before_nats_a_message_that_is_said_twice_is_kept_once(nats_server: NatsServer) -> None:
    async with fault_proxy(nats_server.port) as proxy:
        through = await nats.connect(f"nats://127.0.0.1:{proxy.port}")
        try:
            stream = through.jetstream()
            await stream.add_stream(name="ONCE", subjects=["once"])
            proxy.faults = Faults(
                doubled=True
            )  # from here on: of two makings at once the second may be refused
            for number in range(5):
                await stream.publish("once", b"x", headers={"Nats-Msg-Id": str(number)})
            info = await stream.stream_info("ONCE")
            assert info.state.messages == 5
        finally:
            await through.close()
