"""Pools of the first years, without a node: coins numbered otherwise, no exact amplification, no ramp."""

import json
from collections.abc import Callable, Sequence

import pytest
from pydantic import ValidationError
from sep_hooks.context import RpcFailed, RpcOk, RpcOutcome, RpcRequest, VenueContext
from sep_hooks.errors import CallReverted, RpcUnavailable, SepError, VenueError
from sep_hooks.testing.abi import EthAbi
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.types import AbiValue, Address, BlockRef, StableSwapState
from sep_venue_curve import Curve, CurveConfig
from sep_venue_curve.discovery import NATIVE_COIN
from sep_venue_curve.invariant import bought

pytestmark = pytest.mark.anyio

POOL = Address("0x" + "0f" * 20)
COINS = tuple(Address("0x" + f"{number:02x}" * 20) for number in (0xA0, 0xA1, 0xA2))
DECIMALS = (18, 6, 6)
RATES = tuple(10 ** (36 - one) for one in DECIMALS)
BALANCES = (10**24, 12 * 10**11, 9 * 10**11)
AT = BlockRef(7, "0x" + "07" * 32)
ABI = EthAbi()

type Answer = Callable[..., int | str | None]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class OldPool:
    """A chain on which one such pool stands; what it answers can be changed. Implements `Rpc`."""

    def __init__(self) -> None:
        self.silent = False
        self.answers: dict[tuple[str, str], Answer] = {
            (POOL, "coins(int128)"): lambda index: COINS[index] if index < len(COINS) else None,
            (POOL, "balances(int128)"): lambda index: BALANCES[index],
            (POOL, "A()"): lambda: 2000,
            (POOL, "fee()"): lambda: 4 * 10**6,
            (POOL, "get_dy(int128,int128,uint256)"): self.get_dy,
        }
        for coin, decimals in zip(COINS, DECIMALS, strict=True):
            self.answers[coin, "decimals()"] = lambda value=decimals: value

    def get_dy(self, i: int, j: int, dx: int) -> int | None:
        """What a plain pool gives."""
        return bought(BALANCES, RATES, 200_000, 4 * 10**6, (i, j), dx)

    async def call(self, request: RpcRequest, *, timeout_seconds: float = 10.0) -> bytes:
        """A block, or what the pool answers."""
        if request.method == "eth_getBlockByNumber":
            return json.dumps({"number": hex(AT.number), "hash": AT.hash}).encode()
        call = request.params[0]
        assert isinstance(call, dict)
        data = bytes.fromhex(str(call["data"])[2:])
        for (place, signature), answer in self.answers.items():
            if place == call["to"] and ABI.encode_call(signature, _zeros(signature))[:4] == data[:4]:
                found = answer(*ABI.decode_call(signature, data))
                if found is not None:
                    kind = "(address)" if isinstance(found, str) else "(uint256)"
                    return json.dumps("0x" + ABI.encode(kind, (found,)).hex()).encode()
        raise CallReverted("execution reverted")

    async def calls(
        self, requests: Sequence[RpcRequest], *, timeout_seconds: float = 10.0
    ) -> Sequence[RpcOutcome]:
        """One outcome for each."""
        outcomes: list[RpcOutcome] = []
        for request in requests:
            try:
                if self.silent:
                    raise RpcUnavailable("nobody is there")
                outcomes.append(RpcOk(await self.call(request)))
            except SepError as error:
                outcomes.append(RpcFailed(error))
        return outcomes


def _zeros(signature: str) -> tuple[AbiValue, ...]:
    return (0,) * (signature.count(",") + 1 if "()" not in signature else 0)


@pytest.fixture
def chain() -> OldPool:
    return OldPool()


@pytest.fixture
def venue(chain: OldPool) -> Curve:
    context = VenueContext("old", FakeClock(), FakeLog(), chain, ABI, 1)
    return Curve(CurveConfig.model_validate({"pools": [POOL]}), context)


async def test_an_old_pool_is_read_in_its_own_way(venue: Curve) -> None:
    (market,) = await venue.markets()
    assert [asset.rpartition(":")[2] for asset in market.assets] == list(COINS)
    assert market.fee_ppm == 400
    (state,) = await venue.states([market], AT)
    assert isinstance(state, StableSwapState)
    assert (state.balances, state.rates, state.fee) == (BALANCES, RATES, 4 * 10**6)
    assert state.amplification == 200_000  # kept times 100, though the pool tells whole numbers


@pytest.mark.parametrize("off", [-1, 1])
async def test_a_unit_of_rounding_is_no_reason_to_refuse(venue: Curve, chain: OldPool, off: int) -> None:
    chain.answers[POOL, "get_dy(int128,int128,uint256)"] = lambda i, j, dx: (
        (chain.get_dy(i, j, dx) or 0) + off
    )
    assert await venue.markets()


@pytest.mark.parametrize(
    ("signature", "answer", "why"),
    [
        ("get_dy(int128,int128,uint256)", lambda i, j, dx: dx * 99 // 100, "where a plain pool gives"),
        ("stored_rates()", lambda: 1, "answers something else"),
        ("offpeg_fee_multiplier()", lambda: 2 * 10**10, "its fee moves"),
        ("base_pool()", lambda: COINS[0], "is a metapool"),
        ("gamma()", lambda: 10**14, "volatile coins"),
        ("fee()", lambda: None, "it has no fee"),
        ("coins(int128)", lambda index: COINS[0] if index == 0 else None, "has no 2 to 8 coins"),
        ("coins(int128)", lambda index: COINS[index % 3], "has no 2 to 8 coins"),
        (
            "coins(int128)",
            lambda index: (*COINS[:2], NATIVE_COIN)[index] if index < 3 else None,
            "native ether",
        ),
    ],
)
async def test_what_is_no_plain_pool_is_refused(
    venue: Curve, chain: OldPool, signature: str, answer: Answer, why: str
) -> None:
    chain.answers[POOL, signature] = answer
    with pytest.raises(VenueError, match=why):
        await venue.markets()


async def test_a_coin_of_too_many_decimals_is_refused(venue: Curve, chain: OldPool) -> None:
    chain.answers[COINS[1], "decimals()"] = lambda: 24
    with pytest.raises(VenueError, match="more than 18 decimals"):
        await venue.markets()


async def test_an_empty_pool_is_taken_in_unproven(venue: Curve, chain: OldPool) -> None:
    chain.answers[POOL, "balances(int128)"] = lambda index: 0
    chain.answers[POOL, "get_dy(int128,int128,uint256)"] = lambda i, j, dx: None
    assert await venue.markets()


async def test_a_silent_endpoint_proves_nothing(venue: Curve, chain: OldPool) -> None:
    """Silence about a question that plain pools do not answer is not taken for an answer."""
    (market,) = await venue.markets()
    chain.silent = True
    with pytest.raises(VenueError, match="nobody is there"):
        await venue.markets()
    with pytest.raises(VenueError, match="nobody is there"):
        await venue.states([market], AT)


@pytest.mark.parametrize("pools", [[], ["0x12"], ["curve"], [POOL, 7]])
def test_a_configuration_needs_addresses(pools: list[object]) -> None:
    with pytest.raises(ValidationError):
        CurveConfig.model_validate({"pools": pools})
