"""Kept states: a start from one is a start from the first event, and one that does not fit is passed over."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import apsw
import pytest
from sep_hooks.store import AnyVersion, LogBroken, NewEvent, Recorded, StreamWrite

from sep_core.adapters.store_postgres import open_store as open_postgres
from sep_core.adapters.store_sqlite import open_store
from sep_core.events.log_store import LogStore
from sep_core.events.native import Tree, leaf_hash
from sep_core.runtime import state_cache
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.desk import fold
from sep_core.runtime.state_cache import StateCache
from sep_core.runtime.state_digest import digests
from sep_core.runtime.state_keeper import StateKeeper

from ..contract.test_store_postgres import config_of, make_database
from ..harness.servers import PostgresServer
from .command import running, sep
from .identity_engine import Stage, settle, stage, submit

pytestmark = pytest.mark.anyio


def opened(data: Path, *, writable: bool = False) -> LogStore:
    return open_store(data, writable=writable, clock=SystemClock(), ids=uuid4)


class Counting:
    """How many events a fold reads."""

    def __init__(self, store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = 0
        whole = store.visit

        async def counted(take: Callable[[Recorded], None], **named: Any) -> None:
            def counting(event: Recorded) -> None:
                self.read += 1
                take(event)

            await whole(counting, **named)

        monkeypatch.setattr(store, "visit", counted)


async def lived(one: Stage) -> None:
    """Two accounts that traded, one of them used outside, an intent that was refused and one that waits."""
    async with one.engine() as kernel:
        for name in ("one", "two", "one"):
            await settle(kernel, name)
        await submit(kernel, max_fee="1")
    one.ask("sim_setAutomine", False)
    async with one.engine() as kernel:
        await submit(kernel)


async def test_every_kept_position_folds_on_to_the_same_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random()
    with stage(tmp_path) as one:
        await lived(one)
        data = tmp_path / "data"
        store = opened(data)
        head = (await store.head()).pos
        whole = digests(await fold(store))
        for position in sorted({1, head, *(draw.randrange(1, head) for _ in range(12))}):
            shutil.rmtree(data / "state", ignore_errors=True)
            cache = StateCache(data, store)
            await cache.keep(await fold(store, as_of=position))
            with monkeypatch.context() as patched:
                counting = Counting(store, patched)
                assert digests(await cache.fold()) == whole
                assert counting.read == head - position, "only what is behind it is read"
                assert digests(await cache.fold(head - 1)) == digests(await fold(store, as_of=head - 1))
        await store.close()


async def test_a_world_and_its_copy_go_on_apart(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        await lived(one)
        store = opened(tmp_path / "data")
        head = (await store.head()).pos
        for position in (head // 3, head // 2, head - 3):
            world = await fold(store, as_of=position)
            kept, before = world.copy(), digests(world)
            tree = await store.tree(position)
            assert digests(await fold(store, start=world, tree=tree)) == digests(await fold(store))
            assert digests(kept) == before
        await store.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path, _: path.unlink(),
        lambda path, _: path.write_text(path.read_text()[:-9]),
        lambda path, _: path.write_text("sealed1:" + path.read_text()[9:]),
        lambda path, _: path.write_bytes(bytes(100)),
        lambda path, monkeypatch: monkeypatch.setattr(state_cache, "_sources", lambda: "another release"),
        lambda path, _: path.rename(path.with_name(f"{10:020d}")),
    ],
    ids=["deleted", "cut", "changed", "zeros", "other sources", "another position"],
)
async def test_what_does_not_fit_is_passed_over(
    spoil: Callable[[Path, pytest.MonkeyPatch], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stage(tmp_path) as one:
        await lived(one)
        data = tmp_path / "data"
        store = opened(data)
        whole = digests(await fold(store))
        cache = StateCache(data, store)
        await cache.keep(await fold(store, as_of=20))
        (path,) = (data / "state").iterdir()
        spoil(path, monkeypatch)
        assert digests(await cache.fold()) == whole
        assert (await cache.fold(15)).position == 15
        await store.close()
        one.ask("sim_mine")
        one.ask("sim_setAutomine", True)
        async with one.engine() as kernel:
            await settle(kernel, "two")


async def test_a_state_of_a_log_that_was_put_back_is_passed_over(tmp_path: Path) -> None:
    """An older copy of the log beside a newer state, and another log of the same id: the events decide."""
    with stage(tmp_path) as one:
        data, older = tmp_path / "data", tmp_path / "older"
        async with one.engine() as kernel:
            await settle(kernel)
        shutil.copytree(data, older)
        async with one.engine() as kernel:
            await settle(kernel)
        store = opened(data)
        position = (await store.head()).pos - 2
        await StateCache(data, store).keep(await fold(store, as_of=position))
        await store.close()
        shutil.copytree(data / "state", older / "state")
        back = opened(older)
        cache = StateCache(older, back)
        assert digests(await cache.fold()) == digests(await fold(back))
        assert cache.begun_at == 0
        head = (await back.head()).pos
        assert position > head
        await cache.keep(await fold(back))
        assert cache.positions() == {head}, "the state of the other history makes room"
        assert digests(await cache.fold()) == digests(await fold(back))
        assert cache.begun_at == head
        await back.close()
        shutil.rmtree(older / "state")
        shutil.copytree(data / "state", older / "state")
        other = opened(older, writable=True)
        while (await other.head()).pos <= position:
            said = NewEvent(uuid4(), "KernelStopped", 1, {"reason": "another history"}, {})
            await other.append([StreamWrite("kernel", AnyVersion(), [said])])
        assert digests(await StateCache(older, other).fold()) == digests(await fold(other))
        await other.close()


async def test_a_state_hides_no_broken_log(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        await lived(one)
        data = tmp_path / "data"
        store = opened(data)
        await StateCache(data, store).keep(await fold(store, as_of=20))
        await store.close()
        connection = apsw.Connection(str(data / "log.sqlite3"))
        connection.execute("DROP TRIGGER events_no_update")
        connection.execute(
            "UPDATE events SET record = CAST(replace(CAST(record AS TEXT), 'USDC', 'USDT') AS BLOB) WHERE pos > 20"
        )
        connection.execute(
            "UPDATE events SET record = CAST(CAST(record AS TEXT) || ' ' AS BLOB) WHERE pos = 30"
        )
        connection.close()
        store = opened(data)
        with pytest.raises(LogBroken):
            await StateCache(data, store).fold()
        await store.close()


async def test_an_engine_keeps_states_of_what_is_durable(tmp_path: Path) -> None:
    """In the middle of its work, beside decisions that wait for the disk; a later one starts from the newest."""
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            keeper = StateKeeper(kernel.desk, kernel.cache, every=7)
            kernel.desk.on_commit(keeper.touched)
            async with anyio.create_task_group() as group:
                group.start_soon(keeper.run)
                for _ in range(3):
                    await settle(kernel)
                    await settle(kernel, "two")
                group.cancel_scope.cancel()
        data = tmp_path / "data"
        kept = sorted(int(path.name) for path in (data / "state").iterdir())
        assert len(kept) == 2
        assert kept[0] > 7
        store = opened(data)
        cache, head = StateCache(data, store), (await store.head()).pos
        for position in (head, *kept):
            assert digests(await cache.fold(position)) == digests(await fold(store, as_of=position))
        await store.close()
        async with one.engine() as kernel:
            await settle(kernel)
            assert await kernel.mismatches() == []


async def test_the_tree_of_any_size_is_that_of_its_events(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    dsn = postgres_server.url(await make_database(postgres_server))
    sqlite = opened(tmp_path / "data", writable=True)
    postgres = await open_postgres(
        config_of(dsn), tmp_path / "pg", writable=True, clock=SystemClock(), ids=uuid4
    )
    for store in (sqlite, postgres):
        said = [NewEvent(uuid4(), "KernelStopped", 1, {"reason": f"{n}"}, {}) for n in range(700)]
        for start in range(0, 700, 70):
            await store.append([StreamWrite("kernel", AnyVersion(), said[start : start + 70])])
        leaves = [leaf_hash(one.record) async for one in store.read_all(after=0)]
        for size in (0, 1, 255, 256, 257, 511, 512, 699, 700):
            tree = Tree()
            tree.extend(b"".join(leaves[:size]))
            found = await store.tree(size)
            assert (found.size, found.peaks) == (tree.size, tree.peaks)
        assert (await StateCache(tmp_path, store).fold()).position == 700
        await store.close()


async def test_a_replay_compares_kept_states_on_its_way(tmp_path: Path) -> None:
    assert sep("init", "bot", cwd=tmp_path).code == 0
    folder = tmp_path / "bot"
    with running(["run"], folder, "ready") as engine:
        assert engine.stop() == 0
    data = folder / "sep-data"
    store = opened(data)
    cache, head = StateCache(data, store), (await store.head()).pos
    await cache.keep(await fold(store, as_of=head - 1))
    assert sep("replay", "--json", cwd=folder).json["kept_states_astray"] == []
    wrong = await fold(store, as_of=head - 1)
    wrong.genesis.clear()
    await cache.keep(wrong)
    told = sep("replay", cwd=folder)
    assert (told.code, f"ASTRAY  the state that is kept of position {head - 1}" in told.out) == (1, True), (
        told
    )
    await store.close()
