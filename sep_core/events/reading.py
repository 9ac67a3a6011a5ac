"""The log as facts."""

from collections.abc import AsyncIterator
from datetime import datetime

from sep_hooks.store import EventStore, Recorded

from sep_core.events.registry import Fact, decode_fact


async def read_facts(
    store: EventStore, *, after: int = 0, as_of: int | datetime | None = None
) -> AsyncIterator[tuple[Recorded, Fact]]:
    """Every event in order with the fact that it means. Raises `UnknownFact`."""
    async for recorded in store.read_all(after=after, as_of=as_of):
        yield recorded, decode_fact(recorded.type, recorded.schema_version, recorded.body)
