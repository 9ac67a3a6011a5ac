"""How pools are found, and the proof that they are plain StableSwap pools."""

from collections.abc import Mapping, Sequence
from itertools import permutations

from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import Read, latest_block, number, read_all, read_if_any, text
from sep_hooks.errors import VenueError
from sep_hooks.types import MOST_MARKET_ASSETS, Address, BlockRef

from .invariant import FEE_DENOMINATOR, bought
from .pools import Numbers, Pool

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


async def find_pools(context: VenueContext, addresses: Sequence[Address]) -> Mapping[Address, Pool]:
    """The configured pools, all read at one block. Raises `VenueError` for one that is no plain StableSwap pool."""
    at = await latest_block(context)
    chosen = list(dict.fromkeys(addresses))
    coins = await _coins(context, chosen, at)
    decimals = await _decimals(context, coins, at)
    pools = await _facts(context, coins, decimals, at)
    await _prove_plain(context, pools, at)
    return {pool.address: pool for pool in pools}


async def _coins(
    context: VenueContext, addresses: Sequence[Address], at: BlockRef
) -> Mapping[Address, tuple[str, tuple[Address, ...]]]:
    """How each pool numbers its coins, and the coins: one more is asked for than a market can have."""
    found: dict[Address, tuple[str, tuple[Address, ...]]] = {}
    for index_type in _INDEX_TYPES:
        left = [address for address in addresses if address not in found]
        reads = [
            Read(address, f"coins({index_type})", (index,), "(address)")
            for address in left
            for index in range(MOST_MARKET_ASSETS + 1)
        ]
        answers = iter(await read_if_any(context, reads, at))
        for address in left:
            own = [next(answers) for _ in range(MOST_MARKET_ASSETS + 1)]
            coins = tuple(text(answer[0]) for answer in own if answer is not None)
            if 2 <= len(coins) <= MOST_MARKET_ASSETS and None not in own[: len(coins)]:
                found[address] = (index_type, coins)
    for address in addresses:
        if address not in found:
            raise VenueError(
                f"venue {context.instance}: {address} has no 2 to {MOST_MARKET_ASSETS} coins:"
                " it is no pool of Curve",
                next_step="remove it from pools, or correct its address",
            )
    return found


async def _decimals(
    context: VenueContext, pools: Mapping[Address, tuple[str, tuple[Address, ...]]], at: BlockRef
) -> Mapping[Address, int]:
    """The decimals of each coin of the pools."""
    for address, (_, coins) in pools.items():
        if NATIVE_COIN in coins:
            raise _no_plain_pool(context, address, "it holds native ether")
    all_coins = list(dict.fromkeys(coin for _, coins in pools.values() for coin in coins))
    answers = await read_all(context, [Read(coin, "decimals()", (), "(uint8)") for coin in all_coins], at)
    return {coin: number(value) for coin, (value,) in zip(all_coins, answers, strict=True)}


async def _facts(
    context: VenueContext,
    pools: Mapping[Address, tuple[str, tuple[Address, ...]]],
    decimals: Mapping[Address, int],
    at: BlockRef,
) -> Sequence[Pool]:
    questions = [
        *((name, kind) for name, (kind, _) in _FOREIGN.items()),
        *((name, "(uint256)") for name in ("A_precise()", "future_A()", "fee()")),
    ]
    reads = [Read(address, name, (), kind) for address in pools for name, kind in questions]
    answers = iter(await read_if_any(context, reads, at))
    found: list[Pool] = []
    for address, (index_type, coins) in pools.items():
        *foreign, precise, future, fee = [next(answers) for _ in questions]
        for answer, (_, what) in zip(foreign, _FOREIGN.values(), strict=True):
            if answer is not None:
                raise _no_plain_pool(context, address, what)
        if fee is None:
            raise _no_plain_pool(context, address, "it has no fee")
        if any(decimals[coin] > _MOST_DECIMALS for coin in coins):
            raise _no_plain_pool(context, address, f"it holds a coin of more than {_MOST_DECIMALS} decimals")
        pool = Pool(
            address=address,
            coins=coins,
            rates=tuple(10 ** (LIFTED_DECIMALS - decimals[coin]) for coin in coins),
            index_type=index_type,
            precise=precise is not None,
            ramps=future is not None,
            fee_ppm=number(fee[0]) * 10**6 // FEE_DENOMINATOR,
        )
        found.append(pool)
    return found


async def _prove_plain(context: VenueContext, pools: Sequence[Pool], at: BlockRef) -> None:
    """A pool is plain that quotes as plain pools do, between all its coins; an empty one quotes nothing.

    One unit may be missing or over: pools of the first years round their quote otherwise than their exchange.
    """
    readings = iter(await read_all(context, [read for pool in pools for read in pool.reads()], at))
    probes: list[tuple[Pool, Numbers, tuple[int, int], int]] = []
    for pool in pools:
        numbers = pool.numbers([next(readings) for _ in pool.reads()])
        if all(numbers.balances):
            probes += [
                (pool, numbers, path, max(1, numbers.balances[path[0]] // _PROBE_PART))
                for path in permutations(range(len(pool.coins)), 2)
            ]
    answers = await read_all(
        context,
        [
            Read(pool.address, "get_dy(int128,int128,uint256)", (*path, amount), "(uint256)")
            for pool, _, path, amount in probes
        ],
        at,
    )
    for (pool, numbers, path, amount), (answer,) in zip(probes, answers, strict=True):
        expected = bought(numbers.balances, pool.rates, numbers.amplification, numbers.fee, path, amount)
        if expected is None or abs(number(answer) - expected) > 1:
            why = f"it gives {number(answer)} where a plain pool gives {expected}"
            raise _no_plain_pool(context, pool.address, why)


def _no_plain_pool(context: VenueContext, address: Address, why: str) -> VenueError:
    return VenueError(
        f"venue {context.instance}: {address} is no plain StableSwap pool: {why}",
        next_step="remove it from pools",
    )
