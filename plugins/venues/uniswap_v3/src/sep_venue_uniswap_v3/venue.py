"""Uniswap V3: pools by the factory, swaps by SwapRouter02, quotes by QuoterV2."""

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
    ConcentratedLiquidityState,
    DecodedLog,
    Market,
    MarketId,
    MarketState,
    SwapFill,
    SwapOrder,
)
from sep_hooks.venue import VenueAdapter

from . import calls, events
from .config import UniswapV3Config
from .contracts import contracts_of
from .fills import fills_of
from .pools import Pool, find_pools, market_id, market_of
from .states import read_states
from .ticks import Window, wider, window_of


class UniswapV3(VenueAdapter[UniswapV3Config]):
    """One deployment of Uniswap V3. Knows the pools that `markets` found last."""

    Config: ClassVar[type[PluginConfig]] = UniswapV3Config
    event_signatures: ClassVar[tuple[str, ...]] = events.SIGNATURES

    def __init__(self, config: UniswapV3Config, context: VenueContext) -> None:
        super().__init__(config, context)
        self._contracts = contracts_of(config, context.chain_id, context.instance)
        self._pools: dict[MarketId, Pool] = {}

    async def markets(self) -> Sequence[Market]:
        """The configured pools and those of the configured pairs."""
        found = await find_pools(self.context, self.config, self._contracts.factory)
        self._pools = {market_id(self.context, pool.address): pool for pool in found.values()}
        return [market_of(pool, self.context) for pool in found.values()]

    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        """The states with the ticks near each price; a pool without a price is absent."""
        return await self._read([self._pool(market.id) for market in markets], at, {})

    async def widen(self, states: Sequence[MarketState], at: BlockRef) -> Sequence[MarketState]:
        """The same markets at `at`, with ticks loaded four times as far to both sides."""
        windows: dict[Address, Window] = {}
        for state in states:
            assert isinstance(state, ConcentratedLiquidityState)
            known = window_of(state.loaded, state.tick_spacing)
            windows[self._pool(state.market).address] = wider(known, state.tick)
        return await self._read([self._pool(state.market) for state in states], at, windows)

    def apply(self, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState:
        """The state after one of the pool's logs. Raises `NeedTicks` where it must be read again."""
        assert isinstance(state, ConcentratedLiquidityState)
        return events.after(state, log, block)

    def spender(self, order: SwapOrder) -> Address:
        """The router."""
        return self._contracts.router

    def swap_call(self, order: SwapOrder) -> Call:
        """One `multicall` with deadline, limit and recipient."""
        return Call(self._contracts.router, calls.swap_data(self.context.abi, order, self._pools))

    def quote_call(self, order: SwapOrder) -> Call:
        """A call of QuoterV2."""
        return Call(self._contracts.quoter, calls.quote_data(self.context.abi, order, self._pools))

    def quoted_amount(self, order: SwapOrder, output: bytes) -> Amount:
        """The quoter's amount."""
        return calls.quoted(self.context.abi, order, output)

    def fills(self, order: SwapOrder, logs: Sequence[DecodedLog]) -> Sequence[SwapFill]:
        """The router's swaps through the order's pools."""
        return fills_of(order, logs, self._contracts.router)

    async def _read(
        self, pools: Sequence[Pool], at: BlockRef, windows: dict[Address, Window]
    ) -> Sequence[MarketState]:
        return await read_states(self.context, pools, self._contracts.tick_lens, at, windows)

    def _pool(self, market: MarketId) -> Pool:
        pool = self._pools.get(market)
        if pool is None:
            raise VenueError(f"{market} is no market of venue {self.context.instance}")
        return pool
