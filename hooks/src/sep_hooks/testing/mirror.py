"""What every bus and every cache must do. Subclass a suite and give it a fresh, real server in `place`."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID, uuid4

import pytest

from sep_hooks.bus import EventBus
from sep_hooks.cache import Document, ReadModelCache, ReadModelChange
from sep_hooks.config import PluginConfig
from sep_hooks.mirror import MirrorHead, MirrorOutOfPlace
from sep_hooks.store import CaughtUp, NotInLog, Recorded
from sep_hooks.testing.records import recorded_as

STORE = UUID("5f0c3f0e-6f2a-4c7e-9a55-6c3c6c1f8d01")


def records(first: int, last: int, *, store_id: UUID = STORE, note: str = "") -> list[Recorded]:
    """Events of a log as a mirror sees them: records whose positions are dense."""
    return [
        recorded_as({"note": note}, pos=pos, stream=f"s:{pos % 3}", store_id=store_id)
        for pos in range(first, last + 1)
    ]


class BusSuite[ConfigT: PluginConfig]:
    """A bus keeps positions, refuses what does not follow, and gives back the very bytes."""

    @pytest.fixture
    def opened(self) -> Callable[[], Awaitable[EventBus[ConfigT]]]:
        """Opens the bus of one server; each call is a client of its own. Override it."""
        raise NotImplementedError

    async def test_what_is_published_is_followed_in_order(
        self, opened: Callable[[], Awaitable[EventBus[ConfigT]]]
    ) -> None:
        bus = await opened()
        assert await bus.last(STORE) is None
        events = records(1, 700)
        await bus.publish(STORE, events[:400])
        await bus.publish(STORE, events[400:])
        assert await bus.last(STORE) == MirrorHead(700, events[-1].record)
        assert STORE in await bus.logs()
        reader = await opened()
        for after in (0, 1, 699, 700):
            assert await followed(reader, after) == events[after:]

    async def test_what_does_not_follow_is_refused(
        self, opened: Callable[[], Awaitable[EventBus[ConfigT]]]
    ) -> None:
        bus, other = await opened(), await opened()
        await bus.last(STORE)
        await bus.publish(STORE, records(1, 10))
        for wrong in (records(1, 10), records(10, 10), records(12, 13), records(5, 15)):
            with pytest.raises(MirrorOutOfPlace):
                await other.publish(STORE, wrong)
        assert await bus.last(STORE) == MirrorHead(10, records(10, 10)[0].record)
        # Two that feed one log: what one has lost is what the other has done.
        await other.publish(STORE, records(11, 12))
        with pytest.raises(MirrorOutOfPlace):
            await bus.publish(STORE, records(11, 13))
        assert (await bus.last(STORE)) == MirrorHead(12, records(12, 12)[0].record)

    async def test_logs_are_apart(self, opened: Callable[[], Awaitable[EventBus[ConfigT]]]) -> None:
        bus, other_log = await opened(), uuid4()
        for store_id in (STORE, other_log):
            await bus.last(store_id)
            await bus.publish(store_id, records(1, 3, store_id=store_id))
        assert {STORE, other_log} <= set(await bus.logs())
        assert [one.store_id for one in await followed(bus, 0, other_log)] == [other_log] * 3

    async def test_nobody_follows_what_is_not_there(
        self, opened: Callable[[], Awaitable[EventBus[ConfigT]]]
    ) -> None:
        bus = await opened()
        with pytest.raises(NotInLog):
            await anext(bus.follow(uuid4(), after=0))
        await bus.last(STORE)
        await bus.publish(STORE, records(1, 2))
        with pytest.raises(NotInLog):
            await anext(bus.follow(STORE, after=3))

    async def test_what_comes_later_arrives(self, opened: Callable[[], Awaitable[EventBus[ConfigT]]]) -> None:
        bus, reader = await opened(), await opened()
        await bus.last(STORE)
        await bus.publish(STORE, records(1, 1))
        items = reader.follow(STORE, after=0)
        assert [await anext(items) for _ in range(2)] == [records(1, 1)[0], CaughtUp(1)]
        await bus.publish(STORE, records(2, 3))
        assert [await anext(items) for _ in range(3)] == [*records(2, 3), CaughtUp(3)]
        await items.aclose()


class CacheSuite[ConfigT: PluginConfig]:
    """A cache takes a change whole or not at all, at one position, and answers from one position."""

    @pytest.fixture
    def opened(self) -> Callable[[], Awaitable[ReadModelCache[ConfigT]]]:
        """Opens the cache of one server; each call is a client of its own. Override it."""
        raise NotImplementedError

    async def test_changes_apply_once_and_in_order(
        self, opened: Callable[[], Awaitable[ReadModelCache[ConfigT]]]
    ) -> None:
        cache, other = await opened(), await opened()
        assert await cache.last(STORE) is None
        await cache.apply(STORE, ReadModelChange(records(1, 2), [Document("kind", "a", b"1")]))
        assert await cache.document(STORE, "kind", "a") == b"1"
        for wrong in (records(1, 2), records(2, 3), records(4, 4)):
            with pytest.raises(MirrorOutOfPlace):
                await other.apply(STORE, ReadModelChange(wrong, [Document("kind", "a", b"wrong")]))
        assert await other.document(STORE, "kind", "a") == b"1"
        await other.apply(STORE, ReadModelChange(records(3, 3), [Document("kind", "a", b"\x002")]))
        assert await cache.document(STORE, "kind", "a") == b"\x002"
        assert await cache.last(STORE) == MirrorHead(3, records(3, 3)[0].record)
        assert await cache.document(STORE, "kind", "b") is None
        assert await cache.document(uuid4(), "kind", "a") is None

    async def test_lists_follow_the_labels(
        self, opened: Callable[[], Awaitable[ReadModelCache[ConfigT]]]
    ) -> None:
        cache = await opened()
        documents = [
            Document("kind", f"{number}", b"%d" % number, number, ("all", f"odd={number % 2}"))
            for number in range(10)
        ]
        await cache.apply(STORE, ReadModelChange(records(1, 1), documents))

        async def listed(label: str, before: int | None = None, limit: int = 100) -> list[int]:
            found = await cache.listed(STORE, "kind", label, before=before, limit=limit)
            assert all(body == b"%d" % order or body == b"new" for order, body in found)
            return [order for order, _ in found]

        assert await listed("all") == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
        assert await listed("odd=1", before=7, limit=2) == [5, 3]
        change = [Document("kind", "5", b"new", 5, ("all", "odd=0")), Document("kind", "7", b"new", 7)]
        await cache.apply(STORE, ReadModelChange(records(2, 2), change))
        assert await listed("odd=1") == [9, 3, 1]
        assert await listed("odd=0") == [8, 6, 5, 4, 2, 0]
        assert await listed("all") == [9, 8, 6, 5, 4, 3, 2, 1, 0]
        assert await listed("nothing") == []

    async def test_events_are_the_latest(
        self, opened: Callable[[], Awaitable[ReadModelCache[ConfigT]]]
    ) -> None:
        cache = await opened()
        await cache.apply(STORE, ReadModelChange(records(1, 20), []))

        async def kept(after: int, limit: int) -> Sequence[Recorded] | None:
            return await cache.events(STORE, after=after, limit=limit)

        assert await kept(15, 3) == records(16, 18)
        assert await kept(18, 30) == records(19, 20)
        assert await kept(20, 30) == []

    async def test_what_is_cleared_is_gone(
        self, opened: Callable[[], Awaitable[ReadModelCache[ConfigT]]]
    ) -> None:
        cache, other_log = await opened(), uuid4()
        for store_id in (STORE, other_log):
            change = ReadModelChange(
                records(1, 3, store_id=store_id), [Document("kind", "a", b"1", 0, ("all",))]
            )
            await cache.apply(store_id, change)
        await cache.clear(STORE)
        assert await cache.last(STORE) is None
        assert await cache.document(STORE, "kind", "a") is None
        assert await cache.listed(STORE, "kind", "all", before=None, limit=9) == []
        assert await cache.document(other_log, "kind", "a") == b"1"
        await cache.apply(STORE, ReadModelChange(records(1, 1), []))


async def followed[ConfigT: PluginConfig](
    bus: EventBus[ConfigT], after: int, store_id: UUID = STORE
) -> list[Recorded]:
    """What a bus gives until it has caught up."""
    found: list[Recorded] = []
    items = bus.follow(store_id, after=after)
    async for item in items:
        if isinstance(item, CaughtUp):
            await items.aclose()
            return found
        found.append(item)
    raise AssertionError("a bus never ends")
