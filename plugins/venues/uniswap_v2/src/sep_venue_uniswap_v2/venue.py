"""Uniswap V2: pairs by the factory, swaps and quotes by the router."""

from collections.abc import Sequence
from typing import ClassVar

from sep_hooks.config import PluginConfig
from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import Read, number, read_each
from sep_hooks.errors import VenueError
from sep_hooks.types import (
    Address,
    Amount,
    BlockRef,
    Call,
    ConstantProductState,
    DecodedLog,
    Market,
    MarketId,
    MarketState,
    SwapFill,
    SwapOrder,
)
from sep_hooks.venue import VenueAdapter

from . import calls, events
from .config import UniswapV2Config
from .contracts import contracts_of
from .pairs import Pair, find_pairs, market_id, market_of


class UniswapV2(VenueAdapter[UniswapV2Config]):
    """One deployment of Uniswap V2 or a fork of it. Knows the pairs that `markets` found last."""

    Config: ClassVar[type[PluginConfig]] = UniswapV2Config
    event_signatures: ClassVar[tuple[str, ...]] = events.SIGNATURES

    def __init__(self, config: UniswapV2Config, context: VenueContext) -> None:
        super().__init__(config, context)
        self._contracts = contracts_of(config, context.chain_id, context.instance)
        self._pairs: dict[MarketId, Pair] = {}

    async def markets(self) -> Sequence[Market]:
        """The configured pools and those of the configured pairs."""
        found = await find_pairs(self.context, self.config, self._contracts.factory)
        self._pairs = {market_id(self.context, pair.address): pair for pair in found}
        return [market_of(pair, self.context, self.config.fee_ppm) for pair in found]

    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        """The reserves at this block; a pair that cannot be read is absent."""
        reads = [
            Read(self._pair(market.id).address, "getReserves()", (), "(uint112,uint112,uint32)")
            for market in markets
        ]
        states: list[MarketState] = []
        failure: VenueError | None = None
        for market, reading in zip(markets, await read_each(self.context, reads, at), strict=True):
            if isinstance(reading, VenueError):
                failure = reading
                continue
            reserve0, reserve1 = number(reading[0]), number(reading[1])
            states.append(ConstantProductState(market.id, at, reserve0, reserve1, self.config.fee_ppm))
        if failure is not None and not states:
            raise failure
        return states

    def apply(self, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState:
        """The state after one of the pair's logs."""
        assert isinstance(state, ConstantProductState)
        return events.after(state, log, block)

    def spender(self, order: SwapOrder) -> Address:
        """The router."""
        return self._contracts.router

    def swap_call(self, order: SwapOrder) -> Call:
        """A swap of the router with deadline, limit and recipient."""
        return Call(self._contracts.router, calls.swap_data(self.context.abi, order, self._pairs))

    def quote_call(self, order: SwapOrder) -> Call:
        """The router's own quote."""
        return Call(self._contracts.router, calls.quote_data(self.context.abi, order, self._pairs))

    def quoted_amount(self, order: SwapOrder, output: bytes) -> Amount:
        """The router's amount."""
        return calls.quoted(self.context.abi, order, output)

    def fills(self, order: SwapOrder, logs: Sequence[DecodedLog]) -> Sequence[SwapFill]:
        """The router's swaps through the order's pairs."""
        return events.fills_of(order, logs, self._contracts.router)

    def _pair(self, market: MarketId) -> Pair:
        pair = self._pairs.get(market)
        if pair is None:
            raise VenueError(f"{market} is no market of venue {self.context.instance}")
        return pair
