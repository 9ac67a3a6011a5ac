"""Balancer V2: pools of the vault, swaps by the vault, quotes by BalancerQueries."""

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
from .config import BalancerConfig
from .contracts import contracts_of
from .discovery import find_pools
from .pools import Pool, market_id, market_of
from .states import read_states

RATES_AGE_BLOCKS = 20
OTHERS_AGE_BLOCKS = 7_200


class Balancer(VenueAdapter[BalancerConfig]):
    """One vault. Knows the pools that `markets` found last.

    The vault takes the input from whom the order names as recipient, and only where that one calls.
    """

    Config: ClassVar[type[PluginConfig]] = BalancerConfig
    event_signatures: ClassVar[tuple[str, ...]] = events.SIGNATURES

    def __init__(self, config: BalancerConfig, context: VenueContext) -> None:
        super().__init__(config, context)
        self._contracts = contracts_of(config, context.chain_id, context.instance)
        self._pools: dict[MarketId, Pool] = {}
        self._by_id: dict[bytes, MarketId] = {}

    @property
    def refresh_blocks(self) -> int:
        """After how many blocks states are read again whatever the logs say: a rate that expires is in none."""
        aging = any(provider for pool in self._pools.values() for provider in pool.rate_providers)
        return RATES_AGE_BLOCKS if aging else OTHERS_AGE_BLOCKS

    async def markets(self) -> Sequence[Market]:
        """The configured pools."""
        vault = self._contracts.vault
        found = await find_pools(self.context, self.config.pools, vault)
        self._pools = {market_id(self.context, pool.address): pool for pool in found.values()}
        self._by_id = {pool.id: market for market, pool in self._pools.items()}
        return [market_of(pool, self.context, vault) for pool in found.values()]

    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        """The states at this block; a pool that is paused or whose amplification moves is absent."""
        pools = [self._pool(market.id) for market in markets]
        return await read_states(self.context, pools, self._contracts.vault, at)

    def apply(self, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState | None:
        """The state after a log of the vault or of the pool; None where the pool must be read again."""
        return events.after(self._pool(state.market), state, log, block)

    def market_of(self, log: DecodedLog) -> MarketId | None:
        """The pool that a log of the vault names."""
        pool_id = log.arguments.get("poolId")
        return self._by_id.get(pool_id) if isinstance(pool_id, bytes) else None

    def spender(self, order: SwapOrder) -> Address:
        """The vault."""
        return self._contracts.vault

    def swap_call(self, order: SwapOrder) -> Call:
        """`swap`, or `batchSwap` for a path, with deadline, limit and recipient."""
        return Call(self._contracts.vault, calls.swap_data(self.context.abi, order, self._pools))

    def quote_call(self, order: SwapOrder) -> Call:
        """A call of BalancerQueries."""
        return Call(self._contracts.queries, calls.quote_data(self.context.abi, order, self._pools))

    def quoted_amount(self, order: SwapOrder, output: bytes) -> Amount:
        """The queries' amount."""
        return calls.quoted(self.context.abi, order, output)

    def fills(self, order: SwapOrder, logs: Sequence[DecodedLog]) -> Sequence[SwapFill]:
        """The vault's swaps through the order's pools."""
        return events.fills_of(order, logs, self._pools, self._contracts.vault)

    def _pool(self, market: MarketId) -> Pool:
        pool = self._pools.get(market)
        if pool is None:
            raise VenueError(f"{market} is no market of venue {self.context.instance}")
        return pool
