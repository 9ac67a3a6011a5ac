"""The lane's worker on a small chain in memory: killed at every crash point, it neither loses nor doubles a step.

The desk keeps a durable list of facts and folds it after each crash; the signer's memory and the chain survive too.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from copy import replace
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import anyio
import pytest
from nacl.utils import random as random_bytes
from sep_hooks.chain import ChainPreset, Finality
from sep_hooks.errors import SignerRefused, UnknownBlock
from sep_hooks.signer import PayloadKind, SignedEntry, SignRequest
from sep_hooks.types import (
    Address,
    Amount,
    AnswerKind,
    AssetId,
    Block,
    BlockRef,
    BroadcastAnswer,
    Call,
    CallResult,
    ChainLog,
    ChainRef,
    ChainUpdate,
    FeeSuggestion,
    Flow,
    IntentId,
    Json,
    Leg,
    MarketId,
    Plan,
    Receipt,
    SignedTransaction,
    SnapshotRef,
    Step,
    StepKind,
    SwapFill,
    SwapOrder,
    Transaction,
    erc20,
)

from sep_core.events.codec import encode
from sep_core.events.decided import Decided
from sep_core.events.facts import (
    AccountFrozen,
    TransactionDoubted,
    TransactionFinal,
    TransactionIncluded,
    TransactionReorged,
    TransactionSigned,
)
from sep_core.events.registry import Fact, decode_fact, encode_fact, fact_type
from sep_core.events.vault import Vault
from sep_core.execution import (
    MAX_IN_FLIGHT,
    AdoptSigned,
    EntryStatus,
    ExecutionCommand,
    LaneKey,
    LaneState,
    LaneWorker,
    OpenAccount,
    PrepareRequest,
    ReceiptReader,
    RecordDoubt,
    RecordPaperFill,
    RecordSigned,
    SigningDesk,
    StalePlan,
    decide,
    doubts,
    evolve_lane,
    fill_of_entry,
    reconcile,
)
from sep_core.execution import worker as worker_module
from sep_core.execution.ports import Recovered, RelayPort
from sep_core.execution.reading import TRANSFER_TOPIC
from sep_core.telemetry.crashpoints import armed

pytestmark = pytest.mark.anyio

CHAIN = ChainRef("eip155:1")
OWNER = Address("0x" + "11" * 20)
POOL = Address("0x" + "22" * 20)
KEY = LaneKey(CHAIN, OWNER)
PAID = erc20(1, "0x" + "aa" * 20)
WANTED = erc20(1, "0x" + "bb" * 20)
NAMES = UUID("11111111-2222-3333-4444-555555555555")
STORE = UUID(int=1)
FIRST_NONCE = 3
SPENT, RECEIVED = 1_000, 500
NEVER = 10**9


class Crash(BaseException):
    """The process dies here."""


class Doubled(AssertionError):
    """An effect took place twice."""


@dataclass(frozen=True)
class Mined:
    block: Block
    transactions: tuple[tuple[str, int, bytes, bool], ...]


def call_of(raw: bytes) -> tuple[str, int]:
    """The swap that bytes call for, empty for none, and until when; a call without data is a cancel."""
    data = bytes.fromhex(json.loads(raw)["data"])
    fields = json.loads(data) if data else {"swap": "", "deadline": NEVER * 10}
    return fields["swap"], fields["deadline"]


def swap_data(deadline: int, name: str) -> bytes:
    return json.dumps({"swap": name, "deadline": deadline}).encode()


def topic(owner: Address) -> bytes:
    return bytes.fromhex(owner[2:]).rjust(32, b"\0")


def logs_of(transaction_hash: str) -> tuple[ChainLog, ...]:
    moves = [(PAID, OWNER, POOL, SPENT), (WANTED, POOL, OWNER, RECEIVED)]
    return tuple(
        ChainLog(
            Address(asset.rpartition(":")[2]),
            (TRANSFER_TOPIC, topic(sender), topic(recipient)),
            amount.to_bytes(32),
            transaction_hash,
            ordinal,
        )
        for ordinal, (asset, sender, recipient, amount) in enumerate(moves)
    )


class SmallChain:
    """One account's view of a chain: a pool, blocks, reorganisations, answers that may get lost."""

    def __init__(self) -> None:
        self.preset = ChainPreset(
            "ethereum", "ethereum", 1, True, 12, Finality("depth", 2), 2**24, 1, "0x" + "cc" * 20, ()
        )
        self.made = 0
        self.blocks = [self._block(None, ())]
        self.pool: dict[int, tuple[str, bytes]] = {}
        self.script: list[str] = []
        self.silent = False
        self.before_send: Callable[[str], None] = lambda _: None
        self.sent: list[str] = []
        self.price = SPENT
        self.hidden: set[str] = set()
        self.foreign = 0
        self.asks = 10**9

    def _block(self, parent: Block | None, transactions: tuple[tuple[str, int, bytes, bool], ...]) -> Mined:
        self.made += 1
        number = parent.number + 1 if parent else 100
        block = Block(
            number,
            f"0xb{self.made}",
            parent.hash if parent else "0x",
            1_700_000_000 + 12 * (number - 100),
            10**9,
            30_000_000,
        )
        return Mined(block, transactions)

    def _check(self) -> None:
        if self.silent:
            raise UnknownBlock("the endpoint does not answer")

    @property
    def tip(self) -> Block:
        return self.blocks[-1].block

    def count(self, up_to: int) -> int:
        own = sum(len(one.transactions) for one in self.blocks if one.block.number <= up_to)
        return FIRST_NONCE + own + self.foreign

    def mine(self) -> ChainUpdate:
        included: list[tuple[str, int, bytes, bool]] = []
        timestamp = self.tip.timestamp + 12
        nonce = self.count(self.tip.number)
        while nonce in self.pool and json.loads(self.pool[nonce][1])["max_fee_per_gas"] >= self.asks:
            transaction_hash, raw = self.pool.pop(nonce)
            included.append((transaction_hash, nonce, raw, call_of(raw)[1] >= timestamp))
            nonce += 1
        self.blocks.append(self._block(self.tip, tuple(included)))
        return self.update(())

    def reorganise(self, depth: int, *, drop: bool = False) -> ChainUpdate:
        gone = self.blocks[-depth:]
        del self.blocks[-depth:]
        for block in gone:
            for transaction_hash, nonce, raw, _ in block.transactions:
                if not drop:
                    self.pool[nonce] = (transaction_hash, raw)
        for _ in range(depth + 1):
            self.blocks.append(self._block(self.tip, ()))
        return self.update(tuple(one.block for one in reversed(gone)))

    def update(self, removed: tuple[Block, ...]) -> ChainUpdate:
        final = self.blocks[max(0, len(self.blocks) - 3)].block.ref
        return ChainUpdate(self.made, removed, (), self.tip, final, final)

    def swaps(self) -> dict[str, int]:
        """How often each swap took effect on the canonical chain."""
        counts: dict[str, int] = {}
        for block in self.blocks:
            for _, _, raw, ok in block.transactions:
                name, _ = call_of(raw)
                counts[name] = counts.get(name, 0) + ok
        return counts

    # the port

    async def head(self) -> Block:
        self._check()
        return self.tip

    async def block(self, at: BlockRef | int) -> Block:
        self._check()
        for one in self.blocks:
            if at in (one.block.number, one.block.ref):
                return one.block
        raise UnknownBlock(f"no block {at}")

    async def final_block(self) -> Block:
        self._check()
        return self.blocks[max(0, len(self.blocks) - 3)].block

    async def nonce(self, owner: Address, at: str | BlockRef = "latest") -> int:
        self._check()
        return self.count(at.number if isinstance(at, BlockRef) else self.tip.number)

    async def balances(
        self, owner: Address, assets: Sequence[AssetId], at: BlockRef | None = None
    ) -> Mapping[AssetId, Amount]:
        return dict.fromkeys(assets, Amount(0))

    async def simulate(self, calls: Sequence[Call], sender: Address) -> Sequence[CallResult]:
        self._check()
        results = []
        for call in calls:
            logs = logs_of("")
            paid = replace(logs[0], data=self.price.to_bytes(32))
            is_swap = bool(json.loads(call.data)["swap"])
            results.append(
                CallResult(self.price > 0, b"", 90_000, (paid, logs[1]) if is_swap else (), "no balance")
            )
        return results

    async def fees(self) -> FeeSuggestion:
        self._check()
        return FeeSuggestion(self.asks, self.asks, 3 * self.asks, 10**8)

    async def broadcast(self, raw: bytes) -> Sequence[BroadcastAnswer]:
        how = self.script.pop(0) if self.script else "taken"
        transaction_hash = "0x" + hashlib.sha256(raw).hexdigest()
        self.before_send(transaction_hash)
        self.sent.append(transaction_hash)
        if how == "lost":
            return (BroadcastAnswer("node", AnswerKind.AMBIGUOUS, "timeout"),)
        nonce = json.loads(raw)["nonce"]
        kind = AnswerKind.ACCEPTED
        if nonce < self.count(self.tip.number):
            kind = AnswerKind.NONCE_TOO_LOW
        elif nonce in self.pool and self.pool[nonce][0] == transaction_hash:
            kind = AnswerKind.KNOWN
        elif nonce in self.pool and not _replaces(raw, self.pool[nonce][1]):
            kind = AnswerKind.UNDERPRICED
        else:
            self.pool[nonce] = (transaction_hash, raw)
        if how == "unheard":
            kind = AnswerKind.AMBIGUOUS
        return (BroadcastAnswer("node", kind, ""),)

    async def is_waiting(self, transaction_hash: str) -> bool:
        self._check()
        return any(held == transaction_hash for held, _ in self.pool.values())

    async def receipts(self, transaction_hashes: Sequence[str]) -> Sequence[Receipt | None]:
        self._check()
        return [self._receipt(one) for one in transaction_hashes]

    def _receipt(self, wanted: str) -> Receipt | None:
        for block in self.blocks:
            for transaction_hash, _, raw, ok in block.transactions:
                if transaction_hash == wanted and wanted not in self.hidden:
                    logs = logs_of(wanted) if ok and call_of(raw)[0] else ()
                    return Receipt(wanted, block.block.ref, ok, 90_000, 10**9, logs)
        return None


def _replaces(new: bytes, old: bytes) -> bool:
    """As a node's pool has it: an eighth more on both fees."""
    now, before = json.loads(new), json.loads(old)
    fees = ("max_fee_per_gas", "max_priority_fee_per_gas")
    return all(now[fee] * 8 >= before[fee] * 9 for fee in fees)


class RememberingSigner:
    """One payload per nonce, and declared replacements of it, remembered for ever."""

    def __init__(self) -> None:
        self.entries: dict[int, list[SignedEntry]] = {}
        self.refuse_step = ""
        self.refuse_kind: PayloadKind | None = None
        self.epoch = 0

    async def sign(self, request: SignRequest) -> SignedTransaction:
        known = self.entries.setdefault(request.transaction.nonce, [])
        for one in known:
            if one.request == request:
                return one.signed
        if known and request.replaces != known[-1].signed.hash:
            raise SignerRefused(f"nonce {request.transaction.nonce} carries another payload")
        if self.refuse_step and request.step_id.endswith(self.refuse_step):
            raise SignerRefused("the policy says no")
        if request.kind is self.refuse_kind:
            raise SignerRefused("no more may be paid")
        fields = {**asdict(request.transaction), "data": request.transaction.data.hex()}
        raw = json.dumps(fields).encode()
        signed = SignedTransaction(raw, "0x" + hashlib.sha256(raw).hexdigest())
        known.append(SignedEntry(request, signed))
        return signed

    async def list_signed(self) -> Sequence[SignedEntry]:
        return [one for known in self.entries.values() for one in known]

    async def advance_epoch(self, store_id: UUID, epoch: int, breaker_epoch: int) -> None:
        self.epoch = max(self.epoch, epoch)


def read_plain(raw: bytes) -> Recovered:
    """What the small chain's bytes say: they are JSON, and everybody's signature is the owner's."""
    fields = json.loads(raw)
    transaction = Transaction(**{**fields, "data": bytes.fromhex(fields["data"])})
    return Recovered(OWNER, "0x" + hashlib.sha256(raw).hexdigest(), transaction)


type Decider = Callable[[LaneState | None, ExecutionCommand], Sequence[Decided]]


@dataclass
class Durable:
    """What survives a crash."""

    chain: SmallChain = field(default_factory=SmallChain)
    signer: RememberingSigner = field(default_factory=RememberingSigner)
    facts: list[tuple[str, int, Mapping[str, Json]]] = field(default_factory=list)
    plans: dict[IntentId, Plan] = field(default_factory=dict)
    started: set[IntentId] = field(default_factory=set)
    withdrawn: list[StalePlan] = field(default_factory=list)
    paper: list[RecordPaperFill] = field(default_factory=list)
    vault: Vault = field(default_factory=lambda: Vault(random_bytes(32)))
    ends: set[IntentId] = field(default_factory=set)
    most_fee: int | None = None
    open_to_all: set[IntentId] = field(default_factory=set)

    def told(self) -> list[Fact]:
        return [decode_fact(name, version, encode(body)) for name, version, body in self.facts]

    def hashes(self) -> set[str]:
        return {fact.hash for fact in self.told() if isinstance(fact, TransactionSigned)}


class ListDesk:
    """Decides on memory, makes facts durable, plans nothing itself."""

    def __init__(self, durable: Durable, decider: Decider = decide) -> None:
        self.durable = durable
        self.decider = decider
        self.state: LaneState | None = None
        for fact in durable.told():
            self.state = evolve_lane(self.state, fact)

    def lane(self) -> LaneState | None:
        return self.state

    def next_work(self) -> PrepareRequest | None:
        gone = {one.intent_id for one in self.durable.withdrawn}
        for intent_id, plan in self.durable.plans.items():
            if intent_id not in self.durable.started and intent_id not in gone:
                return PrepareRequest(intent_id, plan)
        return None

    def approved(self, intent_id: IntentId) -> PrepareRequest | None:
        gone = {one.intent_id for one in self.durable.withdrawn}
        if intent_id in self.durable.started | gone or intent_id not in self.durable.plans:
            return None
        return PrepareRequest(intent_id, self.durable.plans[intent_id])

    breaker_epoch = 0

    def objection(self, request: PrepareRequest) -> StalePlan | None:
        return None

    def knows(self, intent_id: IntentId) -> bool:
        return intent_id in self.durable.plans

    def step(self, intent_id: IntentId, step_id: str) -> Step | None:
        plan = self.durable.plans.get(intent_id)
        return next((one for one in plan.steps if one.id == step_id), None) if plan else None

    def end_wanted(self, intent_id: IntentId, step_id: str) -> bool:
        step = self.step(intent_id, step_id)
        return intent_id in self.durable.ends and step is not None and step.exchanges

    def may_be_public(self, intent_id: IntentId) -> bool:
        return intent_id in self.durable.open_to_all

    def most_fee(self, intent_id: IntentId, step_id: str) -> int | None:
        return self.durable.most_fee

    async def record(self, command: ExecutionCommand) -> None:
        decided = list(self.decider(self.state, command))
        for one in decided:
            self.state = evolve_lane(self.state, one.fact)
            name, version = fact_type(one.fact)
            self.durable.facts.append((name, version, encode_fact(one.fact)))
        if isinstance(command, RecordSigned):
            self.durable.started.add(command.intent_id)
        if isinstance(command, RecordPaperFill):
            self.durable.paper.append(command)
            self.durable.started.add(command.intent_id)

    async def withdraw(self, stale: StalePlan) -> None:
        self.durable.withdrawn.append(stale)


class QuietLog:
    def info(self, event: str, **fields: Json) -> None:
        """Nobody reads it."""

    def warning(self, event: str, **fields: Json) -> None:
        """Nobody reads it."""


class ChainClock:
    """Time as the chain tells it, so that tests wait for nothing."""

    def __init__(self, chain: SmallChain) -> None:
        self.chain = chain
        self.extra = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(
            seconds=self.chain.tip.timestamp - 1_700_000_000 + self.extra
        )


def make_plan(name: str, deadline: int = 1_700_000_000 + NEVER) -> tuple[IntentId, Plan]:
    intent_id = IntentId(uuid5(NAMES, name))
    leg = Leg(MarketId("v/m"), PAID, WANTED, Amount(SPENT), Amount(RECEIVED))
    order = SwapOrder((leg,), False, Amount(SPENT + 10), Amount(RECEIVED), OWNER, deadline)
    approve = json.dumps({"swap": "", "deadline": 10**11}).encode()
    steps = (
        Step(f"{name}.1-approve", StepKind.APPROVE, CHAIN, Call(POOL, approve), 100_000, token=PAID),
        Step(
            f"{name}.2-swap", StepKind.SWAP, CHAIN, Call(POOL, swap_data(deadline, name)), 200_000, "v", order
        ),
        Step(f"{name}.3-revoke", StepKind.APPROVE, CHAIN, Call(POOL, approve), 100_000, token=PAID),
    )
    ref = BlockRef(100, "0xb1")
    zero = Amount(0)
    plan = Plan(
        f"0x{name}", intent_id, "main", SnapshotRef("0x", ref, 1, 1), steps, False,
        (Flow(PAID, Amount(SPENT), Amount(SPENT + 10), Amount(SPENT)),),
        (Flow(WANTED, Amount(RECEIVED), Amount(RECEIVED), Amount(RECEIVED)),),
        (zero, zero), 400_000, 3 * 10**9, "test", 1, "whole", (),
    )  # fmt: skip
    return intent_id, plan


def reader() -> ReceiptReader:
    def passes(venue: str, order: SwapOrder, logs: Sequence[ChainLog]) -> Sequence[SwapFill]:
        leg = order.legs[0]
        return [SwapFill(leg.market, PAID, Amount(SPENT), WANTED, Amount(RECEIVED), 1)]

    return ReceiptReader(CHAIN, passes)


class ThreeWitnesses:
    async def without_receipt(self, transaction_hash: str) -> int:
        return 3


async def open_world(*names: str) -> Durable:
    durable = Durable()
    for name in names:
        intent_id, plan = make_plan(name)
        durable.plans[intent_id] = plan
    await ListDesk(durable).record(OpenAccount(KEY, "main", FIRST_NONCE, durable.chain.tip.ref, ()))
    return durable


def start(
    durable: Durable,
    *,
    kind: type[LaneWorker] = LaneWorker,
    decider: Decider = decide,
    witnesses: ThreeWitnesses | None = None,
    quorum: int = 2,
    relay: RelayPort | None = None,
) -> tuple[LaneWorker, ListDesk]:
    desk = ListDesk(durable, decider)
    worker = kind(
        durable.chain,
        reader(),
        desk,
        SigningDesk(durable.signer, durable.vault, 1, STORE, read_plain),
        ChainClock(durable.chain),
        QuietLog(),
        witnesses=witnesses,
        quorum=quorum,
        relay=relay,
    )
    return worker, desk


async def go_on(
    durable: Durable,
    worker: LaneWorker,
    disturb: Callable[[int, SmallChain], ChainUpdate | None] = lambda _, __: None,
    rounds: int = 14,
) -> None:
    for number in range(rounds):
        await worker.turn()
        update = disturb(number, durable.chain) or durable.chain.mine()
        worker.chain_update(update)
    await worker.turn()


def check(durable: Durable, names: Sequence[str]) -> None:
    """One effect for each intent, one payload for each nonce, all of it final and in the log."""
    counts = durable.chain.swaps()
    if any(count > 1 for name, count in counts.items() if name):
        raise Doubled(str(counts))
    assert {name: counts.get(name) for name in names} == dict.fromkeys(names, 1)
    finals = [fact for fact in durable.told() if isinstance(fact, TransactionFinal)]
    assert len({fact.hash for fact in finals}) == len(finals) == 3 * len(names)
    assert all(fact.ok for fact in finals)
    payloads = [fact.nonce for fact in durable.told() if isinstance(fact, TransactionSigned)]
    assert sorted(payloads) == list(range(FIRST_NONCE, FIRST_NONCE + 3 * len(names)))
    desk = ListDesk(durable)
    assert desk.state is not None
    assert desk.state.unfinished == ()


def nothing_leaves_undurable(durable: Durable) -> None:
    def before_send(transaction_hash: str) -> None:
        assert transaction_hash in durable.hashes(), "I2: bytes left before their event"

    durable.chain.before_send = before_send


def quiet(_: int, chain: SmallChain) -> ChainUpdate | None:
    return None


def reorganised(number: int, chain: SmallChain) -> ChainUpdate | None:
    return chain.reorganise(1) if number in (1, 4) else None


def dropped(number: int, chain: SmallChain) -> ChainUpdate | None:
    return chain.reorganise(1, drop=True) if number == 1 else None


def slow_at_first(number: int, chain: SmallChain) -> ChainUpdate | None:
    """The next block takes its time; the bytes wait in the pool."""
    return chain.update(()) if number < 2 else None


def flaky(number: int, chain: SmallChain) -> ChainUpdate | None:
    chain.silent = number in (1, 2)
    return None


SCENARIOS: Mapping[str, tuple[Callable[[int, SmallChain], ChainUpdate | None], list[str]]] = {
    "quiet": (quiet, []),
    "answers lost": (quiet, ["lost", "unheard", "unheard", "lost"]),
    "reorganised": (reorganised, []),
    "dropped by a reorganisation": (dropped, []),
    "slow at first": (slow_at_first, ["unheard", "lost"]),
    "endpoint silent": (flaky, ["unheard"]),
}


# A death before an await leaves its coroutine behind, as the end of a process does.
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:coroutine .* was never awaited:RuntimeWarning",
)
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_every_crash_point_loses_and_doubles_nothing(scenario: str) -> None:
    disturb, script = SCENARIOS[scenario]
    names = ("a", "b")

    async def life(die_at: int) -> tuple[Durable, list[str]]:
        durable = await open_world(*names)
        durable.chain.script = list(script)
        nothing_leaves_undurable(durable)
        passed: list[str] = []

        def visitor(name: str) -> None:
            passed.append(name)
            if len(passed) == die_at:
                raise Crash(name)

        worker, _ = start(durable)
        try:
            with armed(visitor):
                await go_on(durable, worker, disturb)
        except Crash:
            durable.chain.silent = False
            worker, _ = start(durable)
            await go_on(durable, worker)
        return durable, passed

    durable, points = await life(0)
    check(durable, names)
    assert len(set(points)) >= 20
    for die_at in range(1, len(points) + 1):
        durable, _ = await life(die_at)
        check(durable, names)


async def test_settled_amounts_come_from_the_receipt() -> None:
    durable = await open_world("a")
    worker, desk = start(durable)
    await go_on(durable, worker)
    lane = desk.lane()
    assert lane is not None
    intent_id, plan = make_plan("a")
    entries = lane.of_intent(intent_id)
    assert [entry.status for entry in entries] == [EntryStatus.FINAL] * 3
    fill = fill_of_entry(entries[1], plan.steps[1], OWNER)
    assert fill is not None
    assert (fill.amount_in, fill.amount_out, fill.gas_cost) == (SPENT, RECEIVED, 90_000 * 10**9)
    assert len(fill.passes) == 1
    assert fill_of_entry(entries[0], plan.steps[0], OWNER) is None
    report = reconcile(lane, intent_id)
    assert [one.missing for one in report] == [()] * 3
    assert "ledger" in report[1].money


async def test_a_revert_by_deadline_frees_the_nonce() -> None:
    durable = Durable()
    intent_id, plan = make_plan("a", deadline=1_700_000_000 + 30)
    durable.plans[intent_id] = plan
    desk = ListDesk(durable)
    await desk.record(OpenAccount(KEY, "main", FIRST_NONCE, durable.chain.tip.ref, ()))
    durable.chain.script = ["lost"] * 12
    worker, desk = start(durable)
    await go_on(durable, worker, rounds=20)
    lane = desk.lane()
    assert lane is not None
    assert [entry.status for entry in lane.of_intent(intent_id)] == [
        EntryStatus.FINAL,
        EntryStatus.REVERTED,
        EntryStatus.FINAL,
    ]
    assert len(set(durable.chain.sent)) == 3, "the same bytes, however often"


async def test_a_stale_plan_is_withdrawn_and_nothing_is_signed() -> None:
    """A19: without a simulation that agrees with the plan nothing is sent."""
    for trouble in ("price", "deadline"):
        durable = Durable()
        intent_id, plan = make_plan("a", 1_700_000_000 + (5 if trouble == "deadline" else NEVER))
        durable.plans[intent_id] = plan
        await ListDesk(durable).record(OpenAccount(KEY, "main", FIRST_NONCE, durable.chain.tip.ref, ()))
        durable.chain.price = SPENT + 11 if trouble == "price" else SPENT
        worker, _ = start(durable)
        await worker.turn()
        (stale,) = durable.withdrawn
        assert stale.code == {"price": "market_moved", "deadline": "deadline_passed"}[trouble]
        assert stale.retryable
        assert not durable.signer.entries
        assert not durable.chain.sent


async def test_a_refusing_signer_ends_the_plan_and_leaves_no_orphan() -> None:
    durable = await open_world("a", "b")
    durable.signer.refuse_step = "a.2-swap"
    worker, desk = start(durable)
    await go_on(durable, worker)
    (stale,) = durable.withdrawn
    assert (stale.code, stale.retryable) == ("signer_refused", False)
    assert durable.chain.swaps() == {"": 3, "b": 1}
    lane = desk.lane()
    assert lane is not None
    assert lane.unfinished == ()
    assert lane.entries[FIRST_NONCE].recovered


async def test_a_plan_that_died_half_signed_and_went_stale_is_planned_again() -> None:
    durable = await open_world("a")
    worker, _ = start(durable)

    def visitor(name: str) -> None:
        if name == "execution.prepare.sign.after":
            raise Crash(name)

    with pytest.raises(Crash), armed(visitor):
        await worker.turn()
    assert len(durable.signer.entries) == 1
    durable.chain.price = SPENT + 11
    worker, _ = start(durable)
    await worker.turn()
    (stale,) = durable.withdrawn
    assert stale.code == "market_moved"

    durable.chain.price = SPENT
    durable.withdrawn.clear()
    intent_id, plan = make_plan("a")
    steps = tuple(replace(one, id=f"2{one.id}") for one in plan.steps)
    durable.plans[intent_id] = replace(plan, digest="0xa2", steps=steps)
    await worker.turn()
    assert "bound to a nonce" in worker.blocked, "the adopted approval comes first"
    await go_on(durable, worker)
    assert durable.chain.swaps() == {"": 3, "a": 1}
    assert intent_id in durable.started


async def test_one_endpoint_never_concludes_that_nothing_is_there() -> None:
    durable = await open_world("a")
    worker, desk = start(durable)
    await worker.turn()
    durable.chain.hidden = set(durable.hashes())
    durable.chain.hidden.discard("")
    await go_on(durable, worker, rounds=8)
    lane = desk.lane()
    assert lane is not None
    assert [entry.status for entry in lane.unfinished] == [EntryStatus.IN_DOUBT] * 3
    assert all("in doubt" in one.money for one in doubts(lane))
    assert all(one.missing for one in doubts(lane))
    durable.chain.hidden = set()
    await go_on(durable, worker, rounds=2)
    check(durable, ["a"])


async def test_a_nonce_used_elsewhere_freezes_the_account() -> None:
    """A7: whoever else holds the key is noticed."""
    durable = await open_world("a")
    worker, desk = start(durable, witnesses=ThreeWitnesses())
    durable.chain.script = ["lost"] * 3
    await worker.turn()
    durable.chain.foreign = 1
    await go_on(durable, worker, rounds=4)
    lane = desk.lane()
    assert lane is not None
    assert lane.entries[FIRST_NONCE].status is EntryStatus.CONSUMED
    assert lane.frozen is not None
    assert sum(isinstance(fact, AccountFrozen) for fact in durable.told()) == 1


async def test_fewer_voices_than_the_quorum_conclude_nothing() -> None:
    """Three endpoints know of no receipt; where four must agree, it stays in doubt and the account free."""
    durable = await open_world("a")
    worker, desk = start(durable, witnesses=ThreeWitnesses(), quorum=4)
    durable.chain.script = ["lost"] * 3
    await worker.turn()
    durable.chain.foreign = 1
    await go_on(durable, worker, rounds=4)
    lane = desk.lane()
    assert lane is not None
    assert lane.entries[FIRST_NONCE].status is EntryStatus.IN_DOUBT
    assert lane.frozen is None


async def test_a_wallet_used_outside_is_noticed_before_signing() -> None:
    durable = await open_world("a")
    durable.chain.foreign = 2
    worker, desk = start(durable)
    await worker.turn()
    assert not durable.signer.entries
    await go_on(durable, worker, rounds=3)
    lane = desk.lane()
    assert lane is not None
    assert lane.frozen is not None
    assert not durable.signer.entries
    assert "frozen" in worker.blocked


async def test_nothing_new_is_signed_while_a_nonce_is_in_doubt() -> None:
    durable = await open_world("a", "b")
    durable.chain.script = ["unheard"]
    worker, desk = start(durable)
    await worker.turn()
    lane = desk.lane()
    assert lane is not None
    assert {entry.intent_id for entry in lane.unfinished} == {make_plan("a")[0]}
    assert "in doubt" in worker.blocked
    await go_on(durable, worker)
    check(durable, ["a", "b"])


async def test_a_plan_of_more_transactions_than_may_wait_is_given_up_and_holds_up_no_other() -> None:
    durable = await open_world("long", "a")
    intent_id, plan = make_plan("long")
    approval = plan.steps[0]
    more = tuple(replace(approval, id=f"more-{number}") for number in range(MAX_IN_FLIGHT))
    durable.plans[intent_id] = replace(plan, steps=(*more, *plan.steps[1:]))
    worker, _ = start(durable)
    await go_on(durable, worker)
    (stale,) = durable.withdrawn
    assert (stale.intent_id, stale.code, stale.retryable) == (intent_id, "plan_too_long", True)
    check(durable, ["a"])


async def test_forty_intents_of_one_wallet_take_forty_times_three_nonces_without_a_gap() -> None:
    """A6: nonces come from the lane, never from a node."""
    names = [f"i{number}" for number in range(40)]
    durable = await open_world(*names)
    worker, desk = start(durable)
    most_waiting = 0
    for _ in range(30):
        await worker.turn()
        most_waiting = max(most_waiting, len(durable.chain.pool))
        worker.chain_update(durable.chain.mine())
    await worker.turn()
    check(durable, names)
    assert 6 <= most_waiting <= MAX_IN_FLIGHT
    lane = desk.lane()
    assert lane is not None
    assert len(lane.entries) <= 40, "finished nonces do not pile up in memory"


async def test_what_was_sent_before_a_restart_is_sent_again_without_doubt() -> None:
    durable = await open_world("a")
    worker, _ = start(durable)
    await worker.turn()
    durable.chain.pool.clear()  # the bytes never arrived, whatever the answer said
    worker, _ = start(durable)
    await go_on(durable, worker)
    check(durable, ["a"])
    assert not any(isinstance(fact, TransactionDoubted) for fact in durable.told())


async def test_doubt_is_said_once_for_each_reason() -> None:
    durable = await open_world("a")
    durable.chain.script = ["lost"] * 30
    worker, _ = start(durable)
    await go_on(durable, worker, rounds=10)
    said = [(fact.nonce, fact.reason) for fact in durable.told() if isinstance(fact, TransactionDoubted)]
    assert said
    assert len(said) == len(set(said))


async def test_a_reorganisation_is_recorded_with_its_block_and_counted_again() -> None:
    durable = await open_world("a")
    worker, _ = start(durable)
    await go_on(durable, worker, reorganised)
    check(durable, ["a"])
    told = durable.told()
    lost = [fact for fact in told if isinstance(fact, TransactionReorged)]
    seen = [fact for fact in told if isinstance(fact, TransactionIncluded)]
    assert lost
    assert len(seen) == len(lost) + 3


async def test_paper_fills_at_the_simulation_and_has_no_signer() -> None:
    """A12: there is none that it could reach."""
    durable = await open_world("a")
    desk = ListDesk(durable)
    worker = LaneWorker(durable.chain, reader(), desk, None, ChainClock(durable.chain), QuietLog(), quorum=2)
    durable.chain.price = SPENT - 1
    await worker.turn()
    (command,) = durable.paper
    (fill,) = command.fills
    assert (fill.amount_in, fill.amount_out, command.source) == (SPENT - 1, RECEIVED, "simulation")
    assert fill.transaction_hash == ""
    assert fill.gas_cost == 3 * 90_000 * 11 * 10**8
    assert not durable.chain.sent


async def test_paper_without_a_balance_on_chain_says_that_it_predicted() -> None:
    durable = await open_world("a")
    worker = LaneWorker(
        durable.chain, reader(), ListDesk(durable), None, ChainClock(durable.chain), QuietLog(), quorum=2
    )
    durable.chain.price = 0
    await worker.turn()
    (command,) = durable.paper
    assert command.source == "prediction"
    assert (command.fills[0].amount_in, command.fills[0].amount_out) == (SPENT, RECEIVED)


async def test_the_loop_works_when_woken_and_rests_otherwise() -> None:
    durable = await open_world("a")
    desk = ListDesk(durable)
    rested = anyio.Event()
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        rested.set()
        await anyio.sleep_forever()

    worker = LaneWorker(
        durable.chain,
        reader(),
        desk,
        SigningDesk(durable.signer, durable.vault, 1, STORE, read_plain),
        ChainClock(durable.chain),
        QuietLog(),
        quorum=2,
        pause=pause,
    )
    async with anyio.create_task_group() as group:
        group.start_soon(worker.run)
        for _ in range(8):
            with anyio.fail_after(5):
                await rested.wait()
            rested = anyio.Event()
            worker.chain_update(durable.chain.mine())
        group.cancel_scope.cancel()
    check(durable, ["a"])
    assert max(waits) <= worker_module.LONGEST_WAIT_SECONDS


# planted faults


class BroadcastBeforePersist(LaneWorker):
    """Planted: the bytes leave, then their event is written."""

    async def _prepare(self, request: PrepareRequest) -> None:
        lane = self._desk.lane()
        assert lane is not None
        outcome = await self._preparation.prepare(request, lane)
        assert isinstance(outcome, RecordSigned)
        for one in outcome.steps:
            await self._chain.broadcast(one.signed.raw)
        await self._desk.record(outcome)


class NewNonceAfterTimeout(LaneWorker):
    """Planted: what is not seen in time is signed again, with the next nonce."""

    async def _work(self, sight: object) -> None:
        lane, durable = self._desk.lane(), self._durable()
        assert lane is not None
        stuck = [entry for entry in lane.in_doubt if entry.step_id.endswith("swap")]
        for entry in stuck[:1]:
            assert entry.intent_id is not None
            plan = durable.plans[entry.intent_id]
            outcome = await self._preparation.prepare(PrepareRequest(entry.intent_id, plan), lane)
            assert isinstance(outcome, RecordSigned)
            await self._desk.record(outcome)
            return
        await super()._work(sight)  # type: ignore[arg-type]

    def _durable(self) -> Durable:
        assert isinstance(self._desk, ListDesk)
        return self._desk.durable


def forgetful(lane: LaneState | None, command: ExecutionCommand) -> Sequence[Decided]:
    """Planted: the lane does not know that an open intent is bound to its nonce."""
    if lane is not None and isinstance(command, RecordSigned | AdoptSigned):
        entries = {nonce: replace(one, intent_id=None) for nonce, one in lane.entries.items()}
        return decide(replace(lane, entries=entries), command)
    return decide(lane, command)


def timeout_is_failure(lane: LaneState | None, command: ExecutionCommand) -> Sequence[Decided]:
    """Planted: a doubt is written down as a final failure."""
    told = decide(lane, command)
    return [
        replace(
            one, fact=TransactionFinal(one.fact.nonce, one.fact.hash, BlockRef(0, "0x"), False, "timeout")
        )
        if isinstance(one.fact, TransactionDoubted)
        else one
        for one in told
    ]


async def test_planted_broadcast_before_persist_is_found() -> None:
    durable = await open_world("a")
    nothing_leaves_undurable(durable)
    worker, _ = start(durable, kind=BroadcastBeforePersist)
    with pytest.raises(AssertionError, match="I2"):
        await go_on(durable, worker)


async def test_planted_new_nonce_after_timeout_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    durable = await open_world("a")
    durable.chain.script = ["taken", "unheard"]
    worker, _ = start(durable, kind=NewNonceAfterTimeout)
    await worker.turn()
    await worker.turn()
    assert "bound to nonce" in worker.blocked, "the lane refuses before anything is signed"
    assert len(durable.signer.entries) == 3

    durable = await open_world("a")
    durable.chain.script = ["taken", "unheard"]
    monkeypatch.setattr("sep_core.execution.prepare.check_unbound", lambda *_, **__: None)
    worker, _ = start(durable, kind=NewNonceAfterTimeout, decider=forgetful)
    await go_on(durable, worker, slow_at_first)
    with pytest.raises(Doubled):
        check(durable, ["a"])


async def test_planted_timeout_as_failure_is_found() -> None:
    durable = await open_world("a")
    durable.chain.script = ["taken", "unheard"]
    worker, desk = start(durable, decider=timeout_is_failure)
    await worker.turn()
    state = desk.lane()
    assert state is not None
    failed = [entry for entry in state.entries.values() if entry.status is EntryStatus.REVERTED]
    assert failed, "the fault is in place"
    # What believes in the failure plans again, and both take effect.
    intent_id, plan = make_plan("a")
    again = replace(plan, digest="0xa2", steps=tuple(replace(one, id=f"2{one.id}") for one in plan.steps))
    durable.plans[intent_id] = again
    durable.started.discard(intent_id)
    await go_on(durable, worker)
    with pytest.raises(Doubled):
        check(durable, ["a"])


async def test_without_the_fault_the_same_story_ends_well() -> None:
    durable = await open_world("a")
    durable.chain.script = ["taken", "unheard"]
    worker, desk = start(durable)
    await worker.turn()
    state = desk.lane()
    assert state is not None
    assert any(entry.status is EntryStatus.IN_DOUBT for entry in state.entries.values())
    durable.started.discard(make_plan("a")[0])
    await go_on(durable, worker)
    check(durable, ["a"])
    assert not isinstance(durable.told()[-1], RecordDoubt)


async def test_a_chain_that_stands_before_what_is_final_is_sent_nothing() -> None:
    durable = await open_world("a")
    worker, _ = start(durable)
    await go_on(durable, worker)
    check(durable, ["a"])
    durable.chain = SmallChain()
    intent_id, plan = make_plan("b")
    durable.plans[intent_id] = plan
    facts = len(durable.facts)
    worker, _ = start(durable)
    for _ in range(3):
        await worker.turn()
        worker.chain_update(durable.chain.mine())
    assert "the chain was replaced or its endpoint lags; nothing is signed or sent" in worker.blocked
    assert "use another data folder" in worker.blocked
    assert not durable.chain.sent
    assert len(durable.facts) == facts
