"""Orders as calls of the vault, and of the protocol's own queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sep_hooks.context import Abi
from sep_hooks.errors import Permanent, VenueError
from sep_hooks.types import AbiValue, Address, Amount, MarketId, SwapOrder, token_address

from .pools import NOBODY, Pool

_SINGLE = "(bytes32,uint8,address,address,uint256,bytes)"
_STEP = "(bytes32,uint256,uint256,uint256,bytes)"
_FUNDS = "(address,bool,address,bool)"
SWAP = f"swap({_SINGLE},{_FUNDS},uint256,uint256)"
BATCH_SWAP = f"batchSwap(uint8,{_STEP}[],address[],{_FUNDS},int256[],uint256)"
QUERY_SWAP = f"querySwap({_SINGLE},{_FUNDS})"
QUERY_BATCH_SWAP = f"queryBatchSwap(uint8,{_STEP}[],address[],{_FUNDS})"

_GIVEN_IN = 0
_GIVEN_OUT = 1
_NO_DATA = b""
_MAX_LIMIT = 2**255 - 1


@dataclass(frozen=True, slots=True)
class Hop:
    """One pass through one pool."""

    pool: Pool
    token_in: Address
    token_out: Address


def hops_of(order: SwapOrder, pools: Mapping[MarketId, Pool]) -> Sequence[Hop]:
    """The passes of an order; each must go on where the last one ended, through a pool and to a token of its own.

    Raises `VenueError`.
    """
    hops: list[Hop] = []
    seen: set[str] = set()
    for leg in order.legs:
        pool = pools.get(leg.market)
        token_in, token_out = token_address(leg.asset_in), token_address(leg.asset_out)
        if pool is None:
            raise VenueError(f"{leg.market} is no market of this venue", next_step="list its markets first")
        if token_in == token_out or token_in not in pool.assets or token_out not in pool.assets:
            raise VenueError(f"{leg.market} does not exchange {leg.asset_in} for {leg.asset_out}")
        if leg.market in seen or token_out in seen or (hops and hops[-1].token_out != token_in):
            raise VenueError(f"the order's path breaks at {leg.market}")
        seen |= {leg.market, token_in, token_out}
        hops.append(Hop(pool, token_in, token_out))
    if not hops:
        raise VenueError("the order has no leg")
    return hops


def swap_data(abi: Abi, order: SwapOrder, pools: Mapping[MarketId, Pool]) -> bytes:
    """A swap of the vault with limit, recipient and deadline; the recipient pays, so it must be who calls."""
    hops = hops_of(order, pools)
    if order.amount_in <= 0 or order.amount_out <= 0 or order.deadline <= 0:
        raise VenueError("an order needs amounts and a deadline above zero")
    if order.recipient == NOBODY:
        raise VenueError("nobody cannot receive")
    if max(order.amount_in, order.amount_out) > _MAX_LIMIT:
        raise VenueError("an amount is larger than the vault can count")
    if len(hops) == 1:
        limit = order.amount_out if order.exact_in else order.amount_in
        return abi.encode_call(SWAP, (_single(order, hops[0]), _funds(order), limit, order.deadline))
    kind, steps, tokens = _batch(order, hops)
    limits = (order.amount_in, *(0 for _ in hops[1:]), -order.amount_out)
    return abi.encode_call(BATCH_SWAP, (kind, steps, tokens, _funds(order), limits, order.deadline))


def quote_data(abi: Abi, order: SwapOrder, pools: Mapping[MarketId, Pool]) -> bytes:
    """The queries' calldata for the same path and amount."""
    hops = hops_of(order, pools)
    if len(hops) == 1:
        return abi.encode_call(QUERY_SWAP, (_single(order, hops[0]), _funds(order)))
    return abi.encode_call(QUERY_BATCH_SWAP, (*_batch(order, hops), _funds(order)))


def quoted(abi: Abi, order: SwapOrder, output: bytes) -> Amount:
    """The amount that was not given: of a path, what the vault would pay out or take in. Raises `VenueError`."""
    single = len(order.legs) == 1
    try:
        (answer,) = abi.decode("(uint256)" if single else "(int256[])", output)
    except Permanent as error:
        raise VenueError(f"the queries answered something else: {error}") from error
    if not single:
        if not isinstance(answer, tuple) or len(answer) != len(order.legs) + 1:
            raise VenueError("the queries answered amounts of another path")
        delta = answer[-1] if order.exact_in else answer[0]
        assert isinstance(delta, int)
        answer = -delta if order.exact_in else delta
    if not isinstance(answer, int) or answer < 0:
        raise VenueError(f"the queries answered {answer!r}, which is no amount")
    return Amount(answer)


def _single(order: SwapOrder, hop: Hop) -> AbiValue:
    kind = _GIVEN_IN if order.exact_in else _GIVEN_OUT
    given = order.amount_in if order.exact_in else order.amount_out
    return (hop.pool.id, kind, hop.token_in, hop.token_out, given, _NO_DATA)


def _batch(order: SwapOrder, hops: Sequence[Hop]) -> tuple[int, tuple[AbiValue, ...], tuple[AbiValue, ...]]:
    """Kind, steps and tokens; what a step gives (or needs) is the next one's, so only the first names an amount.

    Tokens are numbered along the path. An exact output is worked out from its end.
    """
    tokens = (hops[0].token_in, *(hop.token_out for hop in hops))
    steps = [(hop.pool.id, index, index + 1) for index, hop in enumerate(hops)]
    given = order.amount_in if order.exact_in else order.amount_out
    ordered = steps if order.exact_in else steps[::-1]
    amounts = (given, *(0 for _ in steps[1:]))
    return (
        _GIVEN_IN if order.exact_in else _GIVEN_OUT,
        tuple((*step, amount, _NO_DATA) for step, amount in zip(ordered, amounts, strict=True)),
        tokens,
    )


def _funds(order: SwapOrder) -> AbiValue:
    return (order.recipient, False, order.recipient, False)
