"""What execution needs from the rooms beside it; the composition root plugs them together."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sep_hooks.chain import ChainPreset
from sep_hooks.relay import PrivateTransaction
from sep_hooks.signer import SignedEntry, SignRequest
from sep_hooks.types import (
    Address,
    Amount,
    AssetId,
    Block,
    BlockRef,
    BroadcastAnswer,
    Call,
    CallResult,
    ChainLog,
    FeeSuggestion,
    IntentId,
    Plan,
    Receipt,
    SignedTransaction,
    Step,
    SwapFill,
    Transaction,
)

from sep_core.events.facts import Transfer
from sep_core.execution.commands import ExecutionCommand
from sep_core.execution.lane import LaneState


@dataclass(frozen=True, slots=True)
class PrepareRequest:
    """An approved plan that may be signed now."""

    intent_id: IntentId
    plan: Plan


@dataclass(frozen=True, slots=True)
class StalePlan:
    """The plan may not be signed any more; nothing of it was sent.

    `retryable`: another plan may do; otherwise the intent ends, with `code`.
    """

    intent_id: IntentId
    plan_digest: str
    code: str
    reason: str
    retryable: bool = True


class ExecutionChain(Protocol):
    """One chain, as far as sending and watching need it; an absent receipt is no evidence."""

    @property
    def preset(self) -> ChainPreset:
        """What is known of the chain."""
        ...

    async def head(self) -> Block:
        """The latest block."""
        ...

    async def block(self, at: BlockRef | int) -> Block:
        """A block by hash, or the canonical one of a number. Raises `UnknownBlock`."""
        ...

    async def final_block(self) -> Block:
        """The highest final block. Raises `UnknownBlock` where there is none yet."""
        ...

    async def nonce(self, owner: Address, at: str | BlockRef = "latest") -> int:
        """How many transactions of the account the chain holds, at `latest`, `finalized` or a block."""
        ...

    async def balances(
        self, owner: Address, assets: Sequence[AssetId], at: BlockRef | None = None
    ) -> Mapping[AssetId, Amount]:
        """What the account holds, all at one block."""
        ...

    async def simulate(self, calls: Sequence[Call], sender: Address) -> Sequence[CallResult]:
        """What the calls would do one after the other on the latest state."""
        ...

    async def fees(self) -> FeeSuggestion:
        """Fees for the next blocks."""
        ...

    async def broadcast(self, raw: bytes) -> Sequence[BroadcastAnswer]:
        """Sends signed bytes to every endpoint, once."""
        ...

    async def is_waiting(self, transaction_hash: str) -> bool:
        """Whether a node's pool holds the transaction, and no block does."""
        ...

    async def receipts(self, transaction_hashes: Sequence[str]) -> Sequence[Receipt | None]:
        """The receipts of several transactions, in one batch."""
        ...


class LogReader(Protocol):
    """Turns logs into what they say; pure."""

    def transfers(self, logs: Sequence[ChainLog]) -> tuple[Transfer, ...]:
        """The token transfers among the logs."""
        ...

    def passes(self, step: Step, logs: Sequence[ChainLog]) -> tuple[SwapFill, ...]:
        """The passes through markets that the step's venue recognises as its order's."""
        ...


class Witnesses(Protocol):
    """Independent endpoints whose agreement may conclude that something is not there."""

    async def without_receipt(self, transaction_hash: str) -> int:
        """How many independent endpoints answered, each with a final block, that they hold no such receipt."""
        ...


class SignerPort(Protocol):
    """The holder of the key; idempotent, one payload per nonce."""

    async def sign(self, request: SignRequest) -> SignedTransaction:
        """The signed bytes. Raises `SignerRefused`."""
        ...

    async def list_signed(self) -> Sequence[SignedEntry]:
        """All that was ever signed, by nonce."""
        ...

    async def advance_epoch(self, store_id: UUID, epoch: int, breaker_epoch: int) -> None:
        """From now on, durably, requests of older epochs of the log are refused, and those that were checked under an
        older breaker epoch. Raises `SignerRefused`.
        """
        ...


class RelayPort(Protocol):
    """The way past the public pool, where a chain has one."""

    @property
    def name(self) -> str:
        """What the configuration calls it."""
        ...

    @property
    def most_blocks(self) -> int:
        """How many blocks ahead it takes a transaction for."""
        ...

    async def send(self, transaction: PrivateTransaction) -> BroadcastAnswer:
        """What it answers; never raises for that."""
        ...

    async def withdraw(self, transaction_hash: str) -> None:
        """Asks it to forget a transaction; never raises for its answer."""
        ...


class VaultPort(Protocol):
    """Seals signed bytes for the log."""

    def seal(self, plain: bytes) -> str:
        """A text that only this vault opens."""
        ...

    def open(self, sealed: str) -> bytes:
        """The bytes inside a sealed text."""
        ...


class LaneDesk(Protocol):
    """The kernel's desk, as one lane sees it."""

    def lane(self) -> LaneState | None:
        """The lane as memory has it; None before the account was opened."""
        ...

    def next_work(self) -> PrepareRequest | None:
        """The approved plan whose turn it is; the same until it is recorded or withdrawn."""
        ...

    def approved(self, intent_id: IntentId) -> PrepareRequest | None:
        """The intent's plan where it is approved and nothing of it is recorded as started, else None."""
        ...

    @property
    def breaker_epoch(self) -> int:
        """How often a breaker has opened or closed."""
        ...

    def objection(self, request: PrepareRequest) -> StalePlan | None:
        """Why nothing of an approved plan may be signed now, whatever the chain says; None where it may."""
        ...

    def knows(self, intent_id: IntentId) -> bool:
        """Whether the log holds such an intent."""
        ...

    def step(self, intent_id: IntentId, step_id: str) -> Step | None:
        """A step of the intent's plan."""
        ...

    def end_wanted(self, intent_id: IntentId, step_id: str) -> bool:
        """Whether the step, where it is stuck, should end without effect: the intent's end was asked for, and the step
        exchanges something. What takes an allowance back goes on.
        """
        ...

    def may_be_public(self, intent_id: IntentId) -> bool:
        """Whether what a relay brings into no block in time may be sent to all."""
        ...

    def most_fee(self, intent_id: IntentId, step_id: str) -> int | None:
        """The most wei that the step may pay for gas, by the intent's own limit; None where it has none."""
        ...

    async def record(self, command: ExecutionCommand) -> None:
        """Decides the command; returns when its facts are durable."""
        ...

    async def withdraw(self, stale: StalePlan) -> None:
        """Gives an approved plan up; returns when that is durable."""
        ...


@dataclass(frozen=True, slots=True)
class Recovered:
    """What signed bytes say by themselves: who signed, their hash, the transaction."""

    sender: Address
    hash: str
    transaction: Transaction


type ReadSigned = Callable[[bytes], Recovered]
"""Reads signed bytes; raises where they are none."""

type Pause = Callable[[float], Awaitable[None]]
"""Waits for a number of seconds."""


class OneWitness:
    """A single endpoint: it can never conclude that something is not there."""

    async def without_receipt(self, transaction_hash: str) -> int:
        """At most one voice."""
        return 1
