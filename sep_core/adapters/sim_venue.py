"""The simulated chain's router and pools, as a venue of the kernel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import orjson
from pydantic import Field
from sep_hooks.config import PluginConfig
from sep_hooks.context import RpcFailed, RpcOutcome, RpcRequest, VenueContext
from sep_hooks.errors import Permanent, VenueError
from sep_hooks.types import (
    AbiValue,
    Address,
    Amount,
    AssetId,
    BlockRef,
    Call,
    ConcentratedLiquidityState,
    ConstantProductState,
    DecodedLog,
    Leg,
    LiquidityFamily,
    Market,
    MarketId,
    MarketState,
    SwapFill,
    SwapOrder,
    address,
    erc20,
    evm_chain,
    token_address,
)
from sep_hooks.venue import VenueAdapter

DEMO_ROUTER = "0xdb032c141edc76426c52491fee8047a28f6320ae"
"""Where the demonstration's genesis puts the router, whatever its seed."""

SWAP_EXACT_IN = "swapExactIn(address[],address,uint256,uint256,address,uint256)"
SWAP_EXACT_OUT = "swapExactOut(address[],address,uint256,uint256,address,uint256)"
QUOTE_EXACT_IN = "quoteExactIn(address[],address,uint256)"
QUOTE_EXACT_OUT = "quoteExactOut(address[],address,uint256)"

_PAIR_GAS = 70_000
_CONCENTRATED_GAS = 110_000
_TICK_EDGE = 887_272


class SimulatedAmmConfig(PluginConfig):
    """`router` is the address of the genesis; the pools are those that the router knows."""

    router: str = Field(DEMO_ROUTER, pattern=r"^0x[0-9a-fA-F]{40}$")


@dataclass(frozen=True, slots=True)
class _Pool:
    """One pool as read from the chain; assets in the pool's own order."""

    address: Address
    asset0: AssetId
    asset1: AssetId
    fee_ppm: int
    tick_spacing: int | None

    @property
    def family(self) -> LiquidityFamily:
        """A pool without tick spacing has reserves."""
        if self.tick_spacing is None:
            return LiquidityFamily.CONSTANT_PRODUCT
        return LiquidityFamily.CONCENTRATED_LIQUIDITY


class SimulatedAmm(VenueAdapter[SimulatedAmmConfig]):
    """Pools of both families behind one router. Knows the pools that `markets` found last."""

    Config: ClassVar[type[PluginConfig]] = SimulatedAmmConfig
    event_signatures: ClassVar[tuple[str, ...]] = (
        "event Sync(uint112 reserve0, uint112 reserve1)",
        "event Swap(address indexed sender, uint256 amount0In, uint256 amount1In,"
        " uint256 amount0Out, uint256 amount1Out, address indexed to)",
        "event Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1,"
        " uint160 sqrtPriceX96, uint128 liquidity, int24 tick)",
    )

    def __init__(self, config: SimulatedAmmConfig, context: VenueContext) -> None:
        super().__init__(config, context)
        self._router = address(config.router)
        self._pools: Mapping[MarketId, _Pool] = {}

    async def markets(self) -> Sequence[Market]:
        """All pools of the router."""
        (answer,) = await self._read([(self._router, "pools()", "(address[])")])
        if isinstance(answer, VenueError):
            raise answer
        (listed,) = answer
        assert isinstance(listed, tuple)
        found = await self._found([address(str(item)) for item in listed])
        self._pools = {self._market_id(pool.address): pool for pool in found}
        return [self._market(market, pool) for market, pool in self._pools.items()]

    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        """The states at this block; ticks are complete. A pool that cannot be read is absent."""
        reads: list[tuple[Address, str, str]] = []
        pools = [self._pool(market.id) for market in markets]
        for pool in pools:
            if pool.tick_spacing is None:
                reads.append((pool.address, "getReserves()", "(uint112,uint112,uint32)"))
            else:
                reads.append((pool.address, "slot0()", "(uint160,int24,uint16,uint16,uint16,uint8,bool)"))
                reads.append((pool.address, "liquidity()", "(uint128)"))
                reads.append((pool.address, "ticks()", "(int24[],int128[])"))
        answers = iter(await self._read(reads, at))
        states: list[MarketState] = []
        failure: VenueError | None = None
        for market, pool in zip(markets, pools, strict=True):
            parts = [next(answers) for _ in range(1 if pool.tick_spacing is None else 3)]
            broken = [part for part in parts if isinstance(part, VenueError)]
            if broken:
                failure = broken[0]
                continue
            states.append(_state(market.id, pool, at, [part for part in parts if isinstance(part, tuple)]))
        if failure is not None and not states:
            raise failure
        return states

    def apply(self, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState:
        """Reserves follow `Sync`, price and liquidity the swaps of their own family."""
        if isinstance(state, ConstantProductState):
            if log.event != "Sync":
                return replace(state, block=block)
            reserves = _number(log, "reserve0"), _number(log, "reserve1")
            return replace(state, block=block, reserve0=reserves[0], reserve1=reserves[1])
        if (
            not isinstance(state, ConcentratedLiquidityState)
            or log.event != "Swap"
            or "sqrtPriceX96" not in log.arguments
        ):
            return replace(state, block=block)
        return replace(
            state,
            block=block,
            sqrt_price_x96=_number(log, "sqrtPriceX96"),
            tick=_number(log, "tick"),
            liquidity=_number(log, "liquidity"),
        )

    def spender(self, order: SwapOrder) -> Address:
        """The router."""
        return self._router

    def swap_call(self, order: SwapOrder) -> Call:
        """A swap of the router with limit, recipient and deadline."""
        if order.amount_in <= 0 or order.amount_out <= 0 or order.deadline <= 0:
            raise VenueError("an order needs amounts and a deadline above zero")
        if order.exact_in:
            amounts, signature = (order.amount_in, order.amount_out), SWAP_EXACT_IN
        else:
            amounts, signature = (order.amount_out, order.amount_in), SWAP_EXACT_OUT
        arguments = (*self._path(order), *amounts, order.recipient, order.deadline)
        return Call(self._router, self.context.abi.encode_call(signature, arguments))

    def quote_call(self, order: SwapOrder) -> Call:
        """The router's own quote of the same path."""
        if order.exact_in:
            data = self.context.abi.encode_call(QUOTE_EXACT_IN, (*self._path(order), order.amount_in))
        else:
            data = self.context.abi.encode_call(QUOTE_EXACT_OUT, (*self._path(order), order.amount_out))
        return Call(self._router, data)

    def quoted_amount(self, order: SwapOrder, output: bytes) -> Amount:
        """The router's amount."""
        try:
            (amount,) = self.context.abi.decode("(uint256)", output)
        except Permanent as error:
            raise VenueError(f"the router answered something else: {error}") from error
        assert isinstance(amount, int)
        return Amount(amount)

    def fills(self, order: SwapOrder, logs: Sequence[DecodedLog]) -> Sequence[SwapFill]:
        """The router's swap through each leg's pool. Raises `VenueError` where there is none, or more than one."""
        return [self._fill(leg, logs) for leg in order.legs]

    def _fill(self, leg: Leg, logs: Sequence[DecodedLog]) -> SwapFill:
        pool = self._pool(leg.market)
        own = [
            log
            for log in logs
            if log.event == "Swap"
            and log.log.address == pool.address
            and log.arguments["sender"] == self._router
        ]
        if len(own) != 1:
            raise VenueError(
                f"{leg.market}: {len(own)} swaps of the router in the logs, where one was expected"
            )
        (log,) = own
        if "sqrtPriceX96" in log.arguments:
            moves = _number(log, "amount0"), _number(log, "amount1")
        else:
            moves = (
                _number(log, "amount0In") - _number(log, "amount0Out"),
                _number(log, "amount1In") - _number(log, "amount1Out"),
            )
        paid, received = moves if leg.asset_in == pool.asset0 else (moves[1], moves[0])
        if paid <= 0 or received >= 0:
            raise VenueError(f"{leg.market}: the swap went against the order")
        return SwapFill(
            market=leg.market,
            asset_in=leg.asset_in,
            amount_in=Amount(paid),
            asset_out=leg.asset_out,
            amount_out=Amount(-received),
            ordinal=log.log.ordinal,
        )

    def _path(self, order: SwapOrder) -> tuple[AbiValue, AbiValue]:
        """The pools on the way and the asset that goes in; each leg must go on where the last one ended."""
        if not order.legs:
            raise VenueError("the order has no leg")
        held = order.asset_in
        for leg in order.legs:
            pool = self._pool(leg.market)
            if leg.asset_in != held or {leg.asset_in, leg.asset_out} != {pool.asset0, pool.asset1}:
                raise VenueError(f"the order's path breaks at {leg.market}")
            held = leg.asset_out
        if len({leg.market for leg in order.legs}) != len(order.legs):
            raise VenueError("the order passes a market twice")
        pools = tuple(self._pool(leg.market).address for leg in order.legs)
        return pools, token_address(order.asset_in)

    async def _found(self, pools: Sequence[Address]) -> Sequence[_Pool]:
        views = (("token0()", "(address)"), ("token1()", "(address)"), ("fee()", "(uint24)"))
        answers = await self._read(
            [(pool, view, types) for pool in pools for view, types in (*views, ("tickSpacing()", "(int24)"))]
        )
        found: list[_Pool] = []
        for place, pool in enumerate(pools):
            token0, token1, fee, spacing = answers[4 * place : 4 * place + 4]
            for part in (token0, token1, fee):
                if isinstance(part, VenueError):
                    raise part
            assert isinstance(token0, tuple)
            assert isinstance(token1, tuple)
            assert isinstance(fee, tuple)
            assert isinstance(fee[0], int)
            chain_id = self.context.chain_id
            # Only pools with ticks answer for their spacing.
            ticks = spacing[0] if isinstance(spacing, tuple) and isinstance(spacing[0], int) else None
            assets = erc20(chain_id, str(token0[0])), erc20(chain_id, str(token1[0]))
            found.append(_Pool(pool, *assets, fee[0], ticks))
        return found

    async def _read(
        self, reads: Sequence[tuple[Address, str, str]], at: BlockRef | None = None
    ) -> Sequence[tuple[AbiValue, ...] | VenueError]:
        requests = []
        for contract, signature, _ in reads:
            call = {"to": contract, "data": "0x" + self.context.abi.encode_call(signature, ()).hex()}
            requests.append(
                RpcRequest("eth_call", (call,), at) if at else RpcRequest("eth_call", (call, "latest"))
            )
        outcomes = await self.context.rpc.calls(requests) if requests else ()
        return [self._answer(read, outcome) for read, outcome in zip(reads, outcomes, strict=True)]

    def _answer(
        self, read: tuple[Address, str, str], outcome: RpcOutcome
    ) -> tuple[AbiValue, ...] | VenueError:
        contract, signature, types = read
        what = f"venue {self.context.instance}: {signature} of {contract}"
        if isinstance(outcome, RpcFailed):
            return VenueError(f"{what}: {outcome.error.message}")
        text = orjson.loads(outcome.result)
        if not isinstance(text, str) or len(text) <= 2:
            return VenueError(
                f"{what} answers nothing: there is no such contract on chain {self.context.chain_id}",
                next_step="set router to the address in the chain's genesis",
            )
        try:
            return self.context.abi.decode(types, bytes.fromhex(text[2:]))
        except (Permanent, ValueError) as error:
            return VenueError(f"{what} answers something else: {error}")

    def _market_id(self, pool: Address) -> MarketId:
        return MarketId(f"{self.context.instance}/{pool}")

    def _market(self, market: MarketId, pool: _Pool) -> Market:
        return Market(
            id=market,
            venue=self.context.instance,
            chain=evm_chain(self.context.chain_id),
            family=pool.family,
            address=pool.address,
            assets=(pool.asset0, pool.asset1),
            fee_ppm=pool.fee_ppm,
            gas=_PAIR_GAS if pool.tick_spacing is None else _CONCENTRATED_GAS,
        )

    def _pool(self, market: MarketId) -> _Pool:
        pool = self._pools.get(market)
        if pool is None:
            raise VenueError(f"{market} is no market of venue {self.context.instance}")
        return pool


def _state(market: MarketId, pool: _Pool, at: BlockRef, parts: Sequence[tuple[AbiValue, ...]]) -> MarketState:
    if pool.tick_spacing is None:
        reserve0, reserve1, _ = parts[0]
        return ConstantProductState(market, at, _int(reserve0), _int(reserve1), pool.fee_ppm)
    (sqrt_price, tick, *_), (liquidity,), (indexes, nets) = parts
    assert isinstance(indexes, tuple)
    assert isinstance(nets, tuple)
    ticks = tuple((_int(index), _int(net)) for index, net in zip(indexes, nets, strict=True))
    return ConcentratedLiquidityState(
        market=market,
        block=at,
        sqrt_price_x96=_int(sqrt_price),
        tick=_int(tick),
        liquidity=_int(liquidity),
        fee_ppm=pool.fee_ppm,
        tick_spacing=pool.tick_spacing,
        ticks=ticks,
        loaded=(-_TICK_EDGE, _TICK_EDGE),
    )


def _int(value: AbiValue) -> int:
    assert isinstance(value, int)
    return value


def _number(log: DecodedLog, name: str) -> int:
    return _int(log.arguments[name])
