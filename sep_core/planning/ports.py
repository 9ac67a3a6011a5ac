"""What planning needs from the rooms beside it; the composition root plugs them together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sep_hooks.chain import ChainPreset
from sep_hooks.types import (
    Address,
    Amount,
    AssetId,
    Block,
    BlockRef,
    Call,
    CallResult,
    ChainLog,
    ChainRef,
    FeeSuggestion,
    LeftOut,
    Market,
    MarketId,
    SnapshotRef,
)

from sep_core.events.facts import Transfer
from sep_core.planning.native import Network


class PlanningChain(Protocol):
    """One chain, as far as planning reads it."""

    @property
    def preset(self) -> ChainPreset:
        """What is known of the chain."""
        ...

    async def head(self) -> Block:
        """The latest block."""
        ...

    async def final_block(self) -> Block:
        """The highest final block. Raises `UnknownBlock` where there is none yet."""
        ...

    async def call(self, call: Call, sender: Address | None = None, at: BlockRef | None = None) -> bytes:
        """What a call answers, without a transaction. Raises `CallReverted`."""
        ...

    async def simulate(self, calls: Sequence[Call], sender: Address) -> Sequence[CallResult]:
        """What the calls would do one after the other on the latest state."""
        ...

    async def balances(
        self, owner: Address, assets: Sequence[AssetId], at: BlockRef | None = None
    ) -> Mapping[AssetId, Amount]:
        """What the account holds, all at one block."""
        ...

    async def allowance(
        self, asset: AssetId, owner: Address, spender: Address, at: BlockRef | None = None
    ) -> Amount:
        """What `spender` may take of the account's tokens."""
        ...

    async def fees(self) -> FeeSuggestion:
        """Fees for the next blocks."""
        ...


class MarketSnapshot(Protocol):
    """All usable markets of one chain at one block."""

    @property
    def ref(self) -> SnapshotRef:
        """How plans name it."""
        ...

    @property
    def block(self) -> Block:
        """The block that all states belong to."""
        ...

    @property
    def network(self) -> Network:
        """All markets."""
        ...

    @property
    def networks(self) -> Mapping[str, Network]:
        """The markets of each venue instance."""
        ...

    @property
    def markets(self) -> Mapping[MarketId, Market]:
        """What is known of them besides their state."""
        ...

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What is not usable now, and why."""
        ...


class Markets(Protocol):
    """The board of all markets."""

    def snapshot(self, chain: ChainRef, head_timestamp: int | None = None) -> MarketSnapshot:
        """What is usable now; states too far behind the chain's own time are left out."""
        ...

    async def widen(self, chain: ChainRef, markets: Sequence[MarketId]) -> None:
        """Loads more of markets that are known too narrowly."""
        ...


class Holdings(Protocol):
    """What the books say."""

    def holding(self, account: str, strategy: str, asset: AssetId) -> Amount:
        """What a strategy may spend of an asset in an account."""
        ...


type TransferReader = Callable[[Sequence[ChainLog]], Sequence[Transfer]]
"""The token transfers among logs; pure."""


class VenueGuard(Protocol):
    """Runs one synchronous call of a venue under the failure policy of its kind."""

    def call_sync[T](self, venue: str, call: str, make: Callable[[], T]) -> T:
        """The call's answer. Raises what the policy makes of a failure."""
        ...


class DirectVenueGuard:
    """No policy: a failure goes to the caller."""

    def call_sync[T](self, venue: str, call: str, make: Callable[[], T]) -> T:
        """The call's answer."""
        return make()
