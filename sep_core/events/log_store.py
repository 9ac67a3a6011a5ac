"""What every store shares: readers, subscriptions and proofs over a few reads of the log as it lies on the disk."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import ClassVar, NamedTuple, Self
from uuid import UUID

from sep_hooks.store import (
    CaughtUp,
    Checkpoint,
    ConsistencyProof,
    EventFilter,
    EventStore,
    InclusionProof,
    LogBroken,
    NotInLog,
    Recorded,
)

from sep_core.events.appender import HASH_BYTES, SUBTREE_WIDTH
from sep_core.events.envelope import check_stream, microseconds, page_of
from sep_core.events.native import (
    Tree,
    consistency_proof_from_subtrees,
    inclusion_proof_from_subtrees,
    verify_inclusion,
)
from sep_core.events.pages import LAST_POSITION, PageSize
from sep_core.events.proof import Receipt, receipt_of
from sep_core.events.signing import PublicKey
from sep_core.events.subscription import Bell, follow, hand_over, read_through
from sep_core.events.vault import Vault


class TreeParts(NamedTuple):
    """Of the tree over a log: roots, joined, of its full 256-wide subtrees, the leaf hashes of one of them, and those
    behind the last one."""

    subtrees: bytes
    block: bytes
    tail: bytes


class LogStore(EventStore):
    """A store whose readers work on a few primitive reads; how the log is written is a subclass's affair."""

    leased: ClassVar[bool] = False
    """Whether the lock can outlive the work of its holder, so that a leader has to renew."""

    verifier: PublicKey
    _bell: Bell
    _head: Checkpoint
    _epoch: int

    @property
    def store_id(self) -> UUID:
        """Identity of the log."""
        return self._head.store_id

    @property
    def epoch(self) -> int:
        """Fencing epoch of this opening; a reader's is the one that it found."""
        return self._epoch

    async def renew(self) -> None:
        """Tells standbys that this leader lives. Raises `Fenced` once another leads, and `StoreUnavailable`."""
        return

    @abstractmethod
    def vault(self) -> Vault:
        """Seals and opens parts of event bodies under the key of the data folder."""

    # What a subclass reads.

    @property
    @abstractmethod
    def _published(self) -> bool:
        """Whether this opening writes, so that its own memory knows the head."""

    @abstractmethod
    async def _read_head(self) -> Checkpoint:
        """The last checkpoint in the log, its signature checked."""

    @abstractmethod
    async def _read_checkpoint(self, up_to: int) -> Checkpoint:
        """The last checkpoint over at most so many events, its signature checked."""

    @abstractmethod
    async def _read_head_pos(self) -> int:
        """The last committed position."""

    @abstractmethod
    async def _records(self, after: int, up_to: int, size: PageSize) -> Sequence[bytes]:
        """Some records behind `after`, in order, none where there are none."""

    @abstractmethod
    async def _stream_records(
        self, stream: str, after: int, up_to: int, as_of: int, size: PageSize
    ) -> Sequence[bytes]:
        """Some records of a stream behind version `after`, in order, none behind position `as_of`."""

    @abstractmethod
    async def _position_at(self, moment: int) -> int:
        """The last position that was recorded by a moment."""

    @abstractmethod
    async def _tree_parts(self, index: int, size: int) -> TreeParts:
        """The tree over the first `size` events, with the block of leaf `index` where it is full."""

    # Reading.

    async def page(self, after: int, up_to: int | None = None) -> Sequence[Recorded]:
        """Some events behind `after`, in order; none when there are none."""
        return await self._page(PageSize(), after, up_to)

    async def _page(self, size: PageSize, after: int, up_to: int | None) -> Sequence[Recorded]:
        return page_of(await self._records(after, LAST_POSITION if up_to is None else up_to, size))

    async def head_pos(self) -> int:
        """The last committed position."""
        return self._head.pos if self._published else await self._read_head_pos()

    async def read_stream(
        self,
        stream: str,
        *,
        from_version: int = 1,
        to_version: int | None = None,
        as_of: int | datetime | None = None,
    ) -> AsyncGenerator[Recorded]:
        """One stream in order; see `EventStore.read_stream`."""
        check_stream(stream)
        size = PageSize()
        limit = LAST_POSITION if as_of is None else await self._position(as_of)
        last, end = max(from_version, 1) - 1, LAST_POSITION if to_version is None else to_version
        while last < end:
            page = page_of(await self._stream_records(stream, last, end, limit, size))
            if not page:
                return
            for event in page:
                if event.version != last + 1 or event.stream != stream:
                    raise LogBroken(
                        f"version {last + 1} of {stream!r} should follow, the log gave {event.version}",
                        pos=event.pos,
                    )
                last += 1
                yield event

    def read_all(
        self,
        *,
        after: int,
        filter: EventFilter | None = None,  # noqa: A002
        limit: int | None = None,
        as_of: int | datetime | None = None,
    ) -> AsyncGenerator[Recorded]:
        """The log in order up to the present head; see `EventStore.read_all`."""
        up_to = self.head_pos if as_of is None else partial(self._position, as_of)
        return read_through(_Pages(self), after=after, up_to=up_to, filter=filter, limit=limit)

    async def visit(
        self, take: Callable[[Recorded], None], *, after: int, as_of: int | datetime | None = None
    ) -> None:
        """The log in order to `take`, up to the present head; see `EventStore.visit`."""
        size, end = PageSize(), await self.head_pos() if as_of is None else await self._position(as_of)
        while after < end:
            after = await self._hand_over(size, after, end, take)

    async def _hand_over(
        self, size: PageSize, after: int, up_to: int, take: Callable[[Recorded], None]
    ) -> int:
        return hand_over(await self._page(size, after, up_to), after, take)

    def subscribe(
        self,
        *,
        after: int,
        filter: EventFilter | None = None,  # noqa: A002
        max_lag: int | None = None,
    ) -> AsyncGenerator[Recorded | CaughtUp]:
        """The log in order, without end; see `EventStore.subscribe`."""
        return follow(_Pages(self), self._bell, after=after, filter=filter, max_lag=max_lag)

    async def _position(self, as_of: int | datetime) -> int:
        if isinstance(as_of, datetime):
            return await self._position_at(microseconds(as_of))
        head = await self.head_pos()
        if not 0 <= as_of <= head:
            raise NotInLog(
                f"position {as_of} lies outside the log, which ends at {head}",
                next_step=f"name a position from 0 to {head}, or a moment",
            )
        return as_of

    # Proving.

    async def head(self, *, as_of: int | datetime | None = None) -> Checkpoint:
        """The last published checkpoint, with its signature; see `EventStore.head`."""
        if as_of is not None:
            return await self._read_checkpoint(await self._position(as_of))
        return self._head if self._published else await self._read_head()

    async def prove(self, pos: int) -> InclusionProof:
        """Proof that the event at `pos` stands in the log of `head()`; see `EventStore.prove`."""
        checkpoint = await self.head()
        if not 1 <= pos <= checkpoint.pos:
            raise NotInLog(f"position {pos} lies outside the log, which ends at {checkpoint.pos}")
        index = pos - 1
        subtrees, block, tail = await self._tree_parts(index, checkpoint.pos)
        path = inclusion_proof_from_subtrees(index, subtrees, block, tail)
        offset = index % SUBTREE_WIDTH * HASH_BYTES
        leaf = (block or tail)[offset : offset + HASH_BYTES]
        if not verify_inclusion(leaf, index, checkpoint.pos, path, checkpoint.root):
            raise LogBroken(
                f"the hashes about position {pos} are not those that were signed; no proof was made of them",
                pos=pos,
                next_step="run `sep verify`, then restore a backup",
            )
        return InclusionProof(pos, leaf, tuple(path), checkpoint)

    async def prove_consistency(self, first: int, second: int) -> ConsistencyProof:
        """Proof that the log of one size is the beginning of that of another; see `EventStore.prove_consistency`."""
        head = await self.head()
        if not 0 <= first <= second <= head.pos:
            raise NotInLog(
                f"sizes {first} and {second} do not lie in order in the log, which ends at {head.pos}"
            )
        if first in (0, second):
            return ConsistencyProof(first, second, ())
        parts = await self._tree_parts(first, second)
        return ConsistencyProof(first, second, tuple(consistency_proof_from_subtrees(first, *parts)))

    async def tree(self, size: int) -> Tree:
        """The tree over the first `size` events, out of the hashes that are kept. Raises `NotInLog`."""
        parts = await self._tree_parts(size, size)
        upper, last = Tree(), Tree()
        upper.extend(parts.subtrees)
        last.extend(parts.tail)
        return Tree(size, upper.peaks + last.peaks)

    async def receipt(self, pos: int) -> Receipt:
        """One event with its proof, for somebody outside."""
        proof = await self.prove(pos)
        async for event in self.read_all(after=pos - 1, as_of=pos):
            return receipt_of(event, proof, self.verifier.text())
        raise NotInLog(f"position {pos} is missing from the log", next_step="run `sep verify`")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Pages:
    """The pages of one reader, whose size follows what it reads."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._size = PageSize()

    async def page(self, after: int, up_to: int | None = None) -> Sequence[Recorded]:
        # What is committed and not yet published is for nobody: whoever asks for the head would not find it there.
        if self._store._published:
            published = self._store._head.pos
            up_to = published if up_to is None else min(up_to, published)
        return await self._store._page(self._size, after, up_to)

    async def head_pos(self) -> int:
        return await self._store.head_pos()
