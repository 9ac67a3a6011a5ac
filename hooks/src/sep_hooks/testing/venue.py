"""Conformance of venues: types, calldata, quotes of the chain itself, refusals."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from importlib.resources import files
from itertools import permutations
from typing import get_args

import pytest
from pydantic import ValidationError

from sep_hooks.capabilities import Capability, PluginKind, Support
from sep_hooks.config import PluginConfig
from sep_hooks.context import RpcRequest
from sep_hooks.errors import Retryable, SepError, VenueError
from sep_hooks.manifest import MANIFEST_NAME, parse_manifest
from sep_hooks.testing.purity import impurities
from sep_hooks.types import (
    MOST_MARKET_ASSETS,
    Amount,
    AssetId,
    BlockRef,
    Call,
    ConcentratedLiquidityState,
    Leg,
    Market,
    MarketId,
    MarketState,
    SwapOrder,
    address,
    evm_chain,
    token_address,
)
from sep_hooks.venue import VenueAdapter

type AnyVenue = VenueAdapter[PluginConfig]

RECIPIENT = address("0x" + "5e" * 20)
DEADLINE = 2_000_000_003
_ANOTHER = address("0x" + "5f" * 20)
_STATES = get_args(MarketState.__value__)
NOWHERE = BlockRef(2**40, "0x" + "0d" * 32)


class VenueSuite:
    """Subclass it and define the fixtures `venue`, an instance that can read its chain, and `head`, a block there.

    `amounts` are the sizes asked for, in base units, small to large; a venue that refuses one passes.
    """

    pytestmark = pytest.mark.anyio
    amounts: Sequence[int] = (1, 10**3, 10**6, 10**9, 10**12, 10**15, 10**18)

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The kernel runs on asyncio."""
        return "asyncio"

    async def test_v01_configuration_is_closed_and_frozen(self, venue: AnyVenue) -> None:
        """SEP-V01: the configuration is a frozen table that refuses unknown keys."""
        assert issubclass(type(venue).Config, PluginConfig)
        assert type(venue).Config.model_config.get("frozen") is True
        with pytest.raises(ValidationError):
            type(venue).Config.model_validate({"a key that no venue has": 1})

    async def test_v02_signatures_are_full_declarations(self, venue: AnyVenue) -> None:
        """SEP-V02: event signatures are distinct, full declarations."""
        signatures = type(venue).event_signatures
        assert signatures
        assert len(set(signatures)) == len(signatures)
        for signature in signatures:
            assert signature.startswith("event ")
            assert signature.endswith(")")

    async def test_v03_source_is_pure(self, venue: AnyVenue) -> None:
        """SEP-V03: no clock, randomness, file, socket, task or thread of its own."""
        assert impurities(type(venue)) == ()

    async def test_v04_markets_are_well_formed(self, venue: AnyVenue) -> None:
        """SEP-V04: markets carry the instance's name and chain, and one name each."""
        markets = await venue.markets()
        assert markets, "a suite needs a venue with at least one market"
        assert len({market.id for market in markets}) == len(markets)
        for market in markets:
            assert frozen_exactly(market, Market)
            assert market.id.startswith(f"{venue.context.instance}/")
            assert market.venue == venue.context.instance
            assert market.chain == evm_chain(venue.context.chain_id)
            assert all(one == address(one) for one in (market.address, *market.emitters) if one is not None)
            assert 2 <= len(market.assets) <= MOST_MARKET_ASSETS
            assert len(set(market.assets)) == len(market.assets)
            assert 0 <= market.fee_ppm < 1_000_000
            assert market.gas > 0
        assert {market.id for market in await venue.markets()} == {market.id for market in markets}
        await venue.health()

    async def test_v05_states_are_of_the_block_asked(self, venue: AnyVenue, head: BlockRef) -> None:
        """SEP-V05: states are exact integers of exactly this block, and the same when asked again."""
        markets = await venue.markets()
        states = await venue.states(markets, head)
        known = {market.id: market for market in markets}
        assert states
        assert len({state.market for state in states}) == len(states)
        for state in states:
            assert isinstance(state, _STATES)
            assert frozen_exactly(state, type(state))
            assert state.family == known[state.market].family
            assert state.block == head
            assert state.market in known
            if isinstance(state, ConcentratedLiquidityState):
                assert list(state.ticks) == sorted(state.ticks)
                assert state.loaded[0] <= state.tick <= state.loaded[1]
                assert all(state.loaded[0] <= tick <= state.loaded[1] for tick, _ in state.ticks)
        assert list(states) == list(await venue.states(markets, head))

    async def test_v06_an_unknown_block_has_no_numbers(self, venue: AnyVenue) -> None:
        """SEP-V06: a block that the chain does not have gives no state: an error, or nothing."""
        markets = await venue.markets()
        try:
            states = await venue.states(markets, NOWHERE)
        except Retryable:
            return
        assert not states

    async def test_v07_calldata_holds_limit_recipient_and_deadline(self, venue: AnyVenue) -> None:
        """SEP-V07: each of them stands in the call itself, and no two orders share a call.

        A deadline or recipient that the manifest calls `unsupported` must not change it. In place of the most that
        may be spent for an exact output the legs' exact input may stand, which is less.
        """
        can = declared_capabilities(type(venue))
        for order in await self._orders(venue):
            call = venue.swap_call(order)
            assert frozen_exactly(call, Call)
            assert venue.swap_call(order) == call
            assert call.value == 0
            assert venue.spender(order) == address(venue.spender(order))
            inputs = {order.amount_in, order.legs[0].amount_in}
            assert any(one.to_bytes(32) in call.data for one in inputs), f"none of {inputs} is in the call"
            assert order.amount_out.to_bytes(32) in call.data, f"{order.amount_out:#x} is not in the call"
            others = [_dearer(order), replace(order, amount_out=Amount(order.amount_out + 1))]
            for capability, value, changed in (
                (Capability.CALL_RECIPIENT, int(RECIPIENT, 16), replace(order, recipient=_ANOTHER)),
                (Capability.CALL_DEADLINE, DEADLINE, replace(order, deadline=order.deadline + 1)),
            ):
                if can.get(capability) is Support.UNSUPPORTED:
                    assert venue.swap_call(changed) == call, f"{capability} works, the manifest denies it"
                else:
                    assert value.to_bytes(32) in call.data, f"{value:#x} is not in the call"
                    others.append(changed)
            assert len({call.data, *(venue.swap_call(other).data for other in others)}) == len(others) + 1

    async def test_v08_quotes_are_monotone_and_no_round_trip_gains(
        self, venue: AnyVenue, head: BlockRef
    ) -> None:
        """SEP-V08: more in never gives less out, and there is no gain in going back and forth."""
        answered = 0
        for market in await venue.markets():
            for pair in permutations(market.assets, 2):
                last = 0
                for amount in self.amounts:
                    out = await self._quoted(venue, head, _order(market, pair, True, amount))
                    if out is None:
                        continue
                    assert isinstance(out, int)
                    assert out >= last
                    last = out
                    if out == 0:
                        continue
                    answered += 1
                    needed = await self._quoted(venue, head, _order(market, pair, False, out, amount))
                    # A venue may round in its own favour both ways: by a unit of the input.
                    assert needed is None or needed <= amount + 1
                    back = await self._quoted(venue, head, _order(market, pair[::-1], True, out))
                    assert back is None or back <= amount
        assert answered, "no size was quoted: choose other amounts"

    async def test_v09_answers_that_are_none_are_refused(self, venue: AnyVenue) -> None:
        """SEP-V09: a malformed quote is an error of the tree, never a number."""
        for order in await self._orders(venue):
            for output in (b"", b"\x01", b"\xff" * 31):
                with pytest.raises(SepError):
                    venue.quoted_amount(order, output)

    async def test_v10_an_order_without_its_logs_is_no_fill(self, venue: AnyVenue) -> None:
        """SEP-V10: logs that do not show each leg are refused."""
        for order in await self._orders(venue):
            with pytest.raises(VenueError):
                venue.fills(order, [])

    async def test_v11_broken_orders_are_refused(self, venue: AnyVenue) -> None:
        """SEP-V11: no leg, an unknown market, another asset, or nothing to exchange."""
        for order in await self._orders(venue):
            (leg,) = order.legs
            unknown = replace(leg, market=MarketId(f"{venue.context.instance}/no such market"))
            broken = [
                replace(order, legs=()),
                replace(order, legs=(unknown,)),
                replace(order, legs=(replace(leg, asset_in=leg.asset_out),)),
                replace(order, amount_in=Amount(0)),
                replace(order, amount_out=Amount(0)),
            ]
            for wrong in broken:
                with pytest.raises(VenueError):
                    venue.swap_call(wrong)

    async def _orders(self, venue: AnyVenue) -> Sequence[SwapOrder]:
        return [
            _order(market, pair, exact_in, 10**9)
            for market in await venue.markets()
            for pair in permutations(market.assets, 2)
            for exact_in in (True, False)
        ]

    async def _quoted(self, venue: AnyVenue, head: BlockRef, order: SwapOrder) -> Amount | None:
        """The chain's own quote; None where it refuses the size."""
        call = venue.quote_call(order)
        request = RpcRequest("eth_call", ({"to": call.to, "data": "0x" + call.data.hex()},), head)
        try:
            raw = await venue.context.rpc.call(request)
            return venue.quoted_amount(order, bytes.fromhex(json.loads(raw)[2:]))
        except SepError:
            return None


def frozen_exactly(value: object, kind: type) -> bool:
    """Whether a value is of this very dataclass, frozen, with nothing in it that is a float."""
    if type(value) is not kind or not is_dataclass(value):
        return False
    assert type(value).__hash__ is not None, f"{kind.__name__} is not frozen"
    return not any(isinstance(part, float) for part in _parts(value))


def declared_capabilities(kind: type) -> Mapping[Capability, Support]:
    """What the manifest beside a venue's class says that it can do; nothing where none is found."""
    for base in kind.__mro__:
        package = base.__module__.partition(".")[0]
        try:
            manifest = files(package).joinpath(MANIFEST_NAME)
        except (ModuleNotFoundError, TypeError):  # a class of a test module
            continue
        if not manifest.is_file():
            continue
        entries = parse_manifest(manifest.read_text(encoding="utf-8"), source=package).plugin
        venues = [entry for entry in entries if entry.kind is PluginKind.VENUE]
        if len(venues) == 1:
            return venues[0].capabilities
    return {}


def _order(
    market: Market, pair: tuple[AssetId, ...], exact_in: bool, amount: int, known_in: int | None = None
) -> SwapOrder:
    """An order with limits that stand out: half of it as least out, or above twice of it as most in.

    `known_in` is an input of which it is known that it buys the exact output.
    """
    asset_in, asset_out = pair
    token_address(asset_in)
    if exact_in:
        amount_in, amount_out, leg_in = Amount(amount), Amount(amount // 2 + 1), Amount(amount)
    else:
        leg_in, amount_out = Amount(known_in or 2 * amount), Amount(amount)
        amount_in = Amount(leg_in + 1)
    leg = Leg(market.id, asset_in, asset_out, leg_in, amount_out)
    return SwapOrder((leg,), exact_in, amount_in, amount_out, RECIPIENT, DEADLINE)


def _dearer(order: SwapOrder) -> SwapOrder:
    """The same order for an input that is larger by one."""
    (leg,) = order.legs
    leg = replace(leg, amount_in=Amount(leg.amount_in + 1))
    return replace(order, legs=(leg,), amount_in=Amount(order.amount_in + 1))


def _parts(value: object) -> Iterator[object]:
    yield value
    if is_dataclass(value):
        for field in fields(value):
            yield from _parts(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _parts(item)
