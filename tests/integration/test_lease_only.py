"""Why a lease is not enough: workers that stall past theirs do things twice, unless the effect itself checks an epoch.

The positive control of fencing: the same workers over the same PostgreSQL, with and without the check.
"""

from functools import partial

import anyio
import asyncpg
import pytest

from ..contract.test_store_postgres import make_database
from ..harness.servers import PostgresServer

pytestmark = pytest.mark.anyio

WORKERS, JOBS = 3, 150
LEASE = "interval '150 milliseconds'"
STALLED_EACH, LOOK_SECONDS = 6, 0.01

SCHEMA = """
CREATE TABLE jobs (
    id int PRIMARY KEY, done bool NOT NULL DEFAULT false, epoch int NOT NULL DEFAULT 0,
    leased_until timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE TABLE effects (job int NOT NULL, worker int NOT NULL);
"""
CLAIM = f"""
UPDATE jobs SET epoch = epoch + 1, leased_until = clock_timestamp() + {LEASE} WHERE id = (
    SELECT id FROM jobs WHERE NOT done AND leased_until < clock_timestamp() ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id, epoch
"""


async def worker(number: int, dsn: str, stall: anyio.Lock, *, fenced: bool) -> None:
    """Takes job after job, does it, and stalls at some between the two until somebody else has taken over.

    One at a time stalls, or nobody would be left to take over.
    """
    connection = await asyncpg.connect(dsn)
    try:
        while await connection.fetchval("SELECT count(*) FROM jobs WHERE NOT done"):
            claimed = await connection.fetchrow(CLAIM)
            if claimed is None:
                await anyio.sleep(LOOK_SECONDS)
                continue
            job, epoch = claimed
            if job % STALLED_EACH == 1 and epoch == 1 and not stall.locked():
                async with stall:
                    while await connection.fetchval("SELECT epoch FROM jobs WHERE id = $1", job) == epoch:  # noqa: ASYNC110
                        await anyio.sleep(LOOK_SECONDS)
            async with connection.transaction():
                held = "AND epoch = $2" if fenced else "AND $2 > 0"
                mine = await connection.fetchval(
                    f"SELECT id FROM jobs WHERE id = $1 {held} FOR UPDATE", job, epoch
                )
                if mine is not None:
                    await connection.execute("INSERT INTO effects VALUES ($1, $2)", job, number)
                    await connection.execute("UPDATE jobs SET done = true WHERE id = $1", job)
    finally:
        await connection.close()


@pytest.mark.says
@pytest.mark.parametrize("fenced", [False, True])
async def test_only_the_epoch_keeps_workers_apart(postgres_server: PostgresServer, fenced: bool) -> None:
    dsn = postgres_server.url(await make_database(postgres_server))
    connection = await asyncpg.connect(dsn)
    await connection.execute(SCHEMA)
    await connection.execute("INSERT INTO jobs SELECT generate_series(1, $1::int)", JOBS)
    stall = anyio.Lock()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for number in range(WORKERS):
                group.start_soon(partial(worker, number, dsn, stall, fenced=fenced))
    done = await connection.fetchval("SELECT count(DISTINCT job) FROM effects")
    twice = await connection.fetchval("SELECT count(*) - count(DISTINCT job) FROM effects")
    await connection.close()
    assert done == JOBS
    assert (twice == 0) == fenced, f"{twice} of {JOBS} twice"
    print(f"{'lease and epoch' if fenced else 'lease alone'}: {twice} of {JOBS} jobs done twice")
