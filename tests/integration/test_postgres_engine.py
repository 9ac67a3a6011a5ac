"""A whole engine whose log is in PostgreSQL: it settles, survives the death of its database, and answers the verbs."""

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import pytest
from sep_hooks.errors import SepError

from sep_core.adapters.store_postgres import lead
from sep_core.runtime.settings_secrets import Secrets
from sep_core.runtime.stores import verify_log

from ..contract.test_store_postgres import make_database
from ..harness.bench import DATA, acquire, dispose, new_chain, settings, tables, toml_text
from ..harness.run import engine, submit_all
from ..harness.scenario import Scenario, ask
from ..harness.servers import PostgresServer
from ..harness.verdict import check_accepted, check_effects, own_transactions
from .command import sep
from .test_postgres_faults import own_server

pytestmark = pytest.mark.anyio
PLAIN = (acquire("buy"), dispose("sell"))
MANY = tuple(dispose(f"sell {number}", 10**16 + number) for number in range(12))


def store_table(dsn: str) -> dict[str, Any]:
    """`[store]` of a log in PostgreSQL."""
    return {"use": "postgres", "path": DATA, "dsn": dsn}


async def whole(folder: Path, dsn: str) -> int:
    """How many positions a log has that verifies."""
    made = settings(folder, {"shared": "gone"}, store=store_table(dsn))
    report = await asyncio.to_thread(verify_log, made, Secrets({}, folder))
    assert report.first_bad is None
    return report.positions


async def test_an_engine_settles_on_postgres(postgres_server: PostgresServer, tmp_path: Path) -> None:
    dsn = postgres_server.url(await make_database(postgres_server))
    scenario = Scenario("on postgres", PLAIN, tables={"store": store_table(dsn)})
    chain = new_chain(tmp_path)
    foreign = own_transactions(partial(ask, chain))
    scenario.prepare(chain)
    for _ in range(2):  # the second time everything is known already
        async with engine(scenario, tmp_path, chain) as kernel:
            views = await submit_all(kernel, scenario.wishes)
            assert [view.status for view in views] == ["SETTLED", "SETTLED"]
            ended = await check_effects(kernel, own_transactions(partial(ask, chain)), foreign)
            assert ended == Counter({"SETTLED": 2})
            intent_id = views[0].id
    assert await whole(tmp_path, dsn) > 20

    config = tmp_path / "sep.toml"
    config.write_text(toml_text(tables({}, store=store_table("") | {"dsn": {"env": "SEP_TEST_DSN"}})))
    environ = {"SEP_TEST_PASSWORD": "for tests", "SEP_TEST_DSN": dsn}
    for words, said in (
        (("check", "--offline"), "log: PostgreSQL at 127.0.0.1"),
        (("status",), "SETTLED"),
        (("explain", str(intent_id)), "SETTLED"),
        (("events",), "IntentSettled"),
        (("verify",), "hashes, chains, order, tree and signatures agree"),
        (("store", "verify"), "hashes, chains, order, tree and signatures agree"),
    ):
        told = sep(*words, "--config", config, cwd=tmp_path, environ=environ)
        assert told.code == 0, told
        assert said in told.out, told


async def test_an_engine_outlives_the_death_of_its_database(tmp_path: Path) -> None:
    """kill -9 of PostgreSQL amid intents: each is answered, what was acknowledged ends, and once."""
    async with own_server() as server:
        dsn = server.url(await make_database(server))
        scenario = Scenario("killed below", MANY, tables={"store": store_table(dsn)})
        chain = new_chain(tmp_path)
        foreign = own_transactions(partial(ask, chain))
        scenario.prepare(chain)
        acknowledged: set[UUID] = set()
        async with engine(scenario, tmp_path, chain) as kernel, anyio.create_task_group() as group:
            for one in MANY:
                group.start_soon(submit_all, kernel, [one], acknowledged.add)
            for enough in (1, len(MANY) // 2):
                with anyio.fail_after(30):
                    while len(acknowledged) < enough:  # noqa: ASYNC110
                        await anyio.sleep(0.002)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
        async with engine(scenario, tmp_path, chain) as kernel:
            check_accepted(kernel, acknowledged)
            ended = await check_effects(kernel, own_transactions(partial(ask, chain)), foreign)
            assert ended == Counter({"SETTLED": len(MANY)})
        await whole(tmp_path, dsn)


async def test_an_engine_whose_database_stays_away_stops_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lead, "RECONNECT_SECONDS", 0.5)
    async with own_server() as server:
        dsn = server.url(await make_database(server))
        scenario = Scenario("left alone", MANY, tables={"store": store_table(dsn)})
        chain = new_chain(tmp_path)
        foreign = own_transactions(partial(ask, chain))
        scenario.prepare(chain)
        acknowledged: set[UUID] = set()
        refused: list[BaseException] = []

        async def submit(kernel: Any, number: int) -> None:
            try:
                await submit_all(kernel, [MANY[number]], acknowledged.add)
            except SepError as error:
                refused.append(error)

        try:
            async with engine(scenario, tmp_path, chain) as kernel, anyio.create_task_group() as group:
                for number in range(len(MANY)):
                    group.start_soon(submit, kernel, number)
                with anyio.fail_after(30):
                    while not acknowledged:  # noqa: ASYNC110
                        await anyio.sleep(0.002)
                await asyncio.to_thread(server.kill)
        except* SepError as group_of_errors:
            refused.extend(group_of_errors.exceptions)
        assert refused
        await asyncio.to_thread(server.start)
        async with engine(scenario, tmp_path, chain) as kernel:
            check_accepted(kernel, acknowledged)
            views = await submit_all(kernel, MANY)
            assert {view.status for view in views} == {"SETTLED"}
            await check_effects(kernel, own_transactions(partial(ask, chain)), foreign)
        await whole(tmp_path, dsn)
