"""Venues that tell nothing but quotes."""

import json
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from itertools import permutations
from typing import ClassVar, Final

from sep_hooks.config import PluginConfig
from sep_hooks.context import RpcFailed, RpcOutcome, RpcRequest
from sep_hooks.errors import SepError, VenueError
from sep_hooks.types import (
    Address,
    Amount,
    AssetId,
    BlockRef,
    DecodedLog,
    Ladder,
    Leg,
    LiquidityFamily,
    Market,
    MarketId,
    MarketState,
    SampledState,
    SwapFill,
    SwapOrder,
    evm_chain,
    token_address,
)
from sep_hooks.venue import VenueAdapter

TRANSFER: Final = "event Transfer(address indexed from, address indexed to, uint256 value)"
SIZES: Final = tuple(Amount(4**power) for power in range(3, 48))
"""Sizes that suit assets of whatever decimals; what a venue refuses is left out of its ladder."""

_NOBODY: Final = Address("0x000000000000000000000000000000000000dead")
_FAR_DEADLINE: Final = 2**40


class SampledVenue[ConfigT: PluginConfig](VenueAdapter[ConfigT]):
    """A venue without mathematics of its own: the kernel quotes a ladder of sizes and plans on its concave hull.

    To write one: `markets` (with `market_of_pair`), `spender`, `swap_call`, `quote_call`, `quoted_amount`. Orders
    have exactly one leg. Before a plan is made, the venue is asked again for the exact amounts.
    """

    event_signatures: ClassVar[tuple[str, ...]] = (TRANSFER,)
    refresh_blocks: ClassVar[int] = 1
    """After how many blocks a ladder is asked for again."""

    @abstractmethod
    async def markets(self) -> Sequence[Market]:
        """The markets, of family SAMPLED; see `market_of_pair`."""

    def sizes(self, market: Market, asset_in: AssetId) -> Sequence[Amount]:
        """The amounts in to be quoted, ascending. Pure."""
        del market, asset_in
        return SIZES

    async def quote(
        self, market: Market, asset_in: AssetId, asset_out: AssetId, amounts: Sequence[Amount], at: BlockRef
    ) -> Sequence[Amount | None]:
        """What comes out for each amount in at this block; None where the venue refuses. By `quote_call`.

        Raises `VenueError` or `Retryable` where the chain cannot be asked.
        """
        orders = [self._order(market, asset_in, asset_out, amount) for amount in amounts]
        requests: list[RpcRequest] = []
        for order in orders:
            call = self.quote_call(order)
            requests.append(RpcRequest("eth_call", ({"to": call.to, "data": "0x" + call.data.hex()},), at))
        outcomes = await self.context.rpc.calls(requests) if requests else ()
        return [self._quoted(order, outcome) for order, outcome in zip(orders, outcomes, strict=True)]

    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        """A ladder for each direction of each market; one that quotes nothing is absent."""
        states: list[MarketState] = []
        for market in markets:
            ladders = [
                await self._ladder(market, asset_in, asset_out, at)
                for asset_in, asset_out in permutations(market.assets, 2)
            ]
            told = tuple(ladder for ladder in ladders if ladder.samples)
            if told:
                states.append(SampledState(market.id, at, told))
        return states

    def apply(self, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState | None:
        """No log says what a quote will be."""
        del state, log, block
        return None

    def fills(self, order: SwapOrder, logs: Sequence[DecodedLog]) -> Sequence[SwapFill]:
        """The token transfers between the order's recipient and its counterparties, summed.

        Raises `VenueError` where they do not show the leg.
        """
        if len(order.legs) != 1:
            raise VenueError(f"{self.context.instance} takes orders of one leg, this has {len(order.legs)}")
        (leg,) = order.legs
        places = self.counterparties(order)
        paid = _moved(logs, leg.asset_in, {order.recipient}, places)
        got = _moved(logs, leg.asset_out, places, {order.recipient})
        if not paid or not got:
            raise VenueError(
                f"{leg.market}: no transfers between {order.recipient} and the venue in the logs"
            )
        return [
            SwapFill(
                market=leg.market,
                asset_in=leg.asset_in,
                amount_in=Amount(sum(paid.values())),
                asset_out=leg.asset_out,
                amount_out=Amount(sum(got.values())),
                ordinal=max(got),
            )
        ]

    def counterparties(self, order: SwapOrder) -> Collection[Address]:
        """Who takes the input and pays the output: the spender and the contract called. Pure; a venue whose tokens
        lie elsewhere overrides it.
        """
        return {self.spender(order), self.swap_call(order).to}

    def market_of_pair(
        self,
        name: str,
        assets: Sequence[AssetId],
        *,
        address: Address | None = None,
        gas: int,
        fee_ppm: int = 0,
    ) -> Market:
        """A market of this venue. `address` is the contract that holds what it trades, None where there is none."""
        return Market(
            id=MarketId(f"{self.context.instance}/{name}"),
            venue=self.context.instance,
            chain=evm_chain(self.context.chain_id),
            family=LiquidityFamily.SAMPLED,
            address=address,
            assets=tuple(assets),
            fee_ppm=fee_ppm,
            gas=gas,
        )

    async def _ladder(self, market: Market, asset_in: AssetId, asset_out: AssetId, at: BlockRef) -> Ladder:
        amounts = self.sizes(market, asset_in)
        answers = await self.quote(market, asset_in, asset_out, amounts, at)
        samples = tuple((int(amount), int(out)) for amount, out in zip(amounts, answers, strict=True) if out)
        return Ladder(asset_in, asset_out, samples)

    def _order(self, market: Market, asset_in: AssetId, asset_out: AssetId, amount: Amount) -> SwapOrder:
        leg = Leg(market.id, asset_in, asset_out, amount, Amount(1))
        return SwapOrder((leg,), True, amount, Amount(1), _NOBODY, _FAR_DEADLINE)

    def _quoted(self, order: SwapOrder, outcome: RpcOutcome) -> Amount | None:
        if isinstance(outcome, RpcFailed):
            if outcome.error.retryable:
                raise outcome.error
            return None
        text = json.loads(outcome.result)
        try:
            return self.quoted_amount(order, bytes.fromhex(text[2:]))
        except SepError:
            return None


def _moved(
    logs: Sequence[DecodedLog], asset: AssetId, senders: Collection[str], receivers: Collection[str]
) -> Mapping[int, int]:
    """Amounts of an asset that went from one of the senders to one of the receivers, by the log's ordinal."""
    token = token_address(asset)
    found: dict[int, int] = {}
    for log in logs:
        if log.event != "Transfer" or log.log.address != token:
            continue
        value = log.arguments["value"]
        if log.arguments["from"] in senders and log.arguments["to"] in receivers and isinstance(value, int):
            found[log.log.ordinal] = value
    return found
