"""What execution's workers report to the kernel: observations, never conclusions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sep_hooks.signer import PayloadKind
from sep_hooks.types import (
    Address,
    Amount,
    AssetId,
    Block,
    BlockRef,
    BroadcastAnswer,
    ChainRef,
    Fill,
    IntentId,
    PriceBook,
    Receipt,
    SignedTransaction,
    Step,
    SwapFill,
    Transaction,
)

from sep_core.events.facts import Transfer


@dataclass(frozen=True, slots=True)
class LaneKey:
    """One sender on one chain: the owner of a sequence of nonces."""

    chain: ChainRef
    address: Address


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """The chain's view of an account that the log does not know yet; `prices` are what its holdings cost now."""

    lane: LaneKey
    name: str
    next_nonce: int
    block: BlockRef
    balances: tuple[tuple[AssetId, Amount], ...]
    prices: PriceBook | None = None


@dataclass(frozen=True, slots=True)
class AdoptAssets:
    """The chain's view of assets that the books of an open account have never seen."""

    lane: LaneKey
    name: str
    block: BlockRef
    balances: tuple[tuple[AssetId, Amount], ...]
    prices: PriceBook | None = None


@dataclass(frozen=True, slots=True)
class ReleaseAccount:
    """An operator lets a frozen account sign again, from what its chain says of it at a final block."""

    lane: LaneKey
    next_nonce: int
    block: BlockRef
    balances: tuple[tuple[AssetId, Amount], ...]
    reason: str
    by: str
    prices: PriceBook | None = None


@dataclass(frozen=True, slots=True)
class SignedStep:
    """A step with the transaction that will carry it; `sealed` are the raw bytes, encrypted. Where `relay` is named,
    nobody else may see them before a block holds them.
    """

    step: Step
    transaction: Transaction
    signed: SignedTransaction
    sealed: str
    relay: str = ""


@dataclass(frozen=True, slots=True)
class RecordSigned:
    """All steps of a plan, signed at consecutive nonces: durable in one append before anything is sent."""

    lane: LaneKey
    intent_id: IntentId
    plan_digest: str
    steps: tuple[SignedStep, ...]


@dataclass(frozen=True, slots=True)
class RecordPaperFill:
    """Amounts in place of a transaction: the simulation's own, or the plan's exact prediction.

    `prediction` is the source where the balance exists on paper only, so that the chain cannot simulate it.
    """

    intent_id: IntentId
    fills: tuple[Fill, ...]
    source: Literal["simulation", "prediction"] = "simulation"


@dataclass(frozen=True, slots=True)
class AdoptSigned:
    """A signature that the signer remembers and the log does not: the append died after signing."""

    lane: LaneKey
    intent_id: IntentId
    step_id: str
    plan_digest: str
    transaction: Transaction
    signed: SignedTransaction
    sealed: str
    relay: str = ""


@dataclass(frozen=True, slots=True)
class RecordReplaced:
    """Another payload at an open nonce, durable before it is sent; `replaces` is the hash of the one before.

    `recovered`: the signer remembers it and the log does not.
    """

    lane: LaneKey
    nonce: int
    kind: PayloadKind
    replaces: str
    transaction: Transaction
    signed: SignedTransaction
    sealed: str
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class RecordRefused:
    """The signer will not replace the payload of that hash."""

    lane: LaneKey
    nonce: int
    hash: str
    kind: PayloadKind
    reason: str


@dataclass(frozen=True, slots=True)
class RecordBroadcast:
    """The endpoints' answers to one broadcast."""

    lane: LaneKey
    nonce: int
    hash: str
    answers: tuple[BroadcastAnswer, ...]


@dataclass(frozen=True, slots=True)
class RecordDoubt:
    """A receipt has not come within the time that it should."""

    lane: LaneKey
    nonce: int
    hash: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordLeak:
    """A public pool holds a transaction that was given to its relay alone."""

    lane: LaneKey
    nonce: int
    hash: str


@dataclass(frozen=True, slots=True)
class RecordPublished:
    """What was given to its relay alone may be seen by everybody from now on; durable before it is."""

    lane: LaneKey
    nonce: int
    hash: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordReceipt:
    """A receipt on the canonical chain, with its decoded effects."""

    lane: LaneKey
    nonce: int
    receipt: Receipt
    transfers: tuple[Transfer, ...]
    passes: tuple[SwapFill, ...]


@dataclass(frozen=True, slots=True)
class RecordReorg:
    """The block of a receipt is no longer canonical."""

    lane: LaneKey
    nonce: int
    hash: str
    block: BlockRef


@dataclass(frozen=True, slots=True)
class RecordFinal:
    """The block of a receipt is final by the chain's policy."""

    lane: LaneKey
    nonce: int
    hash: str
    block: BlockRef
    rule: str


@dataclass(frozen=True, slots=True)
class RecordNonceConsumed:
    """A final account nonce lies above ours, and no endpoint has a receipt for any of our hashes."""

    lane: LaneKey
    nonce: int
    evidence: str


@dataclass(frozen=True, slots=True)
class RecordChainReorg:
    """Blocks left the canonical chain."""

    chain: ChainRef
    removed: Sequence[Block]
    head: Block


type ExecutionCommand = (
    OpenAccount
    | AdoptAssets
    | ReleaseAccount
    | RecordSigned
    | RecordPaperFill
    | AdoptSigned
    | RecordReplaced
    | RecordRefused
    | RecordBroadcast
    | RecordDoubt
    | RecordLeak
    | RecordPublished
    | RecordReceipt
    | RecordReorg
    | RecordFinal
    | RecordNonceConsumed
    | RecordChainReorg
)
