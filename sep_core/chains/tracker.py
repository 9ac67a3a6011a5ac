"""The canonical chain as a pure state machine over headers and logs.

`follow` is a generator: it asks by yielding a `Need` and is sent the answer, so that the same code runs over a socket
and over a model.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from sep_hooks.types import Block, BlockLogs, BlockRef, ChainUpdate

from .errors import BranchLost

BLOCKS_PER_UPDATE = 64
DEEPEST_BACKFILL = 4096
HEADERS_PER_NEED = 50


@dataclass(frozen=True, slots=True)
class Look:
    """What a node calls its latest, safe and finalized block, by the chain's rule."""

    latest: Block
    safe: BlockRef
    finalized: BlockRef


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the chain was handed over: the last sequence and the headers kept, oldest first.

    The last header kept is the tip. `safe` and `finalized` are the highest ever seen.
    """

    sequence: int
    kept: tuple[Block, ...]
    safe: BlockRef
    finalized: BlockRef

    @property
    def tip(self) -> Block:
        """The last block handed over."""
        return self.kept[-1]


@dataclass(frozen=True, slots=True)
class Gap:
    """The chain cannot be followed block by block from the cursor: everything must be read afresh at `head`."""

    sequence: int
    head: Block
    safe: BlockRef
    finalized: BlockRef
    reason: str


@dataclass(frozen=True, slots=True)
class NeedHeader:
    """Asks for one header by hash; the answer is a `Block`, or None where the node does not know it."""

    hash: str


@dataclass(frozen=True, slots=True)
class NeedHeaders:
    """Asks for the headers of the canonical blocks `first` to `last`; those unknown are left out."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class NeedLogs:
    """Asks for all logs of these blocks, by hash and verified; the answer is one `BlockLogs` each."""

    blocks: tuple[Block, ...]


type Need = NeedHeader | NeedHeaders | NeedLogs
type Answer = Block | Sequence[Block] | Sequence[BlockLogs] | None
type Step = tuple[ChainUpdate | Gap, Cursor]


def begin(look: Look) -> Step:
    """The first step of a fresh cursor: a gap that says where the chain stands."""
    gap = Gap(1, look.latest, look.safe, look.finalized, "first look at the chain")
    return gap, Cursor(1, (look.latest,), look.safe, look.finalized)


def follow(cursor: Cursor, look: Look, kept_headers: int) -> Generator[Need, Answer, Step | None]:
    """The next step from the cursor towards the latest block; None where nothing changed.

    Long ways come in several steps. Raises `BranchLost` where the node changed its mind on the way.
    """
    if look.latest.hash == cursor.tip.hash:
        return _finality_step(cursor, look, kept_headers)
    behind = look.latest.number - cursor.tip.number
    if behind > DEEPEST_BACKFILL:
        return _gap(cursor, look, f"{behind} blocks behind")
    by_hash = {block.hash: block for block in cursor.kept}
    path = yield from _path(by_hash, cursor, look)
    if path is None:
        return _gap(cursor, look, "the branch left below the headers kept")
    fork = by_hash[path[0].parent_hash] if path else by_hash[look.latest.hash]
    removed = tuple(block for block in reversed(cursor.kept) if block.number > fork.number)
    if removed and fork.number < cursor.finalized.number:
        return _gap(cursor, look, "a finalized block left the chain")
    joining = path[:BLOCKS_PER_UPDATE]
    answer = (yield NeedLogs(joining)) if joining else ()
    added = _checked_logs(joining, answer)
    chain = (*(block for block in cursor.kept if block.number <= fork.number), *joining)
    after = _moved(cursor, look, chain, kept_headers)
    update = ChainUpdate(after.sequence, removed, added, chain[-1], after.safe, after.finalized)
    return update, after


def _path(
    by_hash: dict[str, Block], cursor: Cursor, look: Look
) -> Generator[Need, Answer, tuple[Block, ...] | None]:
    """The blocks from just above a kept block to the latest; None where no kept block is an ancestor."""
    if look.latest.hash in by_hash:
        return ()
    path = [look.latest]
    lowest = cursor.kept[0].number
    while path[-1].parent_hash not in by_hash:
        below = path[-1].number - 1
        if below <= lowest:
            return None
        if below - cursor.tip.number > 1:
            first = max(cursor.tip.number + 1, below - HEADERS_PER_NEED + 1)
            answer = yield NeedHeaders(first, below)
            if _extended(path, answer):
                continue
        parent = yield NeedHeader(path[-1].parent_hash)
        if not isinstance(parent, Block) or parent.hash != path[-1].parent_hash:
            raise BranchLost(f"block {below} is gone while its branch was walked")
        if parent.number != below:
            raise BranchLost(f"block {parent.number} claims to be the parent of {path[-1].number}")
        path.append(parent)
    path.reverse()
    return tuple(path)


def _extended(path: list[Block], answer: Answer) -> bool:
    """Whether headers by number link to the path, which they then extend downwards."""
    if not isinstance(answer, Sequence):
        return False
    by_hash = {item.hash: item for item in answer if isinstance(item, Block)}
    before = len(path)
    while (parent := by_hash.get(path[-1].parent_hash)) is not None and parent.number == path[-1].number - 1:
        path.append(parent)
    return len(path) > before


def _checked_logs(joining: tuple[Block, ...], answer: Answer) -> tuple[BlockLogs, ...]:
    added = (
        tuple(item for item in answer if isinstance(item, BlockLogs)) if isinstance(answer, Sequence) else ()
    )
    if tuple(item.block.hash for item in added) != tuple(block.hash for block in joining):
        raise BranchLost("the logs of a block are gone while its branch was walked")
    return added


def _finality_step(cursor: Cursor, look: Look, kept_headers: int) -> Step | None:
    """An update without blocks where only finality moved on."""
    after = _moved(cursor, look, cursor.kept, kept_headers)
    if (after.safe, after.finalized) == (cursor.safe, cursor.finalized):
        return None
    return ChainUpdate(after.sequence, (), (), cursor.tip, after.safe, after.finalized), after


def _moved(cursor: Cursor, look: Look, chain: tuple[Block, ...], kept_headers: int) -> Cursor:
    """The cursor at the end of `chain`. Safe and finalized never go back and never lie above or beside it."""
    finalized = _later(cursor.finalized, look.finalized, chain)
    safe = _later(cursor.safe, look.safe, chain)
    if safe.number < finalized.number:
        safe = finalized
    lowest = max(finalized.number, chain[-1].number - kept_headers)
    kept = tuple(block for block in chain if block.number >= lowest) or chain[-1:]
    return Cursor(cursor.sequence + 1, kept, safe, finalized)


def _later(known: BlockRef, said: BlockRef, chain: tuple[Block, ...]) -> BlockRef:
    if said.number <= known.number or said.number > chain[-1].number:
        return known
    beside = said.number >= chain[0].number and all(block.hash != said.hash for block in chain)
    return known if beside else said


def _gap(cursor: Cursor, look: Look, reason: str) -> Step:
    safe = max(cursor.safe, look.safe, key=lambda ref: ref.number)
    finalized = max(cursor.finalized, look.finalized, key=lambda ref: ref.number)
    gap = Gap(cursor.sequence + 1, look.latest, safe, finalized, reason)
    return gap, Cursor(gap.sequence, (look.latest,), safe, finalized)
