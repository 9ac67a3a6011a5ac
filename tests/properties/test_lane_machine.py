"""The nonce lane against a plain model, under reorganisations, flip-flops, duplicates and restarts.

The same machine is run on lanes with planted faults, and must find each of them.
"""

from collections.abc import Callable, Sequence
from copy import replace
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sep_hooks.signer import PayloadKind
from sep_hooks.types import (
    Address,
    Amount,
    AnswerKind,
    BlockRef,
    BroadcastAnswer,
    Call,
    ChainRef,
    IntentId,
    Receipt,
    SignedTransaction,
    Step,
    StepKind,
    Transaction,
)

from sep_core.events.codec import encode
from sep_core.events.decided import Decided
from sep_core.events.facts import (
    NonceConsumedExternally,
    TransactionDoubted,
    TransactionFinal,
    TransactionIncluded,
    TransactionReorged,
    TransactionSigned,
)
from sep_core.events.registry import decode_fact, encode_fact, fact_type
from sep_core.execution import (
    AdoptSigned,
    EntryStatus,
    ExecutionCommand,
    LaneKey,
    LaneState,
    OpenAccount,
    RecordBroadcast,
    RecordDoubt,
    RecordFinal,
    RecordNonceConsumed,
    RecordReceipt,
    RecordReorg,
    RecordReplaced,
    RecordSigned,
    ReleaseAccount,
    SignedStep,
    decide,
    evolve_lane,
)
from sep_core.execution.errors import (
    ContradictsFinality,
    FinalWithoutReceipt,
    LaneFrozen,
    NonceBound,
    NonceGap,
    ReleaseRefused,
    SecondPayload,
    UnknownEffect,
)

type Decider = Callable[[LaneState | None, ExecutionCommand], Sequence[Decided]]

CHAIN = ChainRef("eip155:1")
KEY = LaneKey(CHAIN, Address("0x" + "11" * 20))
NAMES = UUID("11111111-2222-3333-4444-555555555555")
FIRST_NONCE = 7


def step_of(name: str) -> Step:
    return Step(name, StepKind.SWAP, CHAIN, Call(Address("0x" + "22" * 20), name.encode()), 100_000)


def signed_step(step: Step, nonce: int) -> SignedStep:
    transaction = Transaction(1, nonce, step.call.to, step.call.value, step.call.data, 100_000, 10, 1)
    raw = f"{nonce}:{step.id}".encode()
    return SignedStep(step, transaction, SignedTransaction(raw, f"0xhash-{nonce}-{step.id}"), "sealed")


@dataclass
class Block:
    ref: BlockRef
    parent: str | None
    mined: dict[int, tuple[str, bool]] = field(default_factory=dict)


@dataclass
class Model:
    """What a person would write down: who has which nonce, and what the chain says of it."""

    next_nonce: int = FIRST_NONCE
    strangers: set[int] = field(default_factory=set)
    owners: dict[int, tuple[IntentId, str]] = field(default_factory=dict)
    payloads: dict[int, list[str]] = field(default_factory=dict)
    cancels: set[str] = field(default_factory=set)
    seen: dict[int, tuple[BlockRef, str, bool]] = field(default_factory=dict)
    final: dict[int, tuple[BlockRef, str, bool]] = field(default_factory=dict)
    doubted: set[int] = field(default_factory=set)


class Log:
    """The log's own rules: an id that repeats with the same body adds nothing, with another it is a conflict."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, int, Any]] = []
        self.ids: dict[UUID, object] = {}

    def append(self, decided: Sequence[Decided]) -> None:
        for one in decided:
            body = dict(encode_fact(one.fact))
            identity = one.id or uuid5(NAMES, f"{one.stream}/{len(self.facts)}")
            known = self.ids.get(identity)
            if known is not None:
                assert known == body, f"id conflict on {type(one.fact).__name__}"
                continue
            self.ids[identity] = body
            self.facts.append((*fact_type(one.fact), body))

    def fold(self) -> LaneState:
        state: LaneState | None = None
        for name, version, body in self.facts:
            state = evolve_lane(state, decode_fact(name, version, encode(body)))
        assert state is not None
        return state


class LaneMachine(RuleBasedStateMachine):
    """A lane fed with true observations, late, repeated and out of order."""

    decider: Decider = staticmethod(decide)

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.model = Model()
        self.state: LaneState | None = None
        self.intents = 0
        self.genesis = Block(BlockRef(100, "0xb0"), None)
        self.blocks = {self.genesis.ref.hash: self.genesis}
        self.tip = self.genesis
        self.final = self.genesis

    # what the kernel does with a command

    def tell(self, command: ExecutionCommand) -> list[Decided]:
        decided = list(type(self).decider(self.state, command))
        before = self.state
        for one in decided:
            self.state = evolve_lane(self.state, one.fact)
        self.log.append(decided)
        if before is not None and self.state is not None:
            self._only_evidence_ends_doubt(before, self.state, decided)
        return decided

    def _only_evidence_ends_doubt(
        self, before: LaneState, after: LaneState, decided: Sequence[Decided]
    ) -> None:
        """I5."""
        evidence = {
            one.fact.nonce
            for one in decided
            if isinstance(one.fact, TransactionIncluded | NonceConsumedExternally)
        }
        for nonce, entry in before.entries.items():
            if entry.status.in_doubt and not after.entries[nonce].status.in_doubt:
                assert nonce in evidence, f"nonce {nonce} left doubt without evidence"

    @property
    def lane(self) -> LaneState:
        assert self.state is not None
        return self.state

    # what the chain does

    def canonical(self) -> list[Block]:
        chain, at = [], self.tip
        while True:
            chain.append(at)
            if at.parent is None:
                return chain[::-1]
            at = self.blocks[at.parent]

    def mined(self) -> dict[int, tuple[Block, str, bool]]:
        return {nonce: (block, *one) for block in self.canonical() for nonce, one in block.mined.items()}

    def receipt(self, nonce: int) -> Receipt:
        block, name, ok = self.mined()[nonce]
        return Receipt(name, block.ref, ok, 21_000, 5, ())

    @initialize()
    def open(self) -> None:
        command = OpenAccount(KEY, "main", FIRST_NONCE, self.genesis.ref, ())
        assert self.tell(command)
        assert self.tell(command) == []

    @rule(count=st.integers(1, 3))
    def sign(self, count: int) -> None:
        self.intents += 1
        intent = IntentId(uuid5(NAMES, str(self.intents)))
        first = self.model.next_nonce
        steps = tuple(
            signed_step(step_of(f"{self.intents}.{place}"), first + place) for place in range(count)
        )
        command = RecordSigned(KEY, intent, "plan", steps)
        assert len(self.tell(command)) == 3 * count
        self.model.next_nonce += count
        for one in steps:
            self.model.owners[one.transaction.nonce] = (intent, one.step.id)
            self.model.payloads[one.transaction.nonce] = [one.signed.hash]
        assert self.tell(command) == []

    @precondition(lambda self: self.model.owners)
    @rule(data=st.data())
    def sign_a_used_nonce(self, data: st.DataObject) -> None:
        nonce = data.draw(st.sampled_from(sorted(self.model.owners)))
        with pytest.raises(SecondPayload):
            self.tell(
                RecordSigned(
                    KEY, IntentId(uuid5(NAMES, "other")), "p", (signed_step(step_of("other"), nonce),)
                )
            )

    @rule(gap=st.integers(1, 5))
    def sign_beyond_the_next(self, gap: int) -> None:
        nonce = self.lane.next_nonce + gap
        with pytest.raises(NonceGap):
            self.tell(
                RecordSigned(KEY, IntentId(uuid5(NAMES, "gap")), "p", (signed_step(step_of("gap"), nonce),))
            )

    @precondition(lambda self: any(nonce not in self.model.final for nonce in self.model.owners))
    @rule(data=st.data())
    def sign_an_open_intent_again(self, data: st.DataObject) -> None:
        """A timeout is no reason for a new nonce (I4)."""
        nonce = data.draw(
            st.sampled_from([one for one in sorted(self.model.owners) if one not in self.model.final])
        )
        intent, _ = self.model.owners[nonce]
        again = signed_step(step_of(f"again-{nonce}"), self.lane.next_nonce)
        with pytest.raises(NonceBound):
            self.tell(RecordSigned(KEY, intent, "plan 2", (again,)))
        adopt = AdoptSigned(KEY, intent, "x", "plan 2", again.transaction, again.signed, "sealed")
        with pytest.raises(NonceBound):
            self.tell(adopt)

    @precondition(lambda self: self.model.owners)
    @rule(data=st.data(), kinds=st.lists(st.sampled_from(list(AnswerKind)), max_size=2))
    def broadcast(self, data: st.DataObject, kinds: list[AnswerKind]) -> None:
        nonce = data.draw(st.sampled_from(sorted(self.model.owners)))
        answers = tuple(BroadcastAnswer(f"e{at}", kind, "text") for at, kind in enumerate(kinds))
        command = RecordBroadcast(KEY, nonce, self.model.payloads[nonce][-1], answers)
        told = self.tell(command)
        assert self.tell(command) == []
        if any(isinstance(one.fact, TransactionDoubted) for one in told):
            self.model.doubted.add(nonce)

    @precondition(lambda self: self.model.owners)
    @rule(data=st.data(), reason=st.sampled_from(["stuck", "no_answer"]))
    def doubt(self, data: st.DataObject, reason: str) -> None:
        nonce = data.draw(st.sampled_from(sorted(self.model.owners)))
        command = RecordDoubt(KEY, nonce, self.model.payloads[nonce][-1], reason)
        if self.tell(command):
            self.model.doubted.add(nonce)
        assert self.tell(command) == []

    @precondition(lambda self: self.model.owners)
    @rule(count=st.integers(0, 3), ok=st.booleans(), data=st.data())
    def mine(self, count: int, ok: bool, data: st.DataObject) -> None:
        """Whoever builds a block takes any of the payloads that were ever signed."""
        mined = self.mined()
        waiting = [nonce for nonce in sorted(self.model.owners) if nonce not in mined][:count]
        self.mine_block(
            [(nonce, (data.draw(st.sampled_from(self.model.payloads[nonce])), ok)) for nonce in waiting]
        )

    @precondition(lambda self: any(nonce not in self.model.final for nonce in self.model.owners))
    @rule(
        data=st.data(), kind=st.sampled_from([PayloadKind.BUMP, PayloadKind.CANCEL]), recovered=st.booleans()
    )
    def replace_payload(self, data: st.DataObject, kind: PayloadKind, recovered: bool) -> None:
        """Also where a block holds one already: that was not known when it was signed."""
        opened = [one for one in sorted(self.model.owners) if one not in self.model.final]
        nonce = data.draw(st.sampled_from(opened))
        known = self.model.payloads[nonce]
        transaction = Transaction(
            1, nonce, KEY.address, Amount(0), b"", 100_000, 10 + len(known), 1 + len(known)
        )
        signed = SignedTransaction(b"", f"0xhash-{nonce}-{kind}-{len(known)}")
        command = RecordReplaced(KEY, nonce, kind, known[-1], transaction, signed, "sealed", recovered)
        assert [type(one.fact) for one in self.tell(command)] == [TransactionSigned]
        assert self.tell(command) == []
        if len(known) > 1:
            stale = replace(command, replaces=known[0], signed=replace(signed, hash="0xother"))
            with pytest.raises(SecondPayload):
                self.tell(stale)
        known.append(signed.hash)
        if kind is PayloadKind.CANCEL:
            self.model.cancels.add(signed.hash)

    def mine_block(self, mined: Sequence[tuple[int, tuple[str, bool]]]) -> None:
        block = Block(
            BlockRef(self.tip.ref.number + 1, f"0xb{len(self.blocks)}"), self.tip.ref.hash, dict(mined)
        )
        self.blocks[block.ref.hash] = block
        self.tip = block

    @rule(data=st.data())
    def switch_branch(self, data: st.DataObject) -> None:
        """Any known block above the final one may become the tip, also one that was left before."""
        possible = []
        for block in self.blocks.values():
            at: Block | None = block
            while at is not None and at is not self.final:
                at = self.blocks[at.parent] if at.parent is not None else None
            if at is self.final:
                possible.append(block.ref.hash)
        self.tip = self.blocks[data.draw(st.sampled_from(sorted(possible)))]

    @precondition(lambda self: self.mined())
    @rule(data=st.data())
    def see_receipt(self, data: st.DataObject) -> None:
        nonce = data.draw(st.sampled_from(sorted(self.mined())))
        receipt = self.receipt(nonce)
        command = RecordReceipt(KEY, nonce, receipt, (), ())
        told = self.tell(command)
        seen = (receipt.block, receipt.transaction_hash, receipt.ok)
        if self.model.seen.get(nonce) != seen and nonce not in self.model.final:
            assert any(isinstance(one.fact, TransactionIncluded) for one in told)
            self.model.seen[nonce] = seen
            self.model.doubted.discard(nonce)
        else:
            assert told == []
        assert self.tell(command) == []

    @precondition(lambda self: self.model.seen)
    @rule()
    def see_reorganisation(self) -> None:
        canonical = {block.ref for block in self.canonical()}
        for nonce, (block, name, _) in sorted(self.model.seen.items()):
            if block in canonical or nonce in self.model.final:
                continue
            command = RecordReorg(KEY, nonce, name, block)
            told = self.tell(command)
            assert [type(one.fact) for one in told] == [TransactionReorged]
            assert self.tell(command) == []
            del self.model.seen[nonce]

    @precondition(lambda self: self.tip is not self.final and self.tip.mined)
    @rule(back=st.booleans())
    def flip(self, back: bool) -> None:
        """The tip is seen, lost, and its transactions come again: in the same block, or in another."""
        block = self.tip
        for round_trip in range(2):
            for nonce in sorted(block.mined):
                command = RecordReceipt(KEY, nonce, self.receipt(nonce), (), ())
                told = self.tell(command)
                assert bool(told) == (self.model.seen.get(nonce) != (block.ref, *block.mined[nonce]))
                self.model.seen[nonce] = (block.ref, *block.mined[nonce])
                self.model.doubted.discard(nonce)
            if round_trip:
                return
            assert block.parent is not None
            self.tip = self.blocks[block.parent]
            self.mine_block(() if back else tuple(block.mined.items()))
            self.see_reorganisation()
            if back:
                self.tip = block
            block = self.tip

    @rule(data=st.data())
    def finalise(self, data: st.DataObject) -> None:
        chain = self.canonical()
        above = chain[chain.index(self.final) :]
        self.final = data.draw(st.sampled_from(above))

    @precondition(lambda self: self.mined())
    @rule()
    def see_finality(self) -> None:
        for nonce, (block, name, ok) in sorted(self.mined().items()):
            command = RecordFinal(KEY, nonce, name, block.ref, "finalized")
            if block.ref.number > self.final.ref.number:
                continue
            if nonce not in self.model.final and self.model.seen.get(nonce) != (block.ref, name, ok):
                with pytest.raises(FinalWithoutReceipt):
                    self.tell(command)
                continue
            told = self.tell(command)
            assert len(told) == (0 if nonce in self.model.final else 1)
            self.model.final[nonce] = (block.ref, name, ok)
            assert self.tell(command) == []

    @precondition(lambda self: self.model.final)
    @rule(data=st.data())
    def contradict_finality(self, data: st.DataObject) -> None:
        nonce = data.draw(st.sampled_from(sorted(self.model.final)))
        block, name, _ = self.model.final[nonce]
        if nonce not in self.lane.entries:
            return
        with pytest.raises(ContradictsFinality):
            self.tell(RecordReorg(KEY, nonce, name, block))
        with pytest.raises(ContradictsFinality):
            self.tell(RecordNonceConsumed(KEY, nonce, "nobody"))

    @rule(used=st.integers(1, 3), restarts=st.booleans())
    def a_stranger_uses_the_account(self, used: int, restarts: bool) -> None:
        """It is frozen until somebody has looked, who is heard once nothing of ours is open."""
        nonce = self.lane.next_nonce
        command = RecordNonceConsumed(KEY, nonce, "the account's nonce is higher at the final block")
        assert self.tell(command)
        assert self.tell(command) == []
        if restarts:
            self.restart()
        assert self.lane.frozen is not None
        blocked = RecordSigned(KEY, IntentId(NAMES), "p", (signed_step(step_of("no"), self.lane.next_nonce),))
        with pytest.raises(LaneFrozen):
            self.tell(blocked)
        release = ReleaseAccount(KEY, nonce + used, self.final.ref, (), "looked at", "tests")
        for one in sorted(set(self.model.owners) - set(self.model.final)):
            with pytest.raises(ReleaseRefused, match=f"nonce .*{one}"):
                self.tell(release)
            self._settle(one)
        with pytest.raises(ReleaseRefused):
            self.tell(replace(release, next_nonce=nonce))
        assert self.tell(release)
        assert self.tell(release) == []
        self.model.next_nonce = nonce + used
        self.model.strangers.add(nonce)

    def _settle(self, nonce: int) -> None:
        """Brings an open nonce to its end: in a block that is final at once."""
        if nonce not in self.mined():
            self.mine_block([(nonce, (self.model.payloads[nonce][-1], True))])
        self.see_reorganisation()
        block, name, ok = self.mined()[nonce]
        self.tell(RecordReceipt(KEY, nonce, self.receipt(nonce), (), ()))
        if block.ref.number > self.final.ref.number:
            self.final = block
        self.tell(RecordFinal(KEY, nonce, name, block.ref, "finalized"))
        self.model.seen[nonce] = self.model.final[nonce] = (block.ref, name, ok)
        self.model.doubted.discard(nonce)

    @rule()
    def see_a_stranger(self) -> None:
        with pytest.raises(UnknownEffect):
            self.tell(RecordDoubt(KEY, self.lane.next_nonce, "0xstranger", "stuck"))

    @rule()
    def restart(self) -> None:
        assert self.log.fold() == replace(self.lane, planned=None)
        self.state = self.log.fold()

    @invariant()
    def agrees_with_model(self) -> None:
        if self.state is None:
            return
        assert self.lane.next_nonce == self.model.next_nonce
        assert self.lane.frozen is None
        for nonce, entry in self.lane.entries.items():
            if nonce in self.model.strangers:
                assert entry.intent_id is None
                assert entry.status.finished
                continue
            assert (entry.intent_id, entry.step_id) == self.model.owners[nonce]
            assert [one.hash for one in entry.payloads] == self.model.payloads[nonce]
            if nonce in self.model.final:
                block, name, ok = self.model.final[nonce]
                status = EntryStatus.FINAL if ok else EntryStatus.REVERTED
                assert entry.status is (EntryStatus.CANCELLED if name in self.model.cancels else status)
                assert (entry.block, entry.hash) == (block, name)
            elif nonce in self.model.seen:
                block, name, ok = self.model.seen[nonce]
                assert (entry.status, entry.block, entry.ok) == (EntryStatus.INCLUDED, block, ok)
                assert entry.hash == name
            elif nonce in self.model.doubted:
                assert entry.status is EntryStatus.IN_DOUBT
            else:
                assert entry.status in (
                    EntryStatus.SIGNED,
                    EntryStatus.SUBMITTED,
                    EntryStatus.REORGED,
                )
        open_nonces = sorted(set(self.model.owners) - set(self.model.final))
        assert [entry.nonce for entry in self.lane.unfinished] == open_nonces

    @invariant()
    def one_final_effect_per_step_and_one_step_per_nonce(self) -> None:
        finals: dict[str, int] = {}
        owners: dict[int, set[tuple[IntentId, str]]] = {}
        standing: dict[tuple[int, str], int] = {}
        for name, version, body in self.log.facts:
            fact = decode_fact(name, version, encode(body))
            if isinstance(fact, TransactionFinal):
                finals[fact.hash] = finals.get(fact.hash, 0) + 1
            elif isinstance(fact, TransactionSigned):
                owners.setdefault(fact.nonce, set()).add((fact.intent_id, fact.step_id))
            elif isinstance(fact, TransactionIncluded):
                place = (fact.nonce, fact.block.hash)
                standing[place] = standing.get(place, 0) + 1
            elif isinstance(fact, TransactionReorged):
                standing[(fact.nonce, fact.block.hash)] -= 1
        assert all(count == 1 for count in finals.values()), "I1, I8"
        assert all(len(steps) == 1 for steps in owners.values()), "I3"
        assert all(count in (0, 1) for count in standing.values()), "I8"
        per_nonce: dict[int, int] = {}
        for (nonce, _), count in standing.items():
            per_nonce[nonce] = per_nonce.get(nonce, 0) + count
        assert all(count in (0, 1) for count in per_nonce.values()), "one block holds it at a time"


QUICK = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestLane = LaneMachine.TestCase
TestLane.settings = QUICK


def new_nonce_after_timeout(lane: LaneState | None, command: ExecutionCommand) -> Sequence[Decided]:
    """Planted: the lane forgets that an open intent is bound to its nonce."""
    if lane is not None and isinstance(command, RecordSigned | AdoptSigned):
        other = {
            nonce: replace(entry, intent_id=None) if entry.intent_id == command.intent_id else entry
            for nonce, entry in lane.entries.items()
        }
        return decide(replace(lane, entries=other), command)
    return decide(lane, command)


def timeout_is_failure(lane: LaneState | None, command: ExecutionCommand) -> Sequence[Decided]:
    """Planted: a receipt that does not come in time is taken for a failed transaction."""
    told = decide(lane, command)
    if isinstance(command, RecordDoubt) and told:
        block = BlockRef(0, "0x0")
        return [replace(told[0], fact=TransactionFinal(command.nonce, command.hash, block, False, "timeout"))]
    return told


def nonce_reuse(lane: LaneState | None, command: ExecutionCommand) -> Sequence[Decided]:
    """Planted: whoever comes last has the nonce."""
    if lane is not None and isinstance(command, RecordSigned):
        first = command.steps[0].transaction.nonce
        kept = {nonce: entry for nonce, entry in lane.entries.items() if nonce < first}
        return decide(replace(lane, next_nonce=min(first, lane.next_nonce), entries=kept), command)
    return decide(lane, command)


def id_without_occurrence(lane: LaneState | None, command: ExecutionCommand) -> Sequence[Decided]:
    """Planted: the second time that a block counts, its facts have their old ids."""
    return [
        replace(one, id=uuid5(NAMES, f"{type(one.fact).__name__}{_place(one)}")) if one.id else one
        for one in decide(lane, command)
    ]


def id_without_block(lane: LaneState | None, command: ExecutionCommand) -> Sequence[Decided]:
    """Planted: a re-inclusion in another block has the id of the first."""
    return [
        replace(one, id=uuid5(NAMES, f"{type(one.fact).__name__}{getattr(one.fact, 'hash', '')}"))
        if one.id
        else one
        for one in decide(lane, command)
    ]


def reorganisation_forgotten(lane: LaneState | None, command: ExecutionCommand) -> Sequence[Decided]:
    """Planted: a reorganised transaction is forgotten at once, and with it that it may come again."""
    told = decide(lane, command)
    return [one for one in told if not isinstance(one.fact, TransactionReorged)]


def cancel_is_final_at_once(lane: LaneState | None, command: ExecutionCommand) -> Sequence[Decided]:
    """Planted: a cancel's first receipt frees its step for another plan, though a reorganisation may undo it."""
    told = list(decide(lane, command))
    entry = (
        None if lane is None or not isinstance(command, RecordReceipt) else lane.entries.get(command.nonce)
    )
    if not told or entry is None or not isinstance(command, RecordReceipt):
        return told
    name, block = command.receipt.transaction_hash, command.receipt.block
    paid = entry.payload(name)
    if paid is not None and paid.kind is PayloadKind.CANCEL:
        told.append(replace(told[-1], fact=TransactionFinal(entry.nonce, name, block, True, "seen"), id=None))
    return told


def any_payload_replaces(lane: LaneState | None, command: ExecutionCommand) -> Sequence[Decided]:
    """Planted: what was signed at a nonce is taken in whatever it says that it replaces."""
    if lane is not None and isinstance(command, RecordReplaced):
        entry = lane.entries[command.nonce]
        if entry.last is not None:
            return decide(lane, replace(command, replaces=entry.last.hash))
    return decide(lane, command)


def _place(one: Decided) -> str:
    return f"{getattr(one.fact, 'hash', '')}{getattr(one.fact, 'block', '')}"


@pytest.mark.parametrize(
    "faulty",
    [
        new_nonce_after_timeout,
        timeout_is_failure,
        nonce_reuse,
        id_without_occurrence,
        id_without_block,
        reorganisation_forgotten,
        cancel_is_final_at_once,
        any_payload_replaces,
    ],
)
def test_planted_fault_is_found(faulty: Decider) -> None:
    class Faulty(LaneMachine):
        decider = staticmethod(faulty)

    with pytest.raises(BaseException) as caught:
        run_state_machine_as_test(
            Faulty,
            settings=settings(
                QUICK,
                max_examples=3_000,  # it ends with the first that finds the fault
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
            ),
        )
    assert not isinstance(caught.value, KeyboardInterrupt)


def test_frozen_lane_signs_nothing() -> None:
    state: LaneState | None = None
    commands: list[ExecutionCommand] = [
        OpenAccount(KEY, "main", FIRST_NONCE, BlockRef(1, "0x1"), ()),
        RecordNonceConsumed(KEY, FIRST_NONCE, "account nonce 8 at final block 5"),
    ]
    for command in commands:
        for one in decide(state, command):
            state = evolve_lane(state, one.fact)
    assert state is not None
    assert state.next_nonce == FIRST_NONCE + 1
    intent = IntentId(uuid5(NAMES, "1"))
    with pytest.raises(LaneFrozen):
        decide(state, RecordSigned(KEY, intent, "p", (signed_step(step_of("1"), FIRST_NONCE + 1),)))
    assert decide(state, commands[1]) == ()
