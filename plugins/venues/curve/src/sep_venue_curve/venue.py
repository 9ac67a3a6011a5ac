"""Curve: plain StableSwap pools, each called by itself."""

from collections.abc import Sequence
from typing import ClassVar

from sep_hooks.config import PluginConfig
from sep_hooks.context import VenueContext
from sep_hooks.errors import VenueError
from sep_hooks.types import (
    Address,
    Amount,
    BlockRef,
    Call,
    DecodedLog,
    Market,
    MarketId,
    MarketState,
    SwapFill,
    SwapOrder,
)
from sep_hooks.venue import VenueAdapter

from . import calls, events
from .config import CurveConfig
from .discovery import find_pools
from .pools import Pool, market_id, market_of
from .states import read_states


class Curve(VenueAdapter[CurveConfig]):
    """Plain StableSwap pools. Knows those that `markets` found last.

    A pool pays its caller and knows no deadline: orders are called by their recipient, and expire with the
    transaction that carries them alone.
    """

    Config: ClassVar[type[PluginConfig]] = CurveConfig
    event_signatures: ClassVar[tuple[str, ...]] = events.SIGNATURES

    def __init__(self, config: CurveConfig, context: VenueContext) -> None:
        super().__init__(config, context)
        self._pools: dict[MarketId, Pool] = {}

    async def markets(self) -> Sequence[Market]:
        """The configured pools, each proven to be plain."""
        found = await find_pools(self.context, [Address(pool) for pool in self.config.pools])
        self._pools = {market_id(self.context, pool.address): pool for pool in found.values()}
        return [market_of(pool, self.context) for pool in found.values()]

    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        """Balances, amplification and fee at this block; a pool whose amplification moves is absent."""
        return await read_states(self.context, [self._pool(market.id) for market in markets], at)

    def apply(self, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState | None:
        """Every event has the pool read again: none tells what the administrator took."""
        del state, log, block
        return None

    def spender(self, order: SwapOrder) -> Address:
        """The pool itself."""
        return calls.pool_of(order, self._pools).address

    def swap_call(self, order: SwapOrder) -> Call:
        """`exchange` with the least output inside."""
        pool = calls.pool_of(order, self._pools)
        return Call(pool.address, calls.swap_data(self.context.abi, order, self._pools))

    def quote_call(self, order: SwapOrder) -> Call:
        """`get_dy` of the exact input."""
        pool = calls.pool_of(order, self._pools)
        return Call(pool.address, calls.quote_data(self.context.abi, order, self._pools))

    def quoted_amount(self, order: SwapOrder, output: bytes) -> Amount:
        """The pool's amount."""
        return calls.quoted(self.context.abi, order, output)

    def fills(self, order: SwapOrder, logs: Sequence[DecodedLog]) -> Sequence[SwapFill]:
        """The exchange of the order's recipient."""
        return events.fills_of(order, logs, self._pools)

    def _pool(self, market: MarketId) -> Pool:
        pool = self._pools.get(market)
        if pool is None:
            raise VenueError(f"{market} is no market of venue {self.context.instance}")
        return pool
