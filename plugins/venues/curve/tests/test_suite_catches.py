"""The conformance suite holds a venue to what its manifest denies: each planted fault turns its case red."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sep_hooks.capabilities import Capability, Support
from sep_hooks.testing.fakes import FakeRpc, venue_context
from sep_hooks.testing.venue import VenueSuite, declared_capabilities
from sep_hooks.types import Address, Amount, Call, Market, SwapOrder
from sep_venue_curve import Curve, CurveConfig
from sep_venue_curve.pools import Pool, market_id, market_of

pytestmark = pytest.mark.anyio

POOL = Pool(
    address=Address("0x" + "0f" * 20),
    coins=(Address("0x" + "0a" * 20), Address("0x" + "0b" * 20)),
    rates=(10**18, 10**30),
    index_type="uint256",
    precise=True,
    ramps=True,
    fee_ppm=400,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Sound(Curve):
    """A venue whose one market needs no chain."""

    async def markets(self) -> Sequence[Market]:
        self._pools = {market_id(self.context, POOL.address): POOL}
        return [market_of(POOL, self.context)]


class KeepsDeadline(Sound):
    def swap_call(self, order: SwapOrder) -> Call:
        call = super().swap_call(order)
        return replace(call, data=call.data + order.deadline.to_bytes(32))


class PaysRecipient(Sound):
    def swap_call(self, order: SwapOrder) -> Call:
        call = super().swap_call(order)
        return replace(call, data=call.data + int(order.recipient, 16).to_bytes(32))


class LoosensLimit(Sound):
    def swap_call(self, order: SwapOrder) -> Call:
        return super().swap_call(replace(order, amount_out=Amount(1)))


class SpendsTheLimit(Sound):
    """Takes neither the leg's input nor the order's, but something between."""

    def swap_call(self, order: SwapOrder) -> Call:
        (leg,) = order.legs
        legs = (replace(leg, amount_in=Amount(leg.amount_in // 2)),)
        return super().swap_call(replace(order, legs=legs))


def venue_of(kind: type[Curve]) -> Curve:
    config = CurveConfig.model_validate({"pools": [POOL.address]})
    return kind(config, venue_context(FakeRpc(), "curve"))


async def test_a_sound_venue_passes() -> None:
    venue: Any = venue_of(Sound)
    await VenueSuite().test_v07_calldata_holds_limit_recipient_and_deadline(venue)
    await VenueSuite().test_v10_an_order_without_its_logs_is_no_fill(venue)
    await VenueSuite().test_v11_broken_orders_are_refused(venue)


@pytest.mark.parametrize("kind", [KeepsDeadline, PaysRecipient, LoosensLimit, SpendsTheLimit])
async def test_a_planted_fault_is_found(kind: type[Curve]) -> None:
    venue: Any = venue_of(kind)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await VenueSuite().test_v07_calldata_holds_limit_recipient_and_deadline(venue)


def test_a_manifest_is_found_beside_the_class_or_its_parent() -> None:
    for kind in (Curve, Sound):
        assert declared_capabilities(kind)[Capability.CALL_DEADLINE] is Support.UNSUPPORTED
    assert declared_capabilities(int) == {}
