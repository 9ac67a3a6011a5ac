"""Events per second of reading a long log back: decoded, and folded into the world that an engine starts from.

The log holds one real intent, filled on paper, many times over under other names. D is msgspec decoding the same
records. `python tests/bench/bench_replay.py [intents]`
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import uvloop
from _engine import body, engine, folder
from _report import show
from bench_settle import finish
from sep_hooks.store import AnyVersion, NewEvent, Recorded, StreamWrite

from sep_core.adapters.store_sqlite import SqliteStore, open_store
from sep_core.events.registry import Fact, fact_of
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.desk import fold, without_collections
from sep_core.runtime.state_cache import StateCache
from sep_core.runtime.world import World

INTENTS = 2_500
BATCH = 50
ROUNDS = 5
FLOOR, TARGET = 0.15, 0.46


async def one_intent(path: Path) -> tuple[list[Recorded], list[Recorded], UUID]:
    """The events before an intent, its own, and its id."""
    async with engine(path, "paper", block_seconds=2.0) as kernel:
        await finish(kernel, body())
        intent_id = next(iter(kernel.world.intents))
        everything = [one async for one in kernel.store.read_all(after=0)]
    first = next(at for at, one in enumerate(everything) if one.stream == f"intent:{intent_id}")
    return everything[:first], [one for one in everything[first:] if one.stream != "kernel"], intent_id


async def write(
    store: SqliteStore, before: Sequence[Recorded], own: Sequence[Recorded], intent_id: UUID
) -> int:
    """Fills a log; answers how many events it holds."""
    for one in before:
        await store.append([StreamWrite(one.stream, AnyVersion(), [_event(one, dict(one.body))])])
    client_id = str(own[0].body["intent"]["client_id"])  # type: ignore[index,call-overload]
    for start in range(0, INTENTS, BATCH):
        writes: dict[str, list[NewEvent]] = {}
        for number in range(start, start + BATCH):
            names = {str(intent_id): str(UUID(int=number)), client_id: str(UUID(int=number << 64))}
            for one in own:
                text = json.dumps(dict(one.body))
                for old, new in names.items():
                    text = text.replace(old, new)
                said = json.loads(text)
                if one.stream.startswith("ledger:"):
                    said["key"] = str(uuid4())
                stream = one.stream.replace(str(intent_id), names[str(intent_id)])
                writes.setdefault(stream, []).append(_event(one, said))
        await store.append([StreamWrite(stream, AnyVersion(), events) for stream, events in writes.items()])
    return len(before) + INTENTS * len(own)


def _event(one: Recorded, said: dict[str, object]) -> NewEvent:
    return NewEvent(uuid4(), one.type, one.schema_version, said, occurred_at=one.occurred_at)  # type: ignore[arg-type]


async def replay(path: Path) -> None:
    """Reads the log in each way in turn."""
    before, own, intent_id = await one_intent(path)
    log = path / "long"
    async with open_store(log, writable=True, clock=SystemClock(), ids=uuid4) as store:
        events = await write(store, before, own, intent_id)
        seconds: dict[str, float] = {}
        decode = msgspec.json.Decoder().decode
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            world = await fold(store)  # beside nothing else, as when an engine starts
            _best(seconds, "fold", begun)
            del world
            with without_collections():
                begun = time.perf_counter()
                records = [one async for one in store.read_all(after=0)]
                _best(seconds, "read", begun)
                assert len(records) == events
                begun = time.perf_counter()
                for one in records:
                    decode(one.record)
                _best(seconds, "D", begun)
                begun = time.perf_counter()
                facts = [(one.stream, fact_of(one)) for one in records]
                _best(seconds, "facts", begun)
                mean_bytes = sum(len(one.record) for one in records) / events
                del records
                begun = time.perf_counter()
                _apply(World(), facts)
                _best(seconds, "apply", begun)
                del facts
        world = await fold(store)
        cache = StateCache(log, store)
        begun = time.perf_counter()
        state = world.copy()
        _best(seconds, "copy", begun)
        begun = time.perf_counter()
        await cache.keep(state)
        _best(seconds, "keep", begun)
        kept_bytes = sum(one.stat().st_size for one in (log / "state").iterdir())
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            assert (await cache.fold()).position == events
            _best(seconds, "start", begun)
        assert len(world.intents) == INTENTS
        assert world.open_count == 0
        assert world.position == events
    control = "msgspec decoding the same records"
    rates = {name: events / one for name, one in seconds.items()}
    show(
        "read_all",
        rates["read"],
        "events/s",
        ratio=rates["read"] / rates["D"],
        control=control,
        events=events,
    )
    show("decode_facts", rates["facts"], "events/s", ratio=rates["facts"] / rates["D"], control=control)
    show("apply_facts", rates["apply"], "events/s", ratio=rates["apply"] / rates["D"], control=control)
    show(
        "replay_fold",
        rates["fold"],
        "events/s",
        ratio=rates["fold"] / rates["D"],
        control=control,
        control_events_per_s=rates["D"],
        floor=FLOOR,
        target=TARGET,
        budget_events_per_s=300_000,
        record_bytes=mean_bytes,
        events=events,
    )

    show(
        "start_from_kept_state",
        seconds["start"] * 1000,
        "ms",
        ratio=seconds["start"] / seconds["fold"],
        control="folding all events",
        fold_ms=seconds["fold"] * 1000,
        copy_ms=seconds["copy"] * 1000,
        keep_ms=seconds["keep"] * 1000,
        kept_bytes_per_intent=kept_bytes / INTENTS,
        events=events,
    )


def _apply(world: World, facts: Sequence[tuple[str, Fact]]) -> None:
    take: Callable[[str, Fact], None] = world.apply
    for stream, fact in facts:
        take(stream, fact)


def _best(seconds: dict[str, float], name: str, begun: float) -> None:
    seconds[name] = min(seconds.get(name, float("inf")), time.perf_counter() - begun)


def main() -> None:
    """One log, read several times."""
    global INTENTS
    INTENTS = int(sys.argv[1]) if len(sys.argv) > 1 else INTENTS
    with folder() as path:
        uvloop.run(replay(path))


if __name__ == "__main__":
    main()
