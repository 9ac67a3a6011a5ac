"""Servers that tests start: killed or paused, they come back on their data; nothing is left behind."""

import asyncio
import os

import asyncpg
import pytest
import redis as redis_client

from ..harness.servers import PostgresServer, RedisServer


def test_a_killed_postgresql_comes_back_with_what_it_has_committed() -> None:
    async def count(server: PostgresServer, *, insert: bool) -> int:
        connection = await asyncpg.connect(server.url())
        try:
            await connection.execute("create table if not exists survivors (n int)")
            if insert:
                await connection.execute("insert into survivors values (1)")
            return int(await connection.fetchval("select count(*) from survivors"))
        finally:
            await connection.close()

    with PostgresServer() as server:
        assert asyncio.run(count(server, insert=True)) == 1
        server.kill()
        with pytest.raises(OSError, match="Connect call failed"):
            asyncio.run(count(server, insert=False))
        server.start()
        assert asyncio.run(count(server, insert=False)) == 1
        folder = server.folder
    assert not os.path.exists(folder)


def test_a_paused_redis_keeps_its_connections(redis_server: RedisServer) -> None:
    client = redis_client.Redis.from_url(redis_server.url, socket_timeout=0.2, retry=None)
    assert client.ping()
    redis_server.pause()
    with pytest.raises(redis_client.TimeoutError):
        client.get("a")
    redis_server.resume()
    assert client.get("a") is None
    client.close()
