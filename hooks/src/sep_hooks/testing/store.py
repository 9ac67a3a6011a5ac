"""The suite that every event store passes.

Subclass `StoreSuite` with a fixture `place` that gives a `StorePlace`, and make a machine of `StoreMachine`.
"""

import asyncio
import hashlib
import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sep_hooks.context import Clock
from sep_hooks.store import (
    AnyVersion,
    AppendResult,
    CaughtUp,
    EventFilter,
    EventStore,
    Exact,
    Exists,
    Expected,
    Fenced,
    IdConflict,
    InvalidEvent,
    NewEvent,
    NoStream,
    NotInLog,
    Pending,
    Recorded,
    SlowConsumer,
    StoreClosed,
    StreamCondition,
    StreamWrite,
    WrongExpectedVersion,
)
from sep_hooks.types.json import Json

_NAMESPACE = UUID("6f1f7d1e-6a35-4a5e-9d0b-1f4f0b7a4c11")
_WAIT_SECONDS = 30.0


class StorePlace(ABC):
    """Somewhere a log lives: opening it again shows what was appended before."""

    @abstractmethod
    async def open(self, *, writable: bool = True, clock: Clock | None = None) -> EventStore:
        """Opens the log, made when absent; `clock` replaces the clock of the machine."""

    @abstractmethod
    async def displace(self) -> EventStore:
        """Opens the log for writing although an earlier opening still writes: a take-over from an engine that is
        silent, but alive."""


class SteppedClock:
    """A clock that a test moves; also backwards."""

    def __init__(self, moment: datetime | None = None) -> None:
        self.moment = moment if moment is not None else datetime(2030, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """The moment that was set."""
        return self.moment

    def move(self, seconds: float) -> None:
        """Moves the clock by some seconds."""
        self.moment += timedelta(seconds=seconds)


def event(name: str, /, **body: Json) -> NewEvent:
    """An event whose id follows from its name."""
    return NewEvent(uuid5(_NAMESPACE, name), "test.happened", 1, body)


def write(stream: str, expected: Expected, *events: NewEvent) -> StreamWrite:
    """A write, shorter to read."""
    return StreamWrite(stream, expected, events)


async def everything(
    store: EventStore,
    *,
    after: int = 0,
    filter: EventFilter | None = None,  # noqa: A002
) -> list[Recorded]:
    """The whole log."""
    return [item async for item in store.read_all(after=after, filter=filter)]


async def stream_of(store: EventStore, stream: str) -> list[Recorded]:
    """One whole stream."""
    return [item async for item in store.read_stream(stream)]


async def check_subscription(
    store: EventStore, *, producers: int = 16, each: int = 25, seed: int = 0
) -> None:
    """A subscriber that runs beside concurrent appends sees every position once, in order, and what was written.

    Raises `AssertionError` for a store whose readers lose or repeat events.
    """
    seen: list[Recorded] = []
    total = producers * each
    start = (await store.head()).pos
    chance = random.Random(seed)  # noqa: S311

    async def subscribe() -> None:
        async with aclosing(store.subscribe(after=start)) as items:
            async for item in items:
                if isinstance(item, CaughtUp):
                    if item.pos >= start + total:
                        return
                else:
                    seen.append(item)

    async def produce(number: int) -> None:
        for turn in range(each):
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            await store.append(
                [write(f"producer:{number}", Exact(turn), event(f"subscription {number} {turn}", turn=turn))]
            )

    async with asyncio.timeout(_WAIT_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(subscribe())
        for number in range(producers):
            group.create_task(produce(number))
    positions = [item.pos for item in seen]
    assert positions == list(range(start + 1, start + total + 1)), "the subscriber lost or repeated positions"
    assert {(item.stream, item.version) for item in seen} == {
        (f"producer:{number}", turn + 1) for number in range(producers) for turn in range(each)
    }


async def check_dense_order(store: EventStore, *, producers: int = 128, each: int = 6) -> None:
    """Many producers race for few streams: every winner has a place of its own, no loser left a trace.

    Raises `AssertionError`.
    """
    won: dict[int, tuple[str, int]] = {}
    lost: set[UUID] = set()
    refusals: list[tuple[WrongExpectedVersion, str, int]] = []
    streams = max(2, producers // 8)

    async def produce(number: int) -> None:
        for turn in range(each):
            stream = f"contested:{(number + turn) % streams}"
            version = len(await stream_of(store, stream)) if turn % 2 else turn
            new = event(f"race {number} {turn}", producer=number, turn=turn)
            try:
                result = await store.append([write(stream, Exact(version), new)])
            except WrongExpectedVersion as error:
                refusals.append((error, stream, version))
                lost.add(new.id)
            else:
                assert result.first_pos == result.last_pos
                assert not result.duplicate
                assert result.first_pos not in won, "two appends were given one position"
                won[result.first_pos] = (stream, version + 1)

    start = (await store.head()).pos
    async with asyncio.timeout(_WAIT_SECONDS), asyncio.TaskGroup() as group:
        for number in range(producers):
            group.create_task(produce(number))
    log = await everything(store, after=start)
    assert won
    assert lost
    assert all(error.stream == stream and error.actual != version for error, stream, version in refusals)
    assert [item.pos for item in log] == list(range(start + 1, start + len(won) + 1))
    assert {item.pos: (item.stream, item.version) for item in log} == won
    assert not lost & {item.id for item in log}
    assert (await store.head()).pos == start + len(won)


def reference_root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes as RFC 9162 section 2.1.1 defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + reference_root(leaves[:split]) + reference_root(leaves[split:])).digest()


def reference_proof_holds(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof leads to a root, as RFC 9162 section 2.1.3.2 says."""
    place, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = hashlib.sha256(b"\x01" + sibling + node).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + sibling).digest()
        place, last = place >> 1, last >> 1
    return last == 0 and node == root


def reference_consistency_holds(
    first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether a proof shows that a tree grew into another, as RFC 9162 section 2.1.4.2 says."""
    if first == 0:
        return not path and first_root == reference_root([])
    if first == second:
        return not path and first_root == second_root
    hashes = list(path) if first & (first - 1) else [first_root, *path]
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old = hashlib.sha256(b"\x01" + sibling + old).digest()
            new = hashlib.sha256(b"\x01" + sibling + new).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = hashlib.sha256(b"\x01" + new + sibling).digest()
        place, last = place >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def leaf_of(record: bytes) -> bytes:
    """The leaf hash of a record."""
    return hashlib.sha256(b"\x00" + record).digest()


@pytest.mark.anyio
class StoreSuite:
    """What every store must do. Needs a fixture `place`."""

    @pytest.fixture
    async def store(self, place: StorePlace) -> AsyncIterator[EventStore]:
        """The log of `place`, open for writing."""
        store = await place.open()
        yield store
        await store.close()

    async def test_an_empty_log(self, store: EventStore) -> None:
        head = await store.head()
        assert (head.pos, head.root, head.store_id) == (0, reference_root([]), store.store_id)
        assert await everything(store) == []
        assert await stream_of(store, "nothing") == []
        with pytest.raises(NotInLog):
            await store.prove(1)

    async def test_what_is_read_is_what_was_written(self, store: EventStore) -> None:
        text = 'é\u0001"\\ \U0001f600'
        body: Mapping[str, Json] = {"z": text, "a": [1, None, True, {"n": -(2**53) + 1}], "empty": {}}
        moment = datetime(2029, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
        full = NewEvent(
            uuid5(_NAMESPACE, "full"),
            "test.happened",
            7,
            body,
            {"by": "me"},
            moment,
            uuid5(_NAMESPACE, "corr"),
            uuid5(_NAMESPACE, "cause"),
        )
        await store.append([write("a:1", NoStream(), full)])
        (found,) = await everything(store)
        assert (found.pos, found.stream, found.version, found.id) == (1, "a:1", 1, full.id)
        assert (found.type, found.schema_version, found.body, found.meta) == (
            "test.happened",
            7,
            body,
            {"by": "me"},
        )
        assert (found.occurred_at, found.correlation_id, found.causation_id) == (
            moment,
            full.correlation_id,
            full.causation_id,
        )
        assert (found.store_id, found.epoch) == (store.store_id, store.epoch)
        assert await stream_of(store, "a:1") == [found]

    async def test_expectations(self, store: EventStore) -> None:
        async def refused(stream: str, expected: Expected, actual: int) -> None:
            with pytest.raises(WrongExpectedVersion) as caught:
                await store.append([write(stream, expected, event(f"refused {stream} {expected}"))])
            assert (caught.value.stream, caught.value.expected, caught.value.actual) == (
                stream,
                expected,
                actual,
            )

        await refused("s", Exists(), 0)
        await refused("s", Exact(1), 0)
        await store.append([write("s", NoStream(), event("1"))])
        await refused("s", NoStream(), 1)
        await refused("s", Exact(0), 1)
        await refused("s", Exact(2), 1)
        await store.append([write("s", Exact(1), event("2"))])
        await store.append([write("s", Exists(), event("3"))])
        await store.append([write("s", AnyVersion(), event("4"))])
        await store.append([write("t", Exact(0), event("5"))])
        await store.append([write("u", AnyVersion(), event("6"))])
        assert [item.version for item in await stream_of(store, "s")] == [1, 2, 3, 4]
        assert [item.pos for item in await everything(store)] == [1, 2, 3, 4, 5, 6]

    async def test_an_append_is_atomic_over_its_streams(self, store: EventStore) -> None:
        await store.append([write("b", NoStream(), event("b1"))])
        with pytest.raises(WrongExpectedVersion):
            await store.append(
                [write("a", NoStream(), event("a1"), event("a2")), write("b", NoStream(), event("b2"))]
            )
        assert await stream_of(store, "a") == []
        result = await store.append(
            [write("a", NoStream(), event("a1"), event("a2")), write("b", Exact(1), event("b2"))]
        )
        assert result == AppendResult(2, 4)
        assert [(item.stream, item.version) for item in await everything(store)] == [
            ("b", 1),
            ("a", 1),
            ("a", 2),
            ("b", 2),
        ]

    async def test_conditions_guard_streams_that_are_not_written(self, store: EventStore) -> None:
        await store.append([write("epoch", NoStream(), event("e1"))])

        async def guarded(name: str, expected: Expected) -> AppendResult:
            return await store.append(
                [write("log", AnyVersion(), event(name))], conditions=[StreamCondition("epoch", expected)]
            )

        assert (await guarded("first", Exact(1))).first_pos == 2
        assert (await guarded("second", Exists())).first_pos == 3
        for name, expected in (("third", Exact(2)), ("fourth", NoStream())):
            with pytest.raises(WrongExpectedVersion) as caught:
                await guarded(name, expected)
            assert caught.value.stream == "epoch"
        assert len(await everything(store)) == 3

    async def test_the_same_append_again_changes_nothing(self, place: StorePlace) -> None:
        writes = [write("a", NoStream(), event("1", x="1"), event("2")), write("b", AnyVersion(), event("3"))]
        store = await place.open()
        together = [store.enqueue(writes) for _ in range(3)]
        assert [await pending for pending in together] == [
            AppendResult(1, 3),
            AppendResult(1, 3, duplicate=True),
            AppendResult(1, 3, duplicate=True),
        ]
        await store.append([write("a", Exact(2), event("4"))])
        assert await store.append(writes) == AppendResult(1, 3, duplicate=True)
        await store.close()
        store = await place.open()
        assert await store.append(writes) == AppendResult(1, 3, duplicate=True)
        seen_elsewhere = NewEvent(event("3").id, "test.happened", 1, {}, {"observer": "other"})
        assert await store.append([write("b", NoStream(), seen_elsewhere)]) == AppendResult(
            3, 3, duplicate=True
        )
        assert len(await everything(store)) == 4
        await store.close()

    async def test_an_id_with_other_content_is_a_conflict(self, store: EventStore) -> None:
        first = event("1", x="1")
        await store.append([write("a", NoStream(), first, event("2"))])
        other_type = NewEvent(first.id, "test.other", 1, first.body)
        for writes in (
            [write("a", AnyVersion(), event("1", x="2"))],
            [write("b", AnyVersion(), first)],
            [write("a", AnyVersion(), other_type)],
            [write("a", AnyVersion(), event("9"), event("1", x="1"))],
            [write("a", AnyVersion(), event("1", x="1"), event("9"))],
        ):
            with pytest.raises(IdConflict) as caught:
                await store.append(writes)
            assert (caught.value.id in {first.id, event("9").id}, caught.value.pos) == (True, 1)
        earlier = store.enqueue([write("c", AnyVersion(), event("5", x="1"))])
        later = store.enqueue([write("c", AnyVersion(), event("5", x="2"))])
        assert (await earlier).first_pos == 3
        with pytest.raises(IdConflict):
            await later
        assert len(await everything(store)) == 3

    async def test_the_queue_is_served_in_order_and_a_failing_item_fails_alone(
        self, store: EventStore
    ) -> None:
        queue: list[Pending] = []
        for number in range(200):
            queue.append(store.enqueue([write("chain", Exact(number), event(f"chain {number}", n=number))]))
            if number % 10 == 0:
                queue.append(store.enqueue([write("chain", Exact(number), event(f"late {number}"))]))
            queue.append(store.enqueue([write(f"side:{number}", NoStream(), event(f"side {number}"))]))
        assert not any(pending.done for pending in queue)
        outcomes = await asyncio.gather(*queue, return_exceptions=True)
        failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert len(failed) == 20
        assert all(isinstance(outcome, WrongExpectedVersion) for outcome in failed)
        places = [outcome.first_pos for outcome in outcomes if isinstance(outcome, AppendResult)]
        assert places == list(range(1, 401))
        assert [item.body["n"] for item in await stream_of(store, "chain")] == list(range(200))
        assert all(pending.done for pending in queue)
        assert await queue[0] == AppendResult(1, 1)

    async def test_what_cannot_be_recorded_is_refused_at_once(self, store: EventStore) -> None:
        def refused(writes: Sequence[StreamWrite]) -> None:
            with pytest.raises(InvalidEvent):
                _ = store.enqueue(writes)

        deep: Json = {}
        for _ in range(70):
            deep = {"d": deep}
        bodies: list[Mapping[str, Json]] = [
            {"x": 1.5},  # type: ignore[dict-item]
            {"x": 2**53},
            {"X": 1},
            {"x": "\ud800"},
            {"x": "y" * 300_000},
            {"deep": deep},
            {"x": b"bytes"},
        ]
        for body in bodies:
            refused([write("a", AnyVersion(), event("bad", **body))])
        for stream in ("", "a b", "ä", "x" * 300, "a\n"):
            refused([write(stream, AnyVersion(), event("bad"))])
        for writes in (
            [],
            [StreamWrite("a", AnyVersion(), [])],
            [write("a", AnyVersion(), event("1"), event("1"))],
        ):
            refused(writes)
        refused([write("a", AnyVersion(), event("1")), write("a", AnyVersion(), event("2"))])
        assert await store.append([write("a", NoStream(), event("good"))]) == AppendResult(1, 1)

    async def test_changing_a_body_after_enqueue_changes_nothing(self, store: EventStore) -> None:
        body: dict[str, Json] = {"x": "before"}
        pending = store.enqueue([write("a", NoStream(), NewEvent(event("1").id, "test.happened", 1, body))])
        body["x"] = "after"
        await pending
        assert [item.body["x"] for item in await everything(store)] == ["before"]

    async def test_an_append_larger_than_a_batch_stays_whole(self, store: EventStore) -> None:
        events = [event(f"large {number}", n=number) for number in range(1500)]
        small = store.enqueue([write("small", NoStream(), event("small"))])
        large = store.enqueue([write("large", NoStream(), *events)])
        assert await small == AppendResult(1, 1)
        assert await large == AppendResult(2, 1501)
        assert [item.body["n"] for item in await stream_of(store, "large")] == list(range(1500))

    async def test_dense_order_under_contention(self, store: EventStore) -> None:
        await check_dense_order(store)

    async def test_a_subscription_neither_loses_nor_repeats(self, store: EventStore) -> None:
        await check_subscription(store)

    async def test_subscriptions_resume_filter_and_say_when_they_are_live(self, store: EventStore) -> None:
        for number in range(10):
            kind = "test.odd" if number % 2 else "test.even"
            new = NewEvent(event(f"{number}").id, kind, 1, {"n": number})
            await store.append([write(f"s:{number % 3}", AnyVersion(), new)])
        resumed = store.subscribe(after=7)
        assert [_shape(await anext(resumed)) for _ in range(4)] == [8, 9, 10, ("caught up", 10)]
        only = EventFilter(types=("test.odd",), stream_prefixes=("s:0", "s:1"))
        filtered = store.subscribe(after=0, filter=only)
        assert [_shape(await anext(filtered)) for _ in range(4)] == [2, 4, 8, 10]
        assert await anext(filtered) == CaughtUp(10)
        waiting = asyncio.ensure_future(anext(resumed))
        await store.append([write("s:9", NoStream(), event("live"))])
        async with asyncio.timeout(_WAIT_SECONDS):
            assert _shape(await waiting) == 11
            assert _shape(await anext(resumed)) == ("caught up", 11)
        await resumed.aclose()
        await filtered.aclose()
        with pytest.raises(NotInLog):
            await anext(store.subscribe(after=12))

    async def test_a_slow_consumer_is_told_where_to_resume(self, store: EventStore) -> None:
        items = store.subscribe(after=0, max_lag=10)
        assert await anext(items) == CaughtUp(0)
        for number in range(40):
            await store.append([write("a", Exact(number), event(f"{number}"))])
        seen: list[int] = []

        async def consume_slowly() -> None:
            async for item in items:
                assert isinstance(item, Recorded)
                seen.append(item.pos)
                if item.pos == 1:
                    await store.append([write("b", NoStream(), *[event(f"more {n}") for n in range(60)])])

        with pytest.raises(SlowConsumer) as caught:
            await consume_slowly()
        assert seen == list(range(1, caught.value.resume_after + 1))
        rest = await everything(store, after=caught.value.resume_after)
        assert [item.pos for item in rest] == list(range(len(seen) + 1, 101))

    async def test_heads_of_the_past_are_the_checkpoints_that_were(self, place: StorePlace) -> None:
        clock = SteppedClock()
        start = clock.moment
        store = await place.open(clock=clock)
        heads = {0: await store.head()}
        for size in (1, 2, 5, 1):
            clock.move(10)
            await store.append(
                [write("s", AnyVersion(), *(event(f"{len(heads)}-{one}") for one in range(size)))]
            )
            head = await store.head()
            heads[head.pos] = head
        last = max(heads)
        for as_of in range(last + 1):
            assert await store.head(as_of=as_of) == heads[max(size for size in heads if size <= as_of)]
        assert await store.head(as_of=start + timedelta(seconds=25)) == heads[3]
        with pytest.raises(NotInLog):
            await store.head(as_of=last + 1)
        await store.close()

    async def test_reading_in_parts_and_as_of(self, place: StorePlace) -> None:
        clock = SteppedClock()
        start = clock.moment
        store = await place.open(clock=clock)
        for number in range(1, 8):
            clock.move(10)
            await store.append([write(f"s:{number % 2}", AnyVersion(), event(f"{number}"))])
        assert [item.pos async for item in store.read_all(after=2, limit=3)] == [3, 4, 5]
        assert [item.pos async for item in store.read_all(after=0, limit=0)] == []
        assert [item.pos async for item in store.read_all(after=7)] == []
        assert [item.pos async for item in store.read_all(after=0, as_of=4)] == [1, 2, 3, 4]
        assert [item.pos async for item in store.read_stream("s:1", from_version=2, to_version=3)] == [3, 5]
        assert [item.pos async for item in store.read_stream("s:1", as_of=4)] == [1, 3]
        for seconds, positions in ((9, []), (10, [1]), (35, [1, 2, 3]), (700, [1, 2, 3, 4, 5, 6, 7])):
            moment = start + timedelta(seconds=seconds)
            assert [item.pos async for item in store.read_all(after=0, as_of=moment)] == positions
        with pytest.raises(NotInLog):
            await anext(store.read_all(after=0, as_of=8))
        visited: list[Recorded] = []
        for after, as_of in (
            (0, None),
            (3, None),
            (7, None),
            (0, 4),
            (2, 5),
            (0, start + timedelta(seconds=35)),
        ):
            visited.clear()
            await store.visit(visited.append, after=after, as_of=as_of)
            assert visited == [item async for item in store.read_all(after=after, as_of=as_of)]
        with pytest.raises(NotInLog):
            await store.visit(visited.append, after=0, as_of=8)

        def stumble(item: Recorded) -> None:
            visited.append(item)
            if item.pos == 5:
                raise ValueError("what the visitor raises comes through as it is")

        visited.clear()
        with pytest.raises(ValueError, match="as it is"):
            await store.visit(stumble, after=0)
        assert [item.pos for item in visited] == [1, 2, 3, 4, 5]
        await store.close()

    async def test_recording_times_never_go_back(self, place: StorePlace) -> None:
        clock = SteppedClock()
        store = await place.open(clock=clock)
        await store.append([write("a", NoStream(), event("1"))])
        clock.move(-3600)
        await store.append([write("a", Exact(1), event("2"))])
        await store.close()
        store = await place.open(clock=clock)
        await store.append([write("a", Exact(2), event("3"))])
        times = [item.recorded_at for item in await everything(store)]
        assert times == sorted(times)
        assert times[0] == datetime(2030, 1, 1, tzinfo=UTC)
        await store.close()

    async def test_the_log_goes_on_after_it_was_closed(self, place: StorePlace) -> None:
        store = await place.open()
        await store.append([write("a", NoStream(), event("1"), event("2"))])
        before, store_id, epoch = await store.head(), store.store_id, store.epoch
        await store.close()
        with pytest.raises(StoreClosed):
            await store.append([write("a", AnyVersion(), event("3"))])
        store = await place.open()
        assert (store.store_id, await store.head()) == (store_id, before)
        assert store.epoch > epoch
        assert await store.append([write("a", Exact(2), event("3"))]) == AppendResult(3, 3)
        log = await everything(store)
        assert [item.epoch for item in log] == [epoch, epoch, store.epoch]
        await store.close()

    async def test_closing_commits_the_queue_and_ends_subscriptions(self, place: StorePlace) -> None:
        store = await place.open()
        items = store.subscribe(after=0)
        assert await anext(items) == CaughtUp(0)
        queue = [store.enqueue([write("a", Exact(n), event(f"{n}"))]) for n in range(50)]
        await store.close()
        assert [await pending for pending in queue] == [AppendResult(n, n) for n in range(1, 51)]
        with pytest.raises(StoreClosed):
            async for _ in items:
                pass
        store = await place.open()
        assert len(await everything(store)) == 50
        await store.close()

    async def test_a_reader_beside_the_writer(self, place: StorePlace) -> None:
        writer = await place.open()
        await writer.append([write("a", NoStream(), event("1"))])
        reader = await place.open(writable=False)
        assert await reader.head() == await writer.head()
        items = reader.subscribe(after=0)
        assert [_shape(await anext(items)) for _ in range(2)] == [1, ("caught up", 1)]
        await writer.append([write("a", Exact(1), event("2"))])
        async with asyncio.timeout(_WAIT_SECONDS):
            assert _shape(await anext(items)) == 2
        assert reader.epoch == writer.epoch
        with pytest.raises(Exception, match="reading only"):
            await reader.append([write("a", Exact(2), event("3"))])
        await items.aclose()
        await reader.close()
        await writer.close()

    async def test_a_displaced_leader_is_fenced(self, place: StorePlace) -> None:
        first = await place.open()
        await first.append([write("a", NoStream(), event("1"))])
        second = await place.displace()
        assert second.epoch > first.epoch
        assert second.store_id == first.store_id
        assert await second.append([write("a", Exact(1), event("2"))]) == AppendResult(2, 2)
        for _ in range(2):
            with pytest.raises(Fenced):
                await first.append([write("a", Exact(1), event("late"))])
        # Not even a refusal, or that something stands in the log, is said by one that was displaced.
        assert await second.append([write("b", NoStream(), event("3"))]) == AppendResult(3, 3)
        log = await everything(second)
        assert [(item.pos, item.id, item.epoch) for item in log] == [
            (1, event("1").id, first.epoch),
            (2, event("2").id, second.epoch),
            (3, event("3").id, second.epoch),
        ]
        await first.close()
        assert await second.append([write("b", Exact(1), event("4"))]) == AppendResult(4, 4)
        await second.close()

    async def test_a_leader_displaced_while_idle_refuses_nothing_from_memory(self, place: StorePlace) -> None:
        first = await place.open()
        await first.append([write("a", NoStream(), event("1"))])
        second = await place.displace()
        with pytest.raises(Fenced):
            await first.append([write("a", NoStream(), event("2"))])
        with pytest.raises(Fenced):
            await first.append([write("a", NoStream(), event("1"))])
        await first.close()
        await second.close()

    async def test_a_leader_displaced_amid_its_appends_answers_each_truly(self, place: StorePlace) -> None:
        first = await place.open()
        acknowledged: dict[UUID, int] = {}
        refused: set[UUID] = set()

        async def produce(number: int) -> None:
            for turn in itertools.count():
                new = event(f"amid {number} {turn}", turn=turn)
                try:
                    acknowledged[new.id] = (
                        await first.append([write(f"p:{number}", Exact(turn), new)])
                    ).first_pos
                except Fenced:
                    refused.add(new.id)
                    return

        async with asyncio.timeout(_WAIT_SECONDS), asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(produce(number))
            await group.create_task(_until(lambda: len(acknowledged) > 40))
            second = await group.create_task(place.displace())
        await second.append([write("after", NoStream(), event("after"))])
        log = await everything(second)
        assert [item.pos for item in log] == list(range(1, len(log) + 1))
        assert {item.id: item.pos for item in log[:-1]} == acknowledged
        assert len(refused) == 8
        await first.close()
        await second.close()

    async def test_chain_root_and_proofs(self, store: EventStore) -> None:
        sizes = (1, 2, 7, 255, 256, 257, 513, 900)
        written = 0
        roots = {0: reference_root([])}
        for size in sizes:
            new = [event(f"leaf {n}", n=n) for n in range(written, size)]
            await store.append([write(f"s:{size % 2}", AnyVersion(), *new)])
            written = size
            log = await everything(store)
            leaves = [leaf_of(item.record) for item in log]
            head = await store.head()
            assert (head.pos, head.root, head.epoch) == (size, reference_root(leaves), store.epoch)
            for earlier, root in roots.items():
                grown = await store.prove_consistency(earlier, size)
                assert (grown.first, grown.second) == (earlier, size)
                assert reference_consistency_holds(earlier, root, size, head.root, grown.path)
                assert not reference_consistency_holds(
                    earlier, leaf_of(b"other"), size, head.root, grown.path
                )
                false = reference_consistency_holds(earlier, root, size, leaf_of(b"other"), grown.path)
                assert false == (earlier == 0)  # every log grew from the empty one
            roots[size] = head.root
            for pos in {1, size // 2 + 1, max(1, size - 1), size}:
                proof = await store.prove(pos)
                assert (proof.pos, proof.leaf_hash, proof.checkpoint) == (pos, leaves[pos - 1], head)
                assert reference_proof_holds(leaves[pos - 1], pos - 1, size, proof.path, head.root)
                assert (
                    not reference_proof_holds(leaves[pos - 1], pos % size, size, proof.path, head.root)
                    or size == 1
                )
        for first, second in ((2, 1), (0, 901), (-1, 3)):
            with pytest.raises(NotInLog):
                await store.prove_consistency(first, second)
        last: dict[str, str] = {}
        for item in await everything(store):
            assert item.previous == last.get(item.stream)
            last[item.stream] = "0x" + leaf_of(item.record).hex()


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  # each turn of the loop
        await asyncio.sleep(0)


def _shape(item: Recorded | CaughtUp) -> object:
    return ("caught up", item.pos) if isinstance(item, CaughtUp) else item.pos


@dataclass
class _Model:
    """What a log should hold, in a dict."""

    log: list[tuple[str, int, UUID, str]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    places: dict[UUID, int] = field(default_factory=dict)


_STREAMS = st.sampled_from(["a", "b", "c:1", "d/2"])
_NAMES = st.integers(0, 40).map(str)
_BODIES = st.sampled_from(["x", "y"])
_EXPECTED = st.one_of(
    st.builds(NoStream),
    st.builds(Exists),
    st.builds(AnyVersion),
    st.builds(AnyVersion),
    st.integers(0, 6).map(Exact),
)
_WRITES = st.lists(
    st.tuples(_STREAMS, _EXPECTED, st.lists(st.tuples(_NAMES, _BODIES), min_size=1, max_size=3)),
    min_size=1,
    max_size=3,
    unique_by=lambda item: item[0],
)


class StoreMachine(RuleBasedStateMachine):
    """A store against a dict. A subclass gives each run a fresh place."""

    def fresh_place(self) -> StorePlace:
        """An empty place."""
        raise TypeError("a machine needs a place")

    @initialize()
    def start(self) -> None:
        """Opens an empty log."""
        self.runner = asyncio.Runner()
        self.place = self.fresh_place()
        self.store = self.runner.run(self.place.open())
        self.model = _Model()
        self.queue: list[tuple[Pending, AppendResult | type[Exception]]] = []

    def teardown(self) -> None:
        """Closes the log."""
        if hasattr(self, "store"):
            self.runner.run(self.store.close())
            self.runner.close()

    @rule(writes=_WRITES, condition=st.none() | st.tuples(_STREAMS, _EXPECTED))
    def enqueue(
        self,
        writes: list[tuple[str, Expected, list[tuple[str, str]]]],
        condition: tuple[str, Expected] | None,
    ) -> None:
        """Queues an append; the model says at once what must come of it."""
        names = [name for _, _, events in writes for name, _ in events]
        conditions = []
        if condition is not None and condition[0] not in [stream for stream, _, _ in writes]:
            conditions.append(StreamCondition(*condition))
        new = [
            write(stream, expected, *[event(f"machine {name}", b=body) for name, body in events])
            for stream, expected, events in writes
        ]

        async def put() -> Pending:
            return self.store.enqueue(new, conditions=conditions)

        if len(set(names)) != len(names):
            with pytest.raises(InvalidEvent):
                _ = self.runner.run(put())
            return
        self.queue.append((self.runner.run(put()), self._expect(new, conditions)))

    @precondition(lambda self: self.queue)
    @rule()
    def settle(self) -> None:
        """Waits for everything in the queue."""

        async def outcomes() -> list[object]:
            return await asyncio.gather(*[pending for pending, _ in self.queue], return_exceptions=True)

        for found, (_, expected) in zip(self.runner.run(outcomes()), self.queue, strict=True):
            if isinstance(expected, AppendResult):
                assert found == expected
            else:
                assert type(found) is expected
        self.queue.clear()

    @precondition(lambda self: not self.queue)
    @rule(after=st.integers(0, 30), limit=st.none() | st.integers(0, 5))
    def read(self, after: int, limit: int | None) -> None:
        """Reads a part of the log."""

        async def part() -> list[Recorded]:
            return [item async for item in self.store.read_all(after=after, limit=limit)]

        wanted = list(enumerate(self.model.log, 1))[after:]
        if limit is not None:
            wanted = wanted[:limit]
        assert [_told(item) for item in self.runner.run(part())] == wanted

    @precondition(lambda self: not self.queue)
    @rule(stream=_STREAMS)
    def read_stream(self, stream: str) -> None:
        """Reads one stream."""
        found = self.runner.run(stream_of(self.store, stream))
        wanted = [(pos, item) for pos, item in enumerate(self.model.log, 1) if item[0] == stream]
        assert [_told(item) for item in found] == wanted

    @rule()
    def reopen(self) -> None:
        """Closes the log, which commits the queue, and opens it again."""

        async def closed() -> None:
            await self.store.close()
            self.store = await self.place.open()

        self.runner.run(closed())
        if self.queue:
            self.settle()

    @precondition(lambda self: not self.queue)
    @invariant()
    def the_head_is_where_the_model_is(self) -> None:
        """Nothing is ever lost from the end."""
        if hasattr(self, "store"):
            assert self.runner.run(self.store.head()).pos == len(self.model.log)

    def _expect(
        self, writes: Sequence[StreamWrite], conditions: Sequence[StreamCondition]
    ) -> AppendResult | type[Exception]:
        model = self.model
        known = [new.id in model.places for item in writes for new in item.events]
        if any(known):
            for item in writes:
                for new in item.events:
                    pos = model.places.get(new.id)
                    if (
                        pos is None
                        or model.log[pos - 1][0] != item.stream
                        or model.log[pos - 1][3] != new.body["b"]
                    ):
                        return IdConflict
            places = [model.places[new.id] for item in writes for new in item.events]
            return AppendResult(min(places), max(places), duplicate=True)
        guards: list[StreamWrite | StreamCondition] = [*writes, *conditions]
        for guard in guards:
            if not _holds(guard.expected, model.versions.get(guard.stream, 0)):
                return WrongExpectedVersion
        first = len(model.log) + 1
        for item in writes:
            for new in item.events:
                version = model.versions[item.stream] = model.versions.get(item.stream, 0) + 1
                model.log.append((item.stream, version, new.id, str(new.body["b"])))
                model.places[new.id] = len(model.log)
        return AppendResult(first, len(model.log))


def _holds(expected: Expected, actual: int) -> bool:
    match expected:
        case Exact(version):
            return actual == version
        case NoStream():
            return actual == 0
        case Exists():
            return actual > 0
        case AnyVersion():
            return True


def _told(item: Recorded) -> tuple[int, tuple[str, int, UUID, str]]:
    return item.pos, (item.stream, item.version, item.id, str(item.body["b"]))
