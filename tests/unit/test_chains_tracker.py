"""The head tracker against a model chain that forks, rolls back, jumps and changes its mind."""

import random
from collections.abc import Generator
from dataclasses import dataclass, field

import pytest
from sep_hooks.types import Block, BlockLogs, BlockRef, ChainUpdate

from sep_core.chains.errors import BranchLost
from sep_core.chains.tracker import (
    BLOCKS_PER_UPDATE,
    DEEPEST_BACKFILL,
    Answer,
    Cursor,
    Gap,
    Look,
    Need,
    NeedHeader,
    NeedHeaders,
    Step,
    begin,
    follow,
)

KEPT = 40
ROUNDS = 10_000
FINAL_DEPTH = 30
WINDOW = 300
NOWHERE = BlockRef(-1, "")


@dataclass
class ModelChain:
    """A canonical chain; blocks that left it are forgotten by hash, as some nodes do."""

    random: random.Random
    blocks: list[Block] = field(default_factory=list)
    by_hash: dict[str, Block] = field(default_factory=dict)
    made: int = 0
    finalized: int = 0

    def __post_init__(self) -> None:
        self.extend(1)

    def extend(self, count: int) -> None:
        for _ in range(count):
            self.made += 1
            parent = self.blocks[-1].hash if self.blocks else "0x00"
            number = len(self.blocks)
            block = Block(number, f"0x{self.made:x}", parent, 1000 + number, 7, 30_000_000)
            self.blocks.append(block)
            self.by_hash[block.hash] = block
        self.finalized = max(self.finalized, len(self.blocks) - 1 - FINAL_DEPTH)

    def drop(self, count: int) -> None:
        for block in self.blocks[max(1, len(self.blocks) - count) :]:
            del self.by_hash[block.hash]
            self.blocks.pop()

    def step(self) -> str:
        """One random thing that happens to a chain."""
        kind = self.random.choice(
            ["grow", "grow", "grow", "jump", "same height", "fork", "roll back", "nothing"]
        )
        deepest = len(self.blocks) - 1 - self.finalized
        if kind == "grow":
            self.extend(1)
        elif kind == "jump":
            self.extend(self.random.choice([2, 5, BLOCKS_PER_UPDATE + 3, 3 * BLOCKS_PER_UPDATE]))
        elif kind == "same height" and deepest >= 1:
            self.drop(1)
            self.extend(1)
        elif kind == "fork" and deepest >= 1:
            depth = self.random.randint(1, deepest)
            self.drop(depth)
            self.extend(self.random.randint(1, depth + 3))
        elif kind == "roll back" and deepest >= 1:
            self.drop(self.random.randint(1, deepest))
        return kind

    def look(self) -> Look:
        safe = min(self.finalized + 10, len(self.blocks) - 1)
        # A node may err about its tags: go back, or name a block that it does not have.
        finalized = self.random.choice([self.finalized, self.finalized, 0])
        return Look(self.blocks[-1], self.blocks[safe].ref, self.blocks[finalized].ref)

    def answer(self, need: Need) -> Answer:
        if isinstance(need, NeedHeader):
            return self.by_hash.get(need.hash)
        if isinstance(need, NeedHeaders):
            return self.blocks[need.first : need.last + 1]
        return [BlockLogs(block, ()) for block in need.blocks if block.hash in self.by_hash]


def drive(
    machine: Generator[Need, Answer, Step | None], chain: ModelChain, *, restless: bool = False
) -> Step | None:
    """Answers needs from the model; a restless chain goes on while it is walked."""
    answer: Answer = None
    while True:
        try:
            need = machine.send(answer)
        except StopIteration as stop:
            result: Step | None = stop.value
            return result
        if restless and chain.random.random() < 0.3:
            chain.step()
        answer = chain.answer(need)


@dataclass
class Replica:
    """What a consumer knows: it only ever applies what it is handed."""

    blocks: list[Block] = field(default_factory=list)
    sequence: int = 0
    finalized: BlockRef = NOWHERE
    safe: BlockRef = NOWHERE
    seen_since_gap: set[str] = field(default_factory=set)
    gaps: int = 0

    def apply(self, item: ChainUpdate | Gap) -> None:
        assert item.sequence == self.sequence + 1, "sequence is dense"
        assert item.finalized.number >= self.finalized.number, "finalized never goes back"
        assert item.safe.number >= self.safe.number, "safe never goes back"
        assert item.safe.number >= item.finalized.number
        self.sequence, self.finalized, self.safe = item.sequence, item.finalized, item.safe
        if isinstance(item, Gap):
            self.blocks, self.gaps, self.seen_since_gap = [item.head], self.gaps + 1, {item.head.hash}
            return
        for block in item.removed:
            assert self.blocks.pop() == block, "removed newest first"
            self.seen_since_gap.discard(block.hash)
        for added in item.added:
            assert added.block.parent_hash == self.blocks[-1].hash, "added in parent order"
            assert added.block.hash not in self.seen_since_gap, "each block once"
            self.seen_since_gap.add(added.block.hash)
            self.blocks.append(added.block)
        assert len(item.added) <= BLOCKS_PER_UPDATE
        assert self.blocks[-1] == item.head


def test_updates_replay_to_the_canonical_chain() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chain = ModelChain(random.Random(seed))
    chain.extend(3)
    step, cursor = begin(chain.look())
    replica = Replica()
    replica.apply(step)
    kinds: dict[str, int] = {}
    lost = 0
    for round_ in range(ROUNDS):
        kind = chain.step()
        kinds[kind] = kinds.get(kind, 0) + 1
        if chain.random.random() < 0.2 and round_ < ROUNDS - 1:
            continue  # nobody looked; at the end somebody does
        restless = chain.random.random() < 0.1
        while True:
            try:
                result = drive(follow(cursor, chain.look(), KEPT), chain, restless=restless)
            except BranchLost:
                lost += 1
                restless = False
                continue
            if result is None:
                break
            item, cursor = result
            replica.apply(item)
            assert cursor.sequence == item.sequence
            if restless:
                restless = False
        assert replica.blocks[-1] == chain.blocks[-1]
        assert replica.blocks[-WINDOW:] == chain.blocks[-WINDOW:][-len(replica.blocks) :]
        assert len(cursor.kept) <= KEPT + 1
        assert cursor.tip == chain.blocks[-1]
    assert replica.blocks == chain.blocks[replica.blocks[0].number :]
    print(f"{kinds}, {replica.sequence} steps, {replica.gaps} gaps, {lost} branches lost on the way")
    assert min(kinds.values()) > ROUNDS // 20
    assert replica.sequence > ROUNDS // 3


def test_a_branch_below_the_kept_headers_is_a_gap() -> None:
    chain = ModelChain(random.Random(1))
    chain.extend(100)
    look = chain.look()
    kept = tuple(chain.blocks[-5:])
    cursor = Cursor(7, kept, look.finalized, look.finalized)
    chain.drop(20)
    chain.extend(25)
    result = drive(follow(cursor, chain.look(), KEPT), chain)
    assert result is not None
    gap, after = result
    assert isinstance(gap, Gap)
    assert gap.sequence == 8
    assert after.tip == chain.blocks[-1]
    assert drive(follow(after, chain.look(), KEPT), chain) is None or after.tip == chain.blocks[-1]


def test_a_finalized_block_that_leaves_is_a_gap_and_finalized_stays() -> None:
    chain = ModelChain(random.Random(2))
    chain.extend(50)
    final = chain.blocks[45]
    cursor = Cursor(3, tuple(chain.blocks[40:]), final.ref, final.ref)
    chain.drop(10)
    chain.extend(20)
    result = drive(follow(cursor, chain.look(), KEPT), chain)
    assert result is not None
    gap = result[0]
    assert isinstance(gap, Gap)
    assert "finalized" in gap.reason
    assert gap.finalized.number >= final.number


def test_far_behind_is_a_gap_and_asks_nothing() -> None:
    chain = ModelChain(random.Random(3))
    tip = chain.blocks[-1]
    cursor = Cursor(1, (tip,), tip.ref, tip.ref)
    far = Block(DEEPEST_BACKFILL + 10, "0xfff", "0xffe", 9, 7, 30_000_000)
    machine = follow(cursor, Look(far, tip.ref, tip.ref), KEPT)
    with pytest.raises(StopIteration) as stop:
        next(machine)
    assert isinstance(stop.value.value[0], Gap)


def test_a_long_way_comes_in_bounded_steps() -> None:
    chain = ModelChain(random.Random(4))
    tip = chain.blocks[-1]
    cursor = Cursor(1, (tip,), tip.ref, tip.ref)
    chain.extend(1000)
    replica = Replica([tip], 1, tip.ref, tip.ref, {tip.hash})
    while (result := drive(follow(cursor, chain.look(), KEPT), chain)) is not None:
        replica.apply(result[0])
        cursor = result[1]
    assert replica.blocks == chain.blocks
    assert replica.gaps == 0


def test_a_parent_with_another_number_is_refused() -> None:
    chain = ModelChain(random.Random(5))
    chain.extend(3)
    tip = chain.blocks[-1]
    cursor = Cursor(1, (tip,), tip.ref, tip.ref)
    liar = Block(tip.number, "0xbad", "0xworse", 1, 7, 30_000_000)
    machine = follow(cursor, Look(Block(tip.number + 2, "0xtop", "0xbad", 2, 7, 1), tip.ref, tip.ref), KEPT)
    need = next(machine)
    assert need == NeedHeader("0xbad")
    with pytest.raises(BranchLost, match="claims"):
        machine.send(liar)
