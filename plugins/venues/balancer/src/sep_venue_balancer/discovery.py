"""How pools are found, and of which kind each is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import Read, latest_block, number, numbers, read_all, read_if_any, text, texts
from sep_hooks.errors import VenueError
from sep_hooks.types import MOST_MARKET_ASSETS, AbiValue, Address, BlockRef

from .pools import NOBODY, ONE, POOL_TOKENS, POOL_TOKENS_RETURNS, Pool, PoolKind

_ID_CHARACTERS = 66
_LIFTED_DECIMALS = 18
_QUESTIONS = (
    ("getSwapFeePercentage()", "(uint256)"),
    ("getScalingFactors()", "(uint256[])"),
    ("getNormalizedWeights()", "(uint256[])"),
    ("getGradualWeightUpdateParams()", "(uint256,uint256,uint256[])"),
    ("getAmplificationParameter()", "(uint256,bool,uint256)"),
    ("getBptIndex()", "(uint256)"),
    ("getRateProviders()", "(address[])"),
)
"""What tells the kinds of pools apart: some have no answer to some of them."""


async def find_pools(context: VenueContext, names: Sequence[str], vault: Address) -> Mapping[Address, Pool]:
    """The configured pools, by address, all read at one block.

    Raises `VenueError` for one that the vault does not know, or of another kind.
    """
    at = await latest_block(context)
    ids = await _ids(context, names, at)
    tokens = await _tokens(context, ids, vault, at)
    pools = await _described(context, ids, tokens, at)
    return {pool.address: pool for pool in pools}


async def _ids(context: VenueContext, names: Sequence[str], at: BlockRef) -> Mapping[Address, bytes]:
    """The ids of pools that are named by id or address; an id begins with the address."""
    asked = [Address(name) for name in names if len(name) != _ID_CHARACTERS]
    reads = [Read(address, "getPoolId()", (), "(bytes32)") for address in asked]
    told = dict(zip(asked, await read_if_any(context, reads, at), strict=True))
    found: dict[Address, bytes] = {}
    for name in names:
        answer = told.get(Address(name))
        pool_id = answer[0] if answer is not None else b""
        if len(name) == _ID_CHARACTERS:
            pool_id = bytes.fromhex(name[2:])
        elif not isinstance(pool_id, bytes) or pool_id[:20].hex() != name[2:]:
            raise VenueError(
                f"venue {context.instance}: {name} is no pool of Balancer V2",
                next_step="remove it from pools, or correct its address",
            )
        found[Address("0x" + pool_id[:20].hex())] = pool_id
    return found


async def _tokens(
    context: VenueContext, ids: Mapping[Address, bytes], vault: Address, at: BlockRef
) -> Mapping[Address, tuple[Address, ...]]:
    """The tokens that the vault holds for each pool."""
    reads = [
        read
        for pool_id in ids.values()
        for read in (
            Read(vault, "getPool(bytes32)", (pool_id,), "(address,uint8)"),
            Read(vault, POOL_TOKENS, (pool_id,), POOL_TOKENS_RETURNS),
        )
    ]
    answers = iter(await read_if_any(context, reads, at))
    found: dict[Address, tuple[Address, ...]] = {}
    for address in ids:
        known, listed = next(answers), next(answers)
        if known is None or listed is None or text(known[0]) != address:
            raise VenueError(
                f"venue {context.instance}: {address} is no pool of the vault {vault}",
                next_step="remove it from pools, or correct vault",
            )
        found[address] = texts(listed[0])
    return found


async def _described(
    context: VenueContext,
    ids: Mapping[Address, bytes],
    tokens: Mapping[Address, tuple[Address, ...]],
    at: BlockRef,
) -> Sequence[Pool]:
    reads = [Read(address, name, (), kind) for address in ids for name, kind in _QUESTIONS]
    answers = iter(await read_if_any(context, reads, at))
    pools: list[Pool] = []
    for address, pool_id in ids.items():
        own = [next(answers) for _ in _QUESTIONS]
        pools.append(_checked(context, _pool(context, pool_id, address, tokens[address], own)))
    return await _with_scaling(context, pools, at)


def _pool(
    context: VenueContext,
    pool_id: bytes,
    address: Address,
    tokens: tuple[Address, ...],
    answers: Sequence[tuple[AbiValue, ...] | None],
) -> Pool:
    """The pool out of its answers to `_QUESTIONS`. A stable one's scaling holds rates too, until it is set."""
    fee, scaling, weights, moving, amplification, own, providers = answers
    if fee is None or scaling is None:
        raise _not_covered(context, address, "it is older than scaling factors, or no pool at all")
    fee_ppm, factors = number(fee[0]) * 10**6 // ONE, numbers(scaling[0])
    if weights is not None and moving is None:
        return Pool(
            id=pool_id,
            address=address,
            kind=PoolKind.WEIGHTED,
            tokens=tokens,
            assets=tokens,
            scaling=factors,
            weights=numbers(weights[0]),
            rate_providers=(None,) * len(tokens),
            fee_ppm=fee_ppm,
        )
    if amplification is None or own is None or providers is None:
        why = "its weights move" if moving is not None else "it is neither weighted nor composable stable"
        raise _not_covered(context, address, why)
    index = number(own[0])
    return Pool(
        id=pool_id,
        address=address,
        kind=PoolKind.STABLE,
        tokens=tokens,
        assets=_without(tokens, index),
        scaling=_without(factors, index),
        weights=(),
        rate_providers=tuple(None if one == NOBODY else one for one in _without(texts(providers[0]), index)),
        fee_ppm=fee_ppm,
    )


async def _with_scaling(context: VenueContext, pools: Sequence[Pool], at: BlockRef) -> Sequence[Pool]:
    """The pools with the factors of decimals alone, which a stable pool does not tell by themselves."""
    stable = [pool for pool in pools if pool.kind is PoolKind.STABLE]
    tokens = list(dict.fromkeys(asset for pool in stable for asset in pool.assets))
    answers = await read_all(context, [Read(token, "decimals()", (), "(uint8)") for token in tokens], at)
    factors = {
        token: ONE * 10 ** max(_LIFTED_DECIMALS - number(value), 0)
        for token, (value,) in zip(tokens, answers, strict=True)
    }
    return [
        replace(pool, scaling=tuple(factors[asset] for asset in pool.assets)) if pool in stable else pool
        for pool in pools
    ]


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
