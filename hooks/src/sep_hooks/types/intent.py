"""Intents: wanted outcomes with constraints."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType
from uuid import UUID

from sep_hooks.types.amount import Amount, Ratio
from sep_hooks.types.asset import Asset, AssetId, ChainRef

IntentId = NewType("IntentId", UUID)
"""The platform's id: UUIDv5 of the strategy's id and the client's id, so that a retry repeats it."""


class IntentType(StrEnum):
    """What is wanted."""

    ACQUIRE = "ACQUIRE"
    DISPOSE = "DISPOSE"
    REBALANCE = "REBALANCE"
    BRIDGE = "BRIDGE"
    LIQUIDATE = "LIQUIDATE"


class ExecutionStyle(StrEnum):
    """How the amount is spread over time."""

    IMMEDIATE = "IMMEDIATE"
    TWAP = "TWAP"
    VWAP = "VWAP"
    ADAPTIVE = "ADAPTIVE"


class IntentStatus(StrEnum):
    """Where an intent stands."""

    RECEIVED = "RECEIVED"
    ACCEPTED = "ACCEPTED"
    PLANNED = "PLANNED"
    RISK_APPROVED = "RISK_APPROVED"
    EXECUTING = "EXECUTING"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    IN_DOUBT = "IN_DOUBT"
    SETTLED = "SETTLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"

    @property
    def terminal(self) -> bool:
        """Whether nothing can follow."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {
        IntentStatus.SETTLED,
        IntentStatus.REJECTED,
        IntentStatus.EXPIRED,
        IntentStatus.CANCELLED,
        IntentStatus.FAILED,
    }
)


@dataclass(frozen=True, slots=True)
class Slicing:
    """How TWAP and VWAP cut an amount. `slices` is the number of equal ones (TWAP; None: about one a minute).

    `profile` holds a weight for each of equal parts of the window (VWAP). A slice's size may differ from its
    share by up to `size_jitter` of it, its time come later by up to `time_jitter` of its interval.
    """

    slices: int | None = None
    profile: tuple[Ratio, ...] = ()
    time_jitter: Ratio = Decimal(0)
    size_jitter: Ratio = Decimal(0)


@dataclass(frozen=True, slots=True)
class Constraints:
    """Bounds that every plan of the intent keeps; empty lists of allowed things mean no restriction.

    `max_slippage` is a ratio, `time_window_ms` counts from acceptance, `max_fee` is wei of gas cost. `public_fallback`:
    what a private relay brings into no block in time may be sent where everybody sees it. All hold for the whole and
    for each slice.
    """

    max_slippage: Ratio
    time_window_ms: int
    execution_style: ExecutionStyle
    venues: tuple[str, ...] = ()
    chains: tuple[ChainRef, ...] = ()
    assets: tuple[AssetId, ...] = ()
    max_fee: Amount | None = None
    slicing: Slicing | None = None
    public_fallback: bool = False


@dataclass(frozen=True, slots=True)
class IntentAsset:
    """One asset that the intent is about: an amount, or a share of the holding, or all of the amount.

    In a REBALANCE `percentage` is the asset's target weight and there is no amount.
    """

    asset: Asset
    amount: Amount | None
    percentage: Ratio | None = None


@dataclass(frozen=True, slots=True)
class InputsDigest:
    """What a strategy had seen when it decided: digest of its inputs and the log position they end at."""

    digest: str
    position: int


@dataclass(frozen=True, slots=True)
class IntentDraft:
    """An intent as its author states it; the kernel adds identity and origin."""

    type: IntentType
    assets: tuple[IntentAsset, ...]
    constraints: Constraints
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class ParentLink:
    """Of which intent a child is a part, and the how manyth, from 0."""

    intent_id: IntentId
    ordinal: int


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent with identity. `client_id` is the author's own id, unique per strategy for ever.

    A child carries its `parent`, and its own id for a client id.
    """

    id: IntentId
    client_id: UUID
    strategy: str
    account: str
    type: IntentType
    assets: tuple[IntentAsset, ...]
    constraints: Constraints
    deadline: datetime | None = None
    inputs: InputsDigest | None = None
    parent: ParentLink | None = None


@dataclass(frozen=True, slots=True)
class IntentReceipt:
    """The durable acceptance of an intent: where it stands in the log and the leaf that proves it."""

    intent_id: IntentId
    client_id: UUID
    status: IntentStatus
    store_id: UUID
    position: int
    leaf_hash: str
    duplicate: bool
