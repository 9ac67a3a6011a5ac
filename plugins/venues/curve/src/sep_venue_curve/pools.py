"""Pools: the facts that never change, and the proof that they are plain StableSwap pools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import Read, latest_block, number, read_all, read_if_any, text
from sep_hooks.errors import VenueError
from sep_hooks.types import (
    MOST_MARKET_ASSETS,
    AbiValue,
    Address,
    BlockRef,
    LiquidityFamily,
    Market,
    MarketId,
    erc20,
    evm_chain,
)

from .invariant import AMPLIFICATION_PRECISION, FEE_DENOMINATOR, bought

SWAP_GAS = 60_000
SWAP_GAS_PER_COIN = 30_000
"""About what one pass adds to a transaction: the invariant's rounds go over all coins."""

NATIVE_COIN = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
LIFTED_DECIMALS = 36
_MOST_DECIMALS = 18
_INDEX_TYPES = ("uint256", "int128")
_PROBE_PART = 1000
_FOREIGN = {
    "stored_rates()": ("(uint256[])", "its coins have rates of their own"),
    "offpeg_fee_multiplier()": ("(uint256)", "its fee moves with its balances"),
    "base_pool()": ("(address)", "it is a metapool"),
    "gamma()": ("(uint256)", "it is a pool of volatile coins"),
}
"""Questions that a plain pool does not answer, and what one is that does."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool's immutable facts. `index_type` is how it numbers its coins, `precise` says that it tells A times 100,
    `ramps` that it can move A; `fee_ppm` is the fee when it was found.
    """

    address: Address
    coins: tuple[Address, ...]
    rates: tuple[int, ...]
    index_type: str
    precise: bool
    ramps: bool
    fee_ppm: int

    def reads(self) -> Sequence[Read]:
        """What to ask for `Numbers`, in its order."""
        balances = [
            Read(self.address, f"balances({self.index_type})", (index,), "(uint256)")
            for index in range(len(self.coins))
        ]
        amplification = "A_precise()" if self.precise else "A()"
        names = [amplification, "fee()", *(("future_A()",) if self.ramps else ())]
        return [*balances, *(Read(self.address, name, (), "(uint256)") for name in names)]

    def numbers(self, answers: Sequence[tuple[AbiValue, ...]]) -> "Numbers":
        """The numbers out of the answers to `reads`."""
        values = [number(value) for (value,) in answers]
        count = len(self.coins)
        amplification, fee = values[count], values[count + 1]
        goal = values[count + 2] if self.ramps else amplification
        unit = 1 if self.precise else AMPLIFICATION_PRECISION
        return Numbers(tuple(values[:count]), amplification * unit, fee, moves=goal != amplification)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What changes in a pool; `amplification` is kept times 100 and `moves` while it is being ramped."""

    balances: tuple[int, ...]
    amplification: int
    fee: int
    moves: bool


async def find_pools(context: VenueContext, addresses: Sequence[Address]) -> Mapping[Address, Pool]:
    """The configured pools. Raises `VenueError` for one that is no plain StableSwap pool."""
    at = await latest_block(context)
    return {address: await _find(context, address, at) for address in dict.fromkeys(addresses)}


def market_of(pool: Pool, context: VenueContext) -> Market:
    """The pool as a market."""
    return Market(
        id=market_id(context, pool.address),
        venue=context.instance,
        chain=evm_chain(context.chain_id),
        family=LiquidityFamily.STABLE_SWAP,
        address=pool.address,
        assets=tuple(erc20(context.chain_id, coin) for coin in pool.coins),
        fee_ppm=pool.fee_ppm,
        gas=SWAP_GAS + SWAP_GAS_PER_COIN * len(pool.coins),
    )


def market_id(context: VenueContext, pool: Address) -> MarketId:
    """The market's name: instance and pool address."""
    return MarketId(f"{context.instance}/{pool}")


async def _find(context: VenueContext, address: Address, at: BlockRef) -> Pool:
    index_type, coins = await _coins(context, address, at)
    decimals = [
        number(value)
        for (value,) in await read_all(
            context, [Read(coin, "decimals()", (), "(uint8)") for coin in coins], at
        )
    ]
    if NATIVE_COIN in coins or max(decimals) > _MOST_DECIMALS:
        raise _no_plain_pool(context, address, "it holds a coin that is no token of at most 18 decimals")
    names = [*_FOREIGN, "A_precise()", "future_A()"]
    returns = [*(kind for kind, _ in _FOREIGN.values()), "(uint256)", "(uint256)"]
    reads = [Read(address, name, (), kind) for name, kind in zip(names, returns, strict=True)]
    *foreign, precise, future = await read_if_any(context, reads, at)
    for answer, (_, what) in zip(foreign, _FOREIGN.values(), strict=True):
        if answer is not None:
            raise _no_plain_pool(context, address, what)
    (fee,) = await read_all(context, [Read(address, "fee()", (), "(uint256)")], at)
    pool = Pool(
        address=address,
        coins=coins,
        rates=tuple(10 ** (LIFTED_DECIMALS - one) for one in decimals),
        index_type=index_type,
        precise=precise is not None,
        ramps=future is not None,
        fee_ppm=number(fee[0]) * 10**6 // FEE_DENOMINATOR,
    )
    await _prove_plain(context, pool, at)
    return pool


async def _coins(context: VenueContext, address: Address, at: BlockRef) -> tuple[str, tuple[Address, ...]]:
    """How the pool numbers its coins, and the coins."""
    for index_type in _INDEX_TYPES:
        reads = [
            Read(address, f"coins({index_type})", (index,), "(address)")
            for index in range(MOST_MARKET_ASSETS + 1)
        ]
        answers = await read_if_any(context, reads, at)
        coins = [text(answer[0]) for answer in answers if answer is not None]
        if 2 <= len(coins) <= MOST_MARKET_ASSETS and None not in answers[: len(coins)]:
            return index_type, tuple(coins)
    raise VenueError(
        f"venue {context.instance}: {address} has no 2 to {MOST_MARKET_ASSETS} coins: it is no pool of Curve",
        next_step="remove it from pools, or correct its address",
    )


async def _prove_plain(context: VenueContext, pool: Pool, at: BlockRef) -> None:
    """A pool is plain that quotes as plain pools do, between all its coins; an empty one quotes nothing.

    One unit may be missing or over: pools of the first years round their quote otherwise than their exchange.
    """
    numbers = pool.numbers(await read_all(context, pool.reads(), at))
    if not all(numbers.balances):
        return
    count = len(pool.coins)
    paths = [(i, j) for i in range(count) for j in range(count) if i != j]
    amounts = [max(1, numbers.balances[i] // _PROBE_PART) for i, _ in paths]
    answers = await read_all(
        context,
        [
            Read(pool.address, "get_dy(int128,int128,uint256)", (*path, amount), "(uint256)")
            for path, amount in zip(paths, amounts, strict=True)
        ],
        at,
    )
    for path, amount, (answer,) in zip(paths, amounts, answers, strict=True):
        expected = bought(numbers.balances, pool.rates, numbers.amplification, numbers.fee, path, amount)
        if expected is None or abs(number(answer) - expected) > 1:
            raise _no_plain_pool(
                context, pool.address, f"it gives {number(answer)} where a plain pool gives {expected}"
            )


def _no_plain_pool(context: VenueContext, address: Address, why: str) -> VenueError:
    return VenueError(
        f"venue {context.instance}: {address} is no plain StableSwap pool: {why}",
        next_step="remove it from pools",
    )
