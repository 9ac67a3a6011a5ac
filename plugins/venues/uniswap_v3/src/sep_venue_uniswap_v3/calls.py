"""Orders as calls of SwapRouter02 and QuoterV2."""

from collections.abc import Mapping, Sequence

from sep_hooks.context import Abi
from sep_hooks.errors import Permanent, VenueError
from sep_hooks.types import AbiValue, Address, Amount, MarketId, SwapOrder, token_address

from .pools import Pool

MULTICALL = "multicall(uint256,bytes[])"
EXACT_INPUT_SINGLE = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
EXACT_INPUT = "exactInput((bytes,address,uint256,uint256))"
EXACT_OUTPUT_SINGLE = "exactOutputSingle((address,address,uint24,address,uint256,uint256,uint160))"
EXACT_OUTPUT = "exactOutput((bytes,address,uint256,uint256))"

_NO_PRICE_LIMIT = 0
_ALIASES = frozenset("0x" + "00" * 19 + last for last in ("00", "01", "02"))
"""Addresses that the router reads as nobody, its caller, and itself."""


def swap_data(abi: Abi, order: SwapOrder, pools: Mapping[MarketId, Pool]) -> bytes:
    """The router's calldata: one swap inside a `multicall` that carries the deadline."""
    hops = _hops(order, pools)
    if order.recipient in _ALIASES:
        raise VenueError(f"{order.recipient} cannot receive: the router reads it as a name of its own")
    if order.amount_in <= 0 or order.amount_out <= 0 or order.deadline <= 0:
        raise VenueError("an order needs amounts and a deadline above zero")
    swap = _exact_in(abi, order, hops) if order.exact_in else _exact_out(abi, order, hops)
    return abi.encode_call(MULTICALL, (order.deadline, (swap,)))


def quote_data(abi: Abi, order: SwapOrder, pools: Mapping[MarketId, Pool]) -> bytes:
    """The quoter's calldata for the same path and amount."""
    hops = _hops(order, pools)
    amount = order.amount_in if order.exact_in else order.amount_out
    kind = "Input" if order.exact_in else "Output"
    if len(hops) == 1:
        ((token_in, fee, token_out),) = hops
        signature = f"quoteExact{kind}Single((address,address,uint256,uint24,uint160))"
        return abi.encode_call(signature, ((token_in, token_out, amount, fee, _NO_PRICE_LIMIT),))
    path = _path(hops) if order.exact_in else _path(_reversed(hops))
    return abi.encode_call(f"quoteExact{kind}(bytes,uint256)", (path, amount))


def quoted(abi: Abi, order: SwapOrder, output: bytes) -> Amount:
    """The first number of the quoter's answer. Raises `VenueError` for anything else."""
    returns = (
        "(uint256,uint160,uint32,uint256)" if len(order.legs) == 1 else "(uint256,uint160[],uint32[],uint256)"
    )
    try:
        amount = abi.decode(returns, output)[0]
    except Permanent as error:
        raise VenueError(f"the quoter answered something else: {error}") from error
    assert isinstance(amount, int)
    return Amount(amount)


type _Hop = tuple[Address, int, Address]


def _hops(order: SwapOrder, pools: Mapping[MarketId, Pool]) -> Sequence[_Hop]:
    """Token, fee, token of each leg; each leg must go on where the last one ended, through a pool of its own."""
    hops: list[_Hop] = []
    seen: set[MarketId] = set()
    for leg in order.legs:
        pool = pools.get(leg.market)
        token_in, token_out = token_address(leg.asset_in), token_address(leg.asset_out)
        if pool is None:
            raise VenueError(f"{leg.market} is no market of this venue", next_step="list its markets first")
        if {token_in, token_out} != {pool.token0, pool.token1}:
            raise VenueError(f"{leg.market} does not exchange {leg.asset_in} for {leg.asset_out}")
        if leg.market in seen or (hops and hops[-1][2] != token_in):
            raise VenueError(f"the order's path breaks at {leg.market}")
        seen.add(leg.market)
        hops.append((token_in, pool.fee_ppm, token_out))
    if not hops:
        raise VenueError("the order has no leg")
    return hops


def _exact_in(abi: Abi, order: SwapOrder, hops: Sequence[_Hop]) -> bytes:
    if len(hops) == 1:
        return _single(abi, EXACT_INPUT_SINGLE, order, hops[0], order.amount_in, order.amount_out)
    call: AbiValue = (_path(hops), order.recipient, order.amount_in, order.amount_out)
    return abi.encode_call(EXACT_INPUT, (call,))


def _exact_out(abi: Abi, order: SwapOrder, hops: Sequence[_Hop]) -> bytes:
    if len(hops) == 1:
        return _single(abi, EXACT_OUTPUT_SINGLE, order, hops[0], order.amount_out, order.amount_in)
    call: AbiValue = (_path(_reversed(hops)), order.recipient, order.amount_out, order.amount_in)
    return abi.encode_call(EXACT_OUTPUT, (call,))


def _single(abi: Abi, signature: str, order: SwapOrder, hop: _Hop, amount: int, limit: int) -> bytes:
    token_in, fee, token_out = hop
    call: AbiValue = (token_in, token_out, fee, order.recipient, amount, limit, _NO_PRICE_LIMIT)
    return abi.encode_call(signature, (call,))


def _reversed(hops: Sequence[_Hop]) -> Sequence[_Hop]:
    return [(token_out, fee, token_in) for token_in, fee, token_out in reversed(hops)]


def _path(hops: Sequence[_Hop]) -> bytes:
    """Tokens of 20 bytes with fees of 3 bytes between them."""
    path = bytes.fromhex(hops[0][0][2:])
    for _, fee, token_out in hops:
        path += fee.to_bytes(3) + bytes.fromhex(token_out[2:])
    return path
