"""The conformance suite finds what is wrong with a venue: each planted fault turns its case red."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sep_hooks.context import VenueContext
from sep_hooks.testing.abi import EthAbi
from sep_hooks.testing.fakes import FakeClock, FakeLog, FakeRpc
from sep_hooks.testing.venue import VenueSuite
from sep_hooks.types import (
    Address,
    Amount,
    BlockRef,
    Call,
    ConstantProductState,
    DecodedLog,
    LiquidityFamily,
    Market,
    MarketId,
    MarketState,
    SwapFill,
    SwapOrder,
    erc20,
    evm_chain,
)
from sep_venue_uniswap_v2 import UniswapV2, UniswapV2Config

pytestmark = pytest.mark.anyio

HEAD = BlockRef(9, "0x" + "09" * 32)
POOL = Address("0x" + "0f" * 20)
TOKENS = Address("0x" + "0a" * 20), Address("0x" + "0b" * 20)
MARKET = Market(
    MarketId(f"uni/{POOL}"),
    "uni",
    evm_chain(1),
    LiquidityFamily.CONSTANT_PRODUCT,
    POOL,
    (erc20(1, TOKENS[0]), erc20(1, TOKENS[1])),
    3000,
    1,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Sound(UniswapV2):
    """A venue whose one market needs no chain."""

    async def markets(self) -> Sequence[Market]:
        from sep_venue_uniswap_v2.pairs import Pair

        self._pairs = {MARKET.id: Pair(POOL, *TOKENS)}
        return [MARKET]

    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        return [ConstantProductState(MARKET.id, at, 10, 10, 3000)] if at == HEAD else []


class ForgetsDeadline(Sound):
    def swap_call(self, order: SwapOrder) -> Call:
        return super().swap_call(replace(order, deadline=2**40))


class PaysItself(Sound):
    def swap_call(self, order: SwapOrder) -> Call:
        return super().swap_call(replace(order, recipient=Address("0x" + "66" * 20)))


class LoosensLimit(Sound):
    def swap_call(self, order: SwapOrder) -> Call:
        return super().swap_call(replace(order, amount_out=Amount(1)))


class InventsStates(Sound):
    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        return [ConstantProductState(MARKET.id, at, 10, 10, 3000)]


class ReadsLatest(Sound):
    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        return [ConstantProductState(MARKET.id, BlockRef(8, "0x08"), 10, 10, 3000)]


class UsesFloats(Sound):
    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        return [ConstantProductState(MARKET.id, at, 1.5, 10, 3000)]  # type: ignore[arg-type]


class InventsFills(Sound):
    def fills(self, order: SwapOrder, logs: Sequence[DecodedLog]) -> Sequence[SwapFill]:
        leg = order.legs[0]
        return [SwapFill(leg.market, leg.asset_in, leg.amount_in, leg.asset_out, leg.amount_out, 0)]


class TakesNothingForANumber(Sound):
    def quoted_amount(self, order: SwapOrder, output: bytes) -> Amount:
        return Amount(int.from_bytes(output))


class TakesAnyOrder(Sound):
    def swap_call(self, order: SwapOrder) -> Call:
        return Call(POOL, repr(order).encode())


class Renames(Sound):
    async def markets(self) -> Sequence[Market]:
        return [replace(market, id=MarketId("other/pool")) for market in await super().markets()]


SUITE = VenueSuite()
CASES: dict[str, Callable[[Any], Awaitable[None]]] = {
    "v04": SUITE.test_v04_markets_are_well_formed,
    "v05": lambda venue: SUITE.test_v05_states_are_of_the_block_asked(venue, HEAD),
    "v06": SUITE.test_v06_an_unknown_block_has_no_numbers,
    "v07": SUITE.test_v07_calldata_holds_limit_recipient_and_deadline,
    "v09": SUITE.test_v09_answers_that_are_none_are_refused,
    "v10": SUITE.test_v10_an_order_without_its_logs_is_no_fill,
    "v11": SUITE.test_v11_broken_orders_are_refused,
}


async def made(kind: type[Sound]) -> Sound:
    venue = kind(
        UniswapV2Config.model_validate({"factory": "0x" + "01" * 20, "router": "0x" + "02" * 20}),
        VenueContext("uni", FakeClock(), FakeLog(), FakeRpc(), EthAbi(), 1),
    )
    await venue.markets()
    return venue


@pytest.mark.parametrize("case", CASES)
async def test_a_sound_venue_passes(case: str) -> None:
    await CASES[case](await made(Sound))


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        (Renames, "v04"),
        (ReadsLatest, "v05"),
        (UsesFloats, "v05"),
        (InventsStates, "v06"),
        (ForgetsDeadline, "v07"),
        (PaysItself, "v07"),
        (LoosensLimit, "v07"),
        (TakesNothingForANumber, "v09"),
        (InventsFills, "v10"),
        (TakesAnyOrder, "v11"),
    ],
)
async def test_a_planted_fault_is_found(kind: type[Sound], case: str) -> None:
    venue = await made(kind)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await CASES[case](venue)
