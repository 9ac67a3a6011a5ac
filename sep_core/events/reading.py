"""The log as facts."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from sep_hooks.store import EventStore, LogBroken, Recorded

from sep_core.events.native import Tree, leaf_hash, verify_consistency
from sep_core.events.registry import Fact, fact_of

_LEAVES: Final = 512


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
        self._leaves: list[bytes] = []

    async def facts(self) -> AsyncIterator[tuple[Recorded, Fact]]:
        """Every event in order with the fact that it means. Raises `UnknownFact`, and at the end `LogBroken`."""
        async for recorded in self._events():
            yield recorded, fact_of(recorded)
        await self._check_signed()

    async def check_rest(self) -> None:
        """Reads on to the end, whatever it means. Raises `LogBroken` where that is not what was signed: then it is no
        wonder that somebody stumbled over what was read so far.
        """
        async for _ in self._events():
            pass
        await self._check_signed()

    async def _events(self) -> AsyncIterator[Recorded]:
        read = self._tree.size + len(self._leaves)
        async for recorded in self._store.read_all(after=read, as_of=self._as_of):
            self._leaves.append(leaf_hash(recorded.record))
            if len(self._leaves) == _LEAVES:
                self._take_leaves()
            yield recorded

    def _take_leaves(self) -> None:
        self._tree.extend(b"".join(self._leaves))
        self._leaves.clear()

    async def _check_signed(self) -> None:
        self._take_leaves()
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
