"""What a chain shows: blocks, logs, calls, receipts, answers to a broadcast."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sep_hooks.types.amount import Amount
from sep_hooks.types.asset import Address

type AbiValue = bool | int | str | bytes | tuple[AbiValue, ...]
"""A decoded ABI value: integers as int, addresses as lower-case text, arrays and tuples as tuple."""


@dataclass(frozen=True, slots=True)
class BlockRef:
    """One block, by number and hash."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Block:
    """The header of a block; `timestamp` in chain seconds, fees in wei."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    base_fee: int
    gas_limit: int

    @property
    def ref(self) -> BlockRef:
        """Number and hash."""
        return BlockRef(self.number, self.hash)


@dataclass(frozen=True, slots=True)
class ChainLog:
    """A log as the chain holds it; `ordinal` is its place inside its transaction."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    transaction_hash: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class DecodedLog:
    """A log decoded by one of the declared event signatures."""

    event: str
    arguments: Mapping[str, AbiValue]
    log: ChainLog


@dataclass(frozen=True, slots=True)
class BlockLogs:
    """A block and its logs, read by block hash."""

    block: Block
    logs: tuple[ChainLog, ...]


@dataclass(frozen=True, slots=True)
class ChainUpdate:
    """One step of the canonical chain: blocks that left it (newest first), blocks that joined (oldest first).

    `sequence` is dense from 1. `safe` and `finalized` never go back.
    """

    sequence: int
    removed: tuple[Block, ...]
    added: tuple[BlockLogs, ...]
    head: Block
    safe: BlockRef
    finalized: BlockRef


@dataclass(frozen=True, slots=True)
class Call:
    """An unsigned call: who is called, with what, and how much native value."""

    to: Address
    data: bytes
    value: Amount = Amount(0)


@dataclass(frozen=True, slots=True)
class CallResult:
    """What one simulated call did; `output` is the revert data where `ok` is false."""

    ok: bool
    output: bytes
    gas_used: int
    logs: tuple[ChainLog, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Transaction:
    """An unsigned EIP-1559 transaction; fees in wei per gas."""

    chain_id: int
    nonce: int
    to: Address
    value: Amount
    data: bytes
    gas_limit: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """The bytes to broadcast and their hash (0x text)."""

    raw: bytes
    hash: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction's receipt on the chain that the endpoint holds canonical."""

    transaction_hash: str
    block: BlockRef
    ok: bool
    gas_used: int
    effective_gas_price: int
    logs: tuple[ChainLog, ...]


class AnswerKind(StrEnum):
    """What an endpoint's answer to a broadcast means."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    NONCE_TOO_LOW = "nonce_too_low"
    UNDERPRICED = "underpriced"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class BroadcastAnswer:
    """The classified answer of one endpoint; `text` is its own, shortened."""

    endpoint: str
    kind: AnswerKind
    text: str


@dataclass(frozen=True, slots=True)
class FeeSuggestion:
    """Fees in wei per gas for the next blocks; the next base fee lies in the interval."""

    base_fee_low: int
    base_fee_high: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int
