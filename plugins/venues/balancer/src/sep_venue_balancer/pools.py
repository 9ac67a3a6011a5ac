"""Pools: the facts that never change, and of which kind each is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import Read, latest_block, number, numbers, read_all, read_if_any, text, texts
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

ONE = 10**18
NOBODY = "0x" + "00" * 20
POOL_TOKENS = "getPoolTokens(bytes32)"
POOL_TOKENS_RETURNS = "(address[],uint256[],uint256)"
_ID_CHARACTERS = 66
_ADDRESS_CHARACTERS = 42
_MOVING_WEIGHTS = "getGradualWeightUpdateParams()"


class PoolKind(StrEnum):
    """What a pool's mathematics are; a swap of either takes about so much gas."""

    WEIGHTED = "weighted"
    STABLE = "stable"

    @property
    def family(self) -> LiquidityFamily:
        """The liquidity family."""
        weighted = self is PoolKind.WEIGHTED
        return LiquidityFamily.WEIGHTED_PRODUCT if weighted else LiquidityFamily.STABLE_SWAP

    @property
    def gas(self) -> int:
        """About what one pass adds to a transaction."""
        return 80_000 if self is PoolKind.WEIGHTED else 115_000


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool's immutable facts. `tokens` are all that the vault counts for it, `assets` those that can be traded:
    a stable pool's own token is none of them.

    `scaling` lifts each asset to 18 decimals over 10^18, without a rate; `weights` are parts of 10^18, of a weighted
    pool alone; `rate_providers` of a stable pool, None for an asset whose rate is one.
    """

    id: bytes
    address: Address
    kind: PoolKind
    tokens: tuple[Address, ...]
    assets: tuple[Address, ...]
    scaling: tuple[int, ...]
    weights: tuple[int, ...]
    rate_providers: tuple[Address | None, ...]
    fee_ppm: int


async def find_pools(context: VenueContext, names: Sequence[str], vault: Address) -> Mapping[Address, Pool]:
    """The configured pools, by address. Raises `VenueError` for one that is unknown or of another kind."""
    at = await latest_block(context)
    found: dict[Address, Pool] = {}
    for name in names:
        pool = await _find(context, name, vault, at)
        found.setdefault(pool.address, pool)
    return found


def market_of(pool: Pool, context: VenueContext, vault: Address) -> Market:
    """The pool as a market; swaps and joins are told by the vault."""
    return Market(
        id=market_id(context, pool.address),
        venue=context.instance,
        chain=evm_chain(context.chain_id),
        family=pool.kind.family,
        address=pool.address,
        assets=tuple(erc20(context.chain_id, asset) for asset in pool.assets),
        fee_ppm=pool.fee_ppm,
        gas=pool.kind.gas,
        emitters=(vault,),
    )


def market_id(context: VenueContext, pool: Address) -> MarketId:
    """The market's name: instance and pool address."""
    return MarketId(f"{context.instance}/{pool}")


async def _find(context: VenueContext, name: str, vault: Address, at: BlockRef) -> Pool:
    pool_id = await _pool_id(context, name, at)
    address = Address("0x" + pool_id[:20].hex())
    known, listed = await read_if_any(
        context,
        [
            Read(vault, "getPool(bytes32)", (pool_id,), "(address,uint8)"),
            Read(vault, POOL_TOKENS, (pool_id,), POOL_TOKENS_RETURNS),
        ],
        at,
    )
    if known is None or listed is None or text(known[0]) != address:
        raise VenueError(
            f"venue {context.instance}: {name} is no pool of the vault {vault}",
            next_step="remove it from pools, or correct vault",
        )
    return await _described(context, pool_id, address, texts(listed[0]), at)


async def _pool_id(context: VenueContext, name: str, at: BlockRef) -> bytes:
    """The id of a pool that is named by it or by address."""
    if len(name) == _ID_CHARACTERS:
        return bytes.fromhex(name[2:])
    (answer,) = await read_if_any(context, [Read(Address(name), "getPoolId()", (), "(bytes32)")], at)
    if answer is None or not isinstance(answer[0], bytes) or answer[0][:20].hex() != name[2:]:
        raise VenueError(
            f"venue {context.instance}: {name} is no pool of Balancer V2",
            next_step="remove it from pools, or correct its address",
        )
    return answer[0]


async def _described(
    context: VenueContext, pool_id: bytes, address: Address, tokens: tuple[Address, ...], at: BlockRef
) -> Pool:
    def read(signature: str, returns: str) -> Read:
        return Read(address, signature, (), returns)

    fee, scaling, weights, moving, amplification, own, providers = await read_if_any(
        context,
        [
            read("getSwapFeePercentage()", "(uint256)"),
            read("getScalingFactors()", "(uint256[])"),
            read("getNormalizedWeights()", "(uint256[])"),
            read(_MOVING_WEIGHTS, "(uint256,uint256,uint256[])"),
            read("getAmplificationParameter()", "(uint256,bool,uint256)"),
            read("getBptIndex()", "(uint256)"),
            read("getRateProviders()", "(address[])"),
        ],
        at,
    )
    if fee is None or scaling is None:
        raise _not_covered(context, address, "it is older than scaling factors, or no pool at all")
    fee_ppm = number(fee[0]) * 10**6 // ONE
    if weights is not None and moving is None:
        return _checked(
            context,
            Pool(
                id=pool_id,
                address=address,
                kind=PoolKind.WEIGHTED,
                tokens=tokens,
                assets=tokens,
                scaling=numbers(scaling[0]),
                weights=numbers(weights[0]),
                rate_providers=(None,) * len(tokens),
                fee_ppm=fee_ppm,
            ),
        )
    if amplification is None or own is None or providers is None:
        why = "its weights move" if moving is not None else "it is neither weighted nor composable stable"
        raise _not_covered(context, address, why)
    index = number(own[0])
    assets = _without(tokens, index)
    return _checked(
        context,
        Pool(
            id=pool_id,
            address=address,
            kind=PoolKind.STABLE,
            tokens=tokens,
            assets=assets,
            scaling=await _scaling(context, assets, at),
            weights=(),
            rate_providers=tuple(
                None if one == NOBODY else one for one in _without(texts(providers[0]), index)
            ),
            fee_ppm=fee_ppm,
        ),
    )


async def _scaling(context: VenueContext, assets: Sequence[Address], at: BlockRef) -> tuple[int, ...]:
    """What lifts each asset to 18 decimals: the pool's own factors hold the rates too."""
    reads = [Read(asset, "decimals()", (), "(uint8)") for asset in assets]
    return tuple(ONE * 10 ** (18 - number(value)) for (value,) in await read_all(context, reads, at))


def _checked(context: VenueContext, pool: Pool) -> Pool:
    counts = {len(pool.assets), len(pool.scaling), len(pool.rate_providers)}
    counts |= {len(pool.weights)} if pool.kind is PoolKind.WEIGHTED else set()
    if counts != {len(pool.assets)} or not 2 <= len(pool.assets) <= MOST_MARKET_ASSETS:
        raise _not_covered(context, pool.address, f"it tells of {sorted(counts)} tokens at once")
    return pool


def _not_covered(context: VenueContext, address: Address, why: str) -> VenueError:
    return VenueError(
        f"venue {context.instance}: {address} is no pool that is covered: {why}",
        next_step="remove it from pools",
    )


def _without[T](items: Sequence[T], index: int) -> tuple[T, ...]:
    return (*items[:index], *items[index + 1 :])


def balances_of(pool: Pool, answer: tuple[AbiValue, ...]) -> tuple[int, ...] | None:
    """The balances of the pool's assets in the vault's answer; None where it tells of other tokens."""
    tokens, balances = texts(answer[0]), numbers(answer[1])
    if tokens != pool.tokens or len(balances) != len(tokens):
        return None
    held = dict(zip(tokens, balances, strict=True))
    return tuple(held[asset] for asset in pool.assets)
