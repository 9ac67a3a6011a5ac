"""Legs as calls: what is joined, what takes the rest, what an executor is told, at which limits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import ClassVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.config import PluginConfig
from sep_hooks.context import VenueContext
from sep_hooks.errors import VenueError
from sep_hooks.types import (
    Address,
    Amount,
    AssetId,
    BlockRef,
    Bundle,
    Call,
    DecodedLog,
    Flow,
    Leg,
    Market,
    MarketId,
    MarketState,
    PlanMode,
    SwapFill,
    SwapOrder,
    Trade,
    erc20,
    token_address,
)
from sep_hooks.venue import VenueAdapter
from sep_native.amm import ConstantProduct
from sep_native.decode import decode_call

from sep_core.execution.lane import MAX_IN_FLIGHT
from sep_core.planning.bundle import (
    EXECUTE,
    LONGEST_CALL_BYTES,
    REST,
    amount_places,
    bundle_call,
    venue_call,
)
from sep_core.planning.draft import Draft
from sep_core.planning.drafting import MOST_STEPS, Drafting, NotBundled
from sep_core.planning.exact_out import fitted
from sep_core.planning.flows import exchanged, takes_rest
from sep_core.planning.limits import least_out, most_in
from sep_core.planning.mode import modes, overhead
from sep_core.planning.passage import Passage, passages
from sep_core.planning.sandwich import sandwich_bound
from sep_core.planning.scene import Scene
from sep_core.planning.terms import Terms
from sep_core.planning.venues import Venues

WETH, USDC, DAI, WBTC = (erc20(1, "0x" + digit * 40) for digit in "abcd")
EXECUTOR, ROUTER, OWNER = (Address("0x" + digit * 40) for digit in "789")
SELECTOR = b"\x12\x34\x56\x78"


def leg(
    venue: str, asset_in: AssetId, asset_out: AssetId, amount_in: int, amount_out: int, name: str = ""
) -> Leg:
    market = MarketId(f"{venue}/{name or asset_in[-2:] + asset_out[-2:]}")
    return Leg(market, asset_in, asset_out, Amount(amount_in), Amount(amount_out))


def venue_of(market: MarketId) -> str:
    return market.split("/")[0]


def joined(
    *legs: Leg, ends: frozenset[AssetId] = frozenset({WETH, DAI}), paths: bool = True
) -> list[tuple[str, int]]:
    made = passages(legs, venue_of, ends, lambda venue: paths)
    return [(one.venue, len(one.legs)) for one in made]


def test_legs_of_one_venue_are_one_call_where_nobody_else_has_to_do_with_what_is_between() -> None:
    there, on = leg("a", WETH, USDC, 10, 20), leg("a", USDC, DAI, 20, 30)
    assert joined(there, on) == [("a", 2)]
    assert joined(there, on, paths=False) == [("a", 1), ("a", 1)], "the venue takes no paths"
    assert joined(there, leg("b", USDC, DAI, 20, 30)) == [("a", 1), ("b", 1)], "another venue"
    assert joined(there, on, ends=frozenset({WETH, USDC})) == [("a", 1), ("a", 1)], "the account holds it"
    assert joined(there, leg("a", USDC, DAI, 19, 30)) == [("a", 1), ("a", 1)], "not all of it goes on"
    both = joined(there, leg("a", USDC, DAI, 10, 15, "1"), leg("a", USDC, DAI, 10, 15, "2"))
    assert both == [("a", 1)] * 3, "two take it"
    two = joined(there, leg("b", WETH, USDC, 1, 2), leg("a", USDC, DAI, 20, 30))
    assert two == [("a", 1), ("b", 1), ("a", 1)], "two bring it"


def test_the_last_taker_of_what_was_brought_takes_all_that_is_there() -> None:
    parts = [
        Passage("a", (leg("a", WETH, USDC, 10, 20),)),
        Passage("b", (leg("b", WETH, USDC, 5, 10),)),
        Passage("a", (leg("a", USDC, DAI, 12, 12, "1"),)),
        Passage("b", (leg("b", USDC, DAI, 18, 18, "2"),)),
    ]
    assert takes_rest(parts) == (False, False, False, True)
    assert exchanged(parts) == {WETH: -15, DAI: 30}
    less = Passage("b", (leg("b", USDC, DAI, 17, 17, "2"),))
    assert takes_rest([*parts[:3], less]) == (False, False, False, False), "what rounding leaves stays apart"


@given(
    st.lists(st.tuples(st.integers(10**6, 10**24), st.integers(10**6, 10**24)), min_size=3, max_size=3),
    st.integers(1, 10**5),
    st.integers(1, 99),
)
def test_passages_fitted_to_an_output_bring_exactly_that_and_leave_nothing(
    reserves: list[tuple[int, int]], wanted: int, percent: int
) -> None:
    """Two ways to dollars, then one on to DAI; amounts from the end by the pools' own rounding."""
    pools = {
        name: ConstantProduct(*pair, 3_000)
        for name, pair in zip(("a/1", "b/1", "c/1"), reserves, strict=True)
    }

    def least_in(one: Leg) -> Amount:
        return Amount(pools[one.market].quote(True, one.amount_out, False).amount_in)

    def passage(name: str, asset_in: AssetId, asset_out: AssetId, out: int) -> Passage:
        return Passage(name[0], (Leg(MarketId(name), asset_in, asset_out, Amount(1), Amount(out)),))

    try:
        needed = pools["c/1"].quote(True, wanted, False).amount_in
        first = max(1, needed * percent // 100)
        parts = [
            passage("a/1", WETH, USDC, first),
            passage("b/1", WETH, USDC, max(1, needed - first)),
            passage("c/1", USDC, DAI, wanted),
        ]
        made = fitted(parts, DAI, wanted, least_in)
    except Exception:
        return  # more than a pool holds
    net = exchanged(made)
    assert net[DAI] == wanted
    assert USDC not in net
    assert net[WETH] < 0
    for one in made:
        (only,) = one.legs
        assert only.amount_in == least_in(only)


def swap_call(*extra: Callable[[SwapOrder], bytes]) -> Callable[[SwapOrder], Call]:
    def made(order: SwapOrder) -> Call:
        words = [order.amount_in.to_bytes(32), order.amount_out.to_bytes(32), *(one(order) for one in extra)]
        return Call(ROUTER, SELECTOR + b"".join(words))

    return made


def order(amount: int = 1_000) -> SwapOrder:
    return SwapOrder((leg("a", USDC, DAI, amount, 900),), True, Amount(amount), Amount(1), EXECUTOR, 2**40)


def test_the_place_of_the_amount_is_found_by_asking_for_another() -> None:
    assert amount_places(order(), swap_call()(order()), swap_call()) == (4,)
    twice = swap_call(lambda one: one.amount_in.to_bytes(32))
    assert amount_places(order(), twice(order()), twice) == (4, 68)


@pytest.mark.parametrize(
    "odd",
    [
        swap_call(lambda one: (one.amount_in // 2).to_bytes(32)),
        swap_call(lambda one: one.amount_in.to_bytes(32), lambda one: one.amount_in.to_bytes(32)),
        swap_call(lambda one: bytes(one.amount_in.bit_length())),
        lambda one: Call(ROUTER, SELECTOR + bytes(64)),
    ],
    ids=["half of it", "three times", "another length", "not at all"],
)
def test_a_call_that_does_not_simply_hold_its_amount_is_no_part_of_a_bundle(
    odd: Callable[[SwapOrder], Call],
) -> None:
    with pytest.raises(VenueError):
        amount_places(order(), odd(order()), odd)


def test_calls_that_an_executor_cannot_make_are_refused() -> None:
    trade = Trade("a", order(), takes_rest=False)
    spender = lambda one: ROUTER  # noqa: E731
    with pytest.raises(VenueError, match="wei along"):
        venue_call(trade, lambda one: Call(ROUTER, SELECTOR, Amount(1)), spender)
    with pytest.raises(VenueError, match="bytes"):
        venue_call(trade, lambda one: Call(ROUTER, bytes(LONGEST_CALL_BYTES + 1)), spender)
    token = token_address(DAI)
    made = venue_call(trade, lambda one: Call(token, SELECTOR), spender)
    with pytest.raises(VenueError, match="token"):
        bundle_call(bundle((trade,)), [made])


def bundle(trades: tuple[Trade, ...]) -> Bundle:
    flows = (
        (Flow(WETH, Amount(15), Amount(15), Amount(15)),),
        (Flow(DAI, Amount(30), Amount(29), Amount(30)),),
    )
    return Bundle(EXECUTOR, trades, *flows, 77)


def test_the_executor_is_told_tokens_in_order_limits_and_where_amounts_go() -> None:
    first = Trade("a", replace(order(), legs=(leg("a", WETH, USDC, 15, 20),), amount_in=Amount(15)), False)
    then = Trade("b", order(20), True)
    calls = [venue_call(one, swap_call(), lambda _: ROUTER) for one in (first, then)]
    call = bundle_call(bundle((first, then)), calls)
    assert (call.to, call.value) == (EXECUTOR, 0)
    tokens, taken, least, rows, data, deadline = decode_call(EXECUTE, call.data)
    assert tokens == tuple(token_address(one) for one in (WETH, USDC, DAI))
    assert (taken, least, deadline) == ((15, 0, 0), (0, 0, 29), 77)
    assert rows == ((ROUTER, ROUTER, 0, 15, 0, 0), (ROUTER, ROUTER, 1, REST, 4, 0))
    assert data == tuple(one.call.data for one in calls)


def test_a_single_path_is_one_call_and_a_split_needs_an_executor_or_several_transactions() -> None:
    one = (Passage("a", (leg("a", WETH, DAI, 10, 20),)),)
    assert [mode for mode, _ in modes(one, EXECUTOR, exact_in=True, wanted=DAI)] == [PlanMode.ONE_CALL]
    two = (*one, Passage("b", (leg("b", WETH, DAI, 10, 20),)))
    assert [mode for mode, _ in modes(two, EXECUTOR, exact_in=True, wanted=DAI)] == [
        PlanMode.BUNDLE,
        PlanMode.SEQUENCE,
    ]
    assert [mode for mode, _ in modes(two, None, exact_in=False, wanted=DAI)] == [PlanMode.SEQUENCE]
    chain = (Passage("a", (leg("a", WETH, USDC, 10, 20),)), Passage("b", (leg("b", USDC, DAI, 20, 20),)))
    assert modes(chain, None, exact_in=False, wanted=DAI) == (), (
        "exact out, what is on the way would be left there"
    )
    assert overhead(PlanMode.ONE_CALL, 1) == 0
    assert overhead(PlanMode.BUNDLE, 2) > 0 < overhead(PlanMode.SEQUENCE, 2)


prices = st.tuples(st.integers(1, 2**100), st.integers(1, 2**100))
amounts = st.integers(1, 2**110)
slippages = st.decimals(0, 1, places=6, allow_nan=False)


@given(st.lists(st.tuples(amounts, prices), min_size=1, max_size=4), amounts, slippages)
def test_of_several_assets_spent_the_least_out_holds_for_all_together(
    given_: list[tuple[int, tuple[int, int]]], quoted: int, slippage: object
) -> None:
    least = least_out(given_, quoted, slippage)  # type: ignore[arg-type]
    kept = 1 - Fraction(str(slippage))
    worth = sum(Fraction(amount * price[0], price[1]) for amount, price in given_)
    assert least >= worth * kept
    assert least >= quoted * kept
    assert least - 1 < max(worth, quoted) * kept or least == 0


@given(st.lists(st.tuples(amounts, prices), min_size=1, max_size=4), amounts, slippages)
def test_of_several_assets_spent_the_most_in_holds_for_each_and_for_all(
    quoted: list[tuple[int, tuple[int, int]]], out: int, slippage: object
) -> None:
    most = most_in(out, quoted, slippage)  # type: ignore[arg-type]
    grown = 1 + Fraction(str(slippage))
    for limit, (quote, _) in zip(most, quoted, strict=True):
        assert limit <= quote * grown
    worth = sum(Fraction(limit * price[0], price[1]) for limit, (_, price) in zip(most, quoted, strict=True))
    assert worth <= out * grown


def test_the_sandwich_bound_is_what_lies_between_expectation_and_limit() -> None:
    spends = (Flow(WETH, Amount(100), Amount(120), Amount(101)),)
    receives = (Flow(DAI, Amount(300), Amount(280), Amount(305)),)
    bound = sandwich_bound(spends, receives, exact_in=True)
    assert (bound.asset, bound.amount) == (DAI, 25)
    bound = sandwich_bound(spends, receives, exact_in=False)
    assert (bound.asset, bound.amount) == (WETH, 20)


class Wordy(VenueAdapter[PluginConfig]):
    """A venue whose call has six hundred bytes for each leg."""

    Config: ClassVar[type[PluginConfig]] = PluginConfig
    event_signatures: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__(PluginConfig(), cast(VenueContext, None))

    async def markets(self) -> Sequence[Market]:
        return ()

    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        return ()

    def apply(self, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState:
        return state

    def spender(self, order: SwapOrder) -> Address:
        return ROUTER

    def swap_call(self, order: SwapOrder) -> Call:
        return Call(ROUTER, SELECTOR + order.amount_in.to_bytes(32) + bytes(576 * len(order.legs)))

    def quote_call(self, order: SwapOrder) -> Call:
        return self.swap_call(order)

    def quoted_amount(self, order: SwapOrder, output: bytes) -> Amount:
        return Amount(0)

    def fills(self, order: SwapOrder, logs: Sequence[DecodedLog]) -> Sequence[SwapFill]:
        return ()


class Allowing:
    def __init__(self, allowed: int = 0) -> None:
        self.allowed = Amount(allowed)

    async def allowance(self, *_: object) -> Amount:
        return self.allowed


@pytest.mark.anyio
async def test_a_path_that_is_too_long_for_an_executor_goes_leg_by_leg() -> None:
    path = Passage("a", (leg("a", WETH, USDC, 10, 20), leg("a", USDC, DAI, 20, 30)))
    other = Passage("b", (leg("b", WETH, DAI, 5, 14),))
    flows = (
        (Flow(WETH, Amount(15), Amount(15), Amount(15)),),
        (Flow(DAI, Amount(44), Amount(40), Amount(44)),),
    )
    choice = SimpleNamespace(passages=(path, other), exact_in=True, mode=PlanMode.BUNDLE)
    terms = cast(Terms, SimpleNamespace(choice=choice, spends=flows[0], receives=flows[1]))
    asked = SimpleNamespace(executor=EXECUTOR, account=OWNER)
    head = SimpleNamespace(ref=BlockRef(1, "0x01"))
    scene = cast(Scene, SimpleNamespace(request=asked, deadline=77, chain=Allowing(), head=head))
    drafting = Drafting(Venues({"a": Wordy(), "b": Wordy()}))
    draft = await drafting.draft(scene, terms, reset_first=False)
    assert draft.bundle is not None
    assert [(one.venue, len(one.order.legs), one.takes_rest) for one in draft.bundle.trades] == [
        ("a", 1, False),
        ("a", 1, True),
        ("b", 1, False),
    ]
    assert [(one.token, one.spender, one.amount) for one in draft.before] == [(WETH, EXECUTOR, 15)]
    assert [one.amount for one in draft.after] == [0]


async def bundle_of(sold: int, allowed: int = 0) -> Draft:
    """The draft of a bundle that sells so many assets for one."""
    assets = [erc20(1, f"0x{number:040x}") for number in range(1, sold + 1)]
    parts = tuple(Passage("a", (leg("a", asset, DAI, 10, 20),)) for asset in assets)
    spends = tuple(Flow(asset, Amount(10), Amount(10), Amount(10)) for asset in assets)
    receives = (Flow(DAI, Amount(20 * sold), Amount(20 * sold), Amount(20 * sold)),)
    choice = SimpleNamespace(passages=parts, exact_in=True, mode=PlanMode.BUNDLE)
    terms = cast(Terms, SimpleNamespace(choice=choice, spends=spends, receives=receives))
    asked = SimpleNamespace(executor=EXECUTOR, account=OWNER)
    head = SimpleNamespace(ref=BlockRef(1, "0x01"))
    scene = cast(Scene, SimpleNamespace(request=asked, deadline=77, chain=Allowing(allowed), head=head))
    return await Drafting(Venues({"a": Wordy()})).draft(scene, terms, reset_first=allowed > 0)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("sold", "allowed", "revokes"), [(1, 0, 1), (3, 0, 3), (4, 0, 3), (7, 0, 0), (3, 1, 1)]
)
async def test_a_bundle_names_what_it_has_no_room_to_take_back(sold: int, allowed: int, revokes: int) -> None:
    draft = await bundle_of(sold, allowed)
    tokens = [one.token for one in draft.before if one.amount]
    assert len(tokens) == sold
    assert len(draft.calls) <= MOST_STEPS == MAX_IN_FLIGHT
    assert [one.token for one in draft.after] == tokens[:revokes]
    assert list(draft.stays) == tokens[revokes:]
    assert all(token in draft.remark for token in draft.stays)
    assert bool(draft.remark) == bool(draft.stays)


@pytest.mark.anyio
@pytest.mark.parametrize(("sold", "allowed"), [(8, 0), (23, 0), (4, 1)])
async def test_a_bundle_that_needs_more_transactions_than_may_wait_is_none(sold: int, allowed: int) -> None:
    with pytest.raises(NotBundled, match="at most 8 transactions"):
        await bundle_of(sold, allowed)
