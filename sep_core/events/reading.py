"""The log as facts."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Final

from sep_hooks.store import EventStore, LogBroken, Recorded

from sep_core.events.native import Tree, verify_consistency
from sep_core.events.registry import Fact, fact_of

_HASHED_TOGETHER: Final = 512


class FactReader:
    """One way through a log, now or as of a position or moment, behind the events of `tree`.

    What is read is held to what the log's key has signed: a disk gives back what it likes.
    """

    def __init__(
        self, store: EventStore, *, as_of: int | datetime | None = None, tree: Tree | None = None
    ) -> None:
        self._store = store
        self._as_of = as_of
        self._tree = tree or Tree()
        self._records: list[bytes] = []

    async def facts(self) -> AsyncIterator[tuple[Recorded, Fact]]:
        """Every event in order with the fact that it means. Raises `UnknownFact`, and at the end `LogBroken`."""
        async for recorded in self._store.read_all(after=self._read, as_of=self._as_of):
            self._take(recorded)
            yield recorded, fact_of(recorded)
        await self._check_signed()

    async def visit(self, take: Callable[[str, Fact], None]) -> None:
        """Hands `take` the stream and the fact of every event in order, on any thread. Raises like `facts`."""

        def each(recorded: Recorded) -> None:
            self._take(recorded)
            take(recorded.stream, fact_of(recorded))

        await self._store.visit(each, after=self._read, as_of=self._as_of)
        await self._check_signed()

    async def check_rest(self) -> None:
        """Reads on to the end, whatever it means. Raises `LogBroken` where that is not what was signed: then it is no
        wonder that somebody stumbled over what was read so far.
        """
        await self._store.visit(self._take, after=self._read, as_of=self._as_of)
        await self._check_signed()

    @property
    def _read(self) -> int:
        return self._tree.size + len(self._records)

    def _take(self, recorded: Recorded) -> None:
        self._records.append(recorded.record)
        if len(self._records) == _HASHED_TOGETHER:
            self._hash()

    def _hash(self) -> None:
        self._tree.extend_records(self._records)
        self._records.clear()

    async def _check_signed(self) -> None:
        self._hash()
        tree, store = self._tree, self._store
        if "merkle" not in store.capabilities or not tree.size:
            return
        head = await store.head()
        same = head.root == tree.root()
        if tree.size < head.pos:
            path = (await store.prove_consistency(tree.size, head.pos)).path
            same = verify_consistency(tree.size, tree.root(), head.pos, head.root, list(path))
        if not same:
            raise LogBroken(
                f"of the {tree.size} events that were read at least one is not what the log's key signed",
                pos=0,
                next_step="run `sep verify`, which names it, then restore a backup; nothing was sent",
            )


async def read_facts(
    store: EventStore, *, as_of: int | datetime | None = None
) -> AsyncIterator[tuple[Recorded, Fact]]:
    """Every event in order with the fact that it means. Raises `UnknownFact`, `LogBroken`."""
    reader = FactReader(store, as_of=as_of)
    async for one in reader.facts():
        yield one
