"""Priced routes and their check: whatever is changed in an answer is named, whatever makes no sense is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NoReturn

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sep_hooks.errors import NoRoute, RpcUnavailable
from sep_hooks.testing.risk import swap_plan
from sep_hooks.types import MAX_AMOUNT, Amount, Asset, AssetId, Plan, token_address

from sep_core.events.codec import encode
from sep_core.events.values import value_codec
from sep_core.markets.snapshot_reader import snapshot_of
from sep_core.markets.strict_json import FileRefused, decode_strictly
from sep_core.planning.digest import named
from sep_core.planning.size import Size
from sep_core.planning.split import split
from sep_core.runtime.plan_check import check_answer
from sep_core.runtime.quote_body import QuoteBody
from sep_core.runtime.quote_desk import MOST_WAITING, QuoteDesk, QuotesBusy
from sep_core.runtime.quote_text import quote_text
from sep_core.runtime.quote_wish import QuoteRefused, Wish, amount_in_units, named_asset
from sep_core.runtime.quotes import quote
from sep_core.runtime.stored_plan_check import check_stored_plan

from ..harness.mainnet import POOLS, mainnet_document
from .test_snapshot_file import BTC, DAI, ETH, USD, document

DATA = snapshot_of(document(), "it")
E18 = 10**18
WETH, USDC, WBTC, DAI_ID = (AssetId(one) for one in (ETH, USD, BTC, DAI))


def asked(**change: Any) -> dict[str, Any]:
    """The answer to two WETH for USDC, or to another wish, as JSON."""
    wish = Wish(**{"spends": ((WETH, Amount(2 * E18)),), "want": USDC, **change})
    found: dict[str, Any] = json.loads(quote(DATA, wish, with_snapshot=True).model_dump_json())
    return found


WISHES: list[dict[str, Any]] = [
    {},
    {"spends": ((WETH, Amount(200 * E18)),)},
    {"spends": ((DAI_ID, Amount(20_000 * E18)),), "want": WBTC},
    {"spends": ((WETH, Amount(E18)), (DAI_ID, Amount(1000 * E18))), "want": USDC},
    {"spends": ((WETH, None),), "amount": Amount(1500 * 10**6)},
    {"spends": ((WETH, None), (WBTC, None)), "amount": Amount(150_000 * 10**6)},
    {"spends": ((WETH, Amount(200 * E18)),), "max_legs": 2},
    {"spends": ((WETH, Amount(200 * E18)),), "arbitrage": True},
    {"spends": ((WETH, Amount(200 * E18)),), "exclude": ("v/ticks",)},
]


@pytest.mark.parametrize("change", WISHES)
def test_every_kind_of_answer_holds(change: dict[str, Any]) -> None:
    answer = asked(**change)
    checked = check_answer(answer, "it")
    assert not checked.differences
    assert answer["legs"]
    if change.get("max_legs"):
        assert len(answer["legs"]) <= change["max_legs"]
    for market in change.get("exclude", ()):
        assert market not in {leg["market"] for leg in answer["legs"]}
    bare = {**answer, "snapshot": None}
    assert not check_answer(bare, "it", DATA).differences
    with pytest.raises(FileRefused, match="holds no snapshot"):
        check_answer(bare, "it")


def test_what_is_spent_is_what_was_given() -> None:
    answer = asked(spends=((WETH, Amount(E18)), (DAI_ID, Amount(1000 * E18))))
    assert {one["asset"]["id"]: int(one["amount"]) for one in answer["spends"]} == {
        WETH: E18,
        DAI_ID: 1000 * E18,
    }
    assert answer["single_path"] is None or answer["single_path"]["legs"]


def test_an_exact_amount_costs_no_more_than_it_sells_for() -> None:
    bought = asked(spends=((WETH, None),), amount=Amount(1500 * 10**6))
    (paid,) = bought["spends"]
    sold = asked(spends=((WETH, Amount(int(paid["amount"]))),))
    assert int(sold["receives"][0]["amount"]) >= 1500 * 10**6


SMALLER = asked(spends=((WETH, Amount(10**12)),))
ANOTHER = asked(spends=((DAI_ID, Amount(10**15)),), want=WBTC)
WORSE = asked(exclude=tuple(leg["market"] for leg in asked()["single_path"]["legs"]))


def _leg(it: dict[str, Any], **change: object) -> None:
    it["legs"][0].update(change)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("/legs/0/amount_out", lambda it: _leg(it, amount_out=str(int(it["legs"][0]["amount_out"]) + 1))),
        ("/legs/0/amount_out", lambda it: _leg(it, amount_in=str(int(it["legs"][0]["amount_in"]) - 10**15))),
        ("/legs/0/market", lambda it: _leg(it, market="v/none")),
        ("/legs/0", lambda it: _leg(it, asset_in=BTC)),
        ("/legs/0/gas", lambda it: _leg(it, gas=1)),
        ("/legs/0/venue", lambda it: _leg(it, venue="another")),
        ("/legs/0/text", lambda it: _leg(it, text="everything for nothing")),
        ("/spends/0/amount", lambda it: it["legs"].pop()),
        ("/spends/0/amount", lambda it: it["legs"].append(it["legs"][0])),
        ("/receives/0/amount", lambda it: it["receives"][0].update(amount="1")),
        ("/receives/0/text", lambda it: it["receives"][0].update(text="1000000 USDC")),
        ("/receives", lambda it: it["receives"].pop()),
        ("/spends/0/asset/decimals", lambda it: it["spends"][0]["asset"].update(decimals=6)),
        ("/certificate/bound", lambda it: it["certificate"].update(bound="1.0")),
        ("/certificate/objective", lambda it: it["certificate"].update(objective="1.0")),
        ("/certificate/gap_before_gas", lambda it: it["certificate"].update(gap_before_gas="0.0")),
        ("/certificate/net_gap", lambda it: it["certificate"].update(net_gap="-1.0")),
        ("/certificate/net_gap", lambda it: it["certificate"].update(net_gap="0.5")),
        ("/certificate/unlimited_gap", lambda it: it["certificate"].update(unlimited_gap="-0.5")),
        ("/certificate/prices", lambda it: it["certificate"]["prices"][0].update(price="0.0")),
        ("/certificate", lambda it: it["certificate"].update(prices=[])),
        ("/gas", lambda it: it.update(gas=5)),
        ("/gas_worth", lambda it: it.update(gas_worth="0")),
        ("/gas_priced", lambda it: it.update(gas_priced=False)),
        ("/request/gas_price", lambda it: it["request"].update(gas_price=["0", "1"])),
        ("/snapshot_digest", lambda it: it.update(snapshot_digest="00" * 32)),
        ("/markets", lambda it: it.update(markets=3)),
        ("/left_out/0/name", lambda it: it["left_out"][0].update(name="v/unheard")),
        ("/chains/0/block_number", lambda it: it["chains"][0].update(block_number=8)),
        ("/chains", lambda it: it["chains"].clear()),
        ("/single_path/amount_out", lambda it: it["single_path"].update(amount_out="0")),
        ("/single_path/gas", lambda it: it["single_path"].update(gas=0)),
        ("/single_path/legs/0/amount_out", lambda it: it["single_path"]["legs"][0].update(amount_out="1")),
        ("/single_path/legs", lambda it: it["single_path"].update(legs=[])),
        ("/single_path", lambda it: it.update(single_path=None)),
        ("/single_path/amount_in", lambda it: it.update(single_path=SMALLER["single_path"])),
        ("/single_path", lambda it: it.update(single_path=ANOTHER["single_path"])),
        ("/single_path/legs", lambda it: it.update(single_path=WORSE["single_path"])),
        ("/certificate/net_gap", lambda it: it["certificate"].update(net_gap="0.0")),
        ("/left_out", lambda it: it["left_out"].pop(0)),
        ("/legs", lambda it: it["request"].update(max_legs=1)),
        ("/legs/0/amount_out", lambda it: _leg(it, amount_out="9" * 78)),
        ("/legs/0", lambda it: _leg(it, amount_in="9" * 78)),
    ],
)
def test_whatever_is_changed_in_an_answer_is_named(
    place: str, change: Callable[[dict[str, Any]], object]
) -> None:
    changed = asked()
    change(changed)
    found = check_answer(changed, "it").differences
    assert place in {one.pointer for one in found}, found
    assert all((one.said + one.found).isprintable() for one in found)


def test_what_a_proof_covers_and_what_cannot_be_checked_is_told() -> None:
    assert check_answer(asked(), "it").covered
    used = next(iter(asked()["legs"]))["market"]
    only = asked(exclude=tuple(one for one in DATA.markets if one != used))
    checked = check_answer(only, "it")
    assert not checked.differences
    assert checked.covered == 1 < only["markets"]
    assert any("iterations" in one for one in checked.unchecked)
    assert any("left out" in one for one in checked.unchecked)


def test_more_markets_in_a_row_than_were_allowed_are_found() -> None:
    through = asked(spends=((DAI_ID, Amount(20_000 * E18)),), want=WBTC)
    assert len(through["legs"]) > 1
    through["request"]["max_hops"] = 1
    found = check_answer(through, "it").differences
    told = {one.said for one in found if one.pointer.startswith("/legs/")}
    assert any(one.endswith("markets in a row") for one in told), found


def test_half_of_a_character_is_refused_wherever_it_stands() -> None:
    for half in ("\ud800", "\udfff"):
        changed = asked()
        changed["certificate"]["prices"][0].update(asset=half)
        with pytest.raises(FileRefused):
            check_answer(changed, "it")
        with pytest.raises(FileRefused, match="half of a character"):
            decode_strictly(json.dumps(changed).encode(), "it")
    assert decode_strictly(b'["\\ud83d\\ude00", "\\\\ud800"]', "it") == ["\U0001f600", "\\ud800"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_price_that_was_changed_is_found(data: st.DataObject) -> None:
    changed = asked(spends=((WETH, Amount(200 * E18)),))
    # The price of what the route does not touch may be any at which its own markets earn nothing.
    touched = [one for one in changed["certificate"]["prices"] if one["asset"] in (ETH, USD)]
    price = data.draw(st.sampled_from(touched))
    factor = data.draw(st.floats(0.5, 2).filter(lambda one: abs(one - 1) > 1e-3))
    price["price"] = repr(float(price["price"]) * factor)
    assert check_answer(changed, "it").differences


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_state_that_was_changed_is_found(data: st.DataObject) -> None:
    """With its digest made to fit: the amounts or the bound give it away, or the market had no part in them."""
    changed = asked(spends=((WETH, Amount(200 * E18)),))
    market = data.draw(
        st.sampled_from([one for one in changed["snapshot"]["markets"] if one["id"] != "v/stable"])
    )
    market["gas"] += 1
    with pytest.raises(FileRefused, match="digest"):
        check_answer(changed, "it")
    changed["snapshot"]["digest"] = None
    assert check_answer(changed, "it").differences[0].pointer == "/snapshot_digest"
    changed["snapshot_digest"] = snapshot_of(changed["snapshot"], "it").digest
    used = {leg["market"] for leg in changed["legs"]}
    assert bool(check_answer(changed, "it").differences) is (market["id"] in used)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("/snapshot/digest", lambda it: it["snapshot"]["markets"][0].update(gas=1)),
        ("/snapshot/markets/7/id", lambda it: it["snapshot"]["markets"].append(it["snapshot"]["markets"][0])),
        ("/snapshot", lambda it: it["snapshot"].update(version=2)),
        ("/legs/0/extra", lambda it: _leg(it, extra=1)),
        ("/certificate/bound", lambda it: it["certificate"].update(bound="NaN")),
        ("/certificate/bound", lambda it: it["certificate"].update(bound="inf")),
        ("/certificate/bound", lambda it: it["certificate"].update(bound="1e999")),
        ("/certificate/objective", lambda it: it["certificate"].update(objective="-1e999")),
        ("/certificate/unlimited_gap", lambda it: it["certificate"].update(unlimited_gap="1e309")),
        ("/gas", lambda it: it.update(gas=str(it["gas"]))),
        ("/markets", lambda it: it.update(markets=float(it["markets"]))),
        ("/timed_out", lambda it: it.update(timed_out=0)),
        ("/request/max_hops", lambda it: it["request"].update(max_hops=True)),
        ("/snapshot", lambda it: it.update(snapshot=[])),
        ("/certificate/prices/0/price", lambda it: it["certificate"]["prices"][0].update(price="0x1p3")),
        ("", lambda it: it.update(format="sep-snapshot")),
        ("", lambda it: it.update(version=True)),
        ("/gas", lambda it: it.pop("gas")),
        ("/request", lambda it: it["request"].update(kind="exact_out")),
        ("/request", lambda it: it["request"].update(max_hops=0)),
        ("/request", lambda it: it["request"].update(gas_price=["1", "0"])),
    ],
)
def test_a_file_that_is_no_answer_is_refused(place: str, change: Callable[[dict[str, Any]], object]) -> None:
    changed = asked()
    change(changed)
    with pytest.raises(FileRefused) as refused:
        check_answer(changed, "it")
    assert refused.value.pointer == place, refused.value.message


@pytest.mark.parametrize("value", [None, [], "text", 7])
def test_a_value_that_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(FileRefused):
        check_answer(value, "it")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"want": WETH}, "/receive/asset"),
        ({"want": AssetId("eip155:1/erc20:0x" + "ee" * 20)}, "/receive/asset"),
        ({"spends": ((AssetId("eip155:1/erc20:0x" + "ee" * 20), Amount(1)),)}, "/spend/0/asset"),
        ({"spends": ((WETH, Amount(0)),)}, "/spend/0/amount"),
        ({"spends": ((WETH, None),)}, "/spend/0/amount"),
        ({"amount": Amount(1)}, "/spend/0/amount"),
        ({"spends": ((WETH, None),), "amount": Amount(0)}, "/receive/amount"),
        ({"spends": ((WETH, Amount(1)), (WETH, Amount(1)))}, "/spend"),
        ({"venues": ("none",)}, "/venues/0"),
        ({"exclude": ("v/none",)}, "/exclude/0"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_at_its_place(change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(QuoteRefused) as refused:
        asked(**change)
    assert refused.value.place == pointer


def test_more_than_all_there_is_has_an_answer_or_none_and_never_a_wrong_one() -> None:
    for amount in (1, 10**30, MAX_AMOUNT):
        try:
            answer = asked(spends=((WETH, Amount(amount)),))
        except NoRoute:
            continue
        assert not check_answer(answer, "it").differences


@pytest.mark.parametrize("amount", [142632233504178536449, 217492640506498056193])
def test_a_route_beyond_its_own_bound_is_no_answer(amount: int) -> None:
    """Nearly all that a market holds: where the search finds no bound, it says so."""
    wish: dict[str, Any] = {"spends": ((WBTC, None),), "want": WETH, "amount": Amount(amount), "max_legs": 1}
    try:
        answer = asked(**wish)
    except QuoteRefused as refused:
        assert "no bound" in refused.message  # noqa: PT017
    else:
        assert not check_answer(answer, "it").differences


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_an_honest_answer_is_never_called_false(data: st.DataObject) -> None:
    """Whatever is sold within whichever limits."""
    spent, want = data.draw(st.permutations([WETH, USDC, WBTC, DAI_ID]))[:2]
    decimals = next(one.decimals for one in DATA.assets if one.id == spent)
    amount = Amount(int(10 ** (decimals + data.draw(st.floats(-3, 3)))) + 1)
    limits = {
        "max_legs": data.draw(st.sampled_from([None, 1, 2, 8])),
        "max_hops": data.draw(st.sampled_from([None, 1, 2, 3])),
        "arbitrage": data.draw(st.booleans()),
    }
    try:
        answer = asked(spends=((spent, amount),), want=want, **limits)
    except (NoRoute, QuoteRefused):
        return
    assert not check_answer(answer, "it").differences


def test_an_unsplit_route_to_an_exact_amount_is_held_to_what_was_asked() -> None:
    """A market may give a rest of rounding more than what was asked of it."""
    for amount in (10733058638787452929, 13224500326046990337, 60376353131720310785):
        answer = asked(spends=((USDC, None),), want=WETH, amount=Amount(amount))
        path = [one for one in check_answer(answer, "it").differences if one.pointer.startswith("/single")]
        assert not path


def test_an_unsplit_route_of_a_plan_is_held_to_what_was_asked_too() -> None:
    size = Size(WETH, Amount(10733058638787452929), False, (USDC,))
    found = split(DATA.network, size, [(1, 1)], (0, 1), ())
    plan = swap_plan(exact_in=False)
    snapshot = replace(plan.snapshot, digest=DATA.digest, markets=len(DATA.markets))
    plan = named(replace(plan, snapshot=snapshot, certificate=found.certificate))
    document = json.loads(encode(value_codec(Plan)[0](plan)))
    told = {one.pointer for one in check_stored_plan(document, "it", DATA).differences}
    assert told, "the legs are those of another market"
    assert not {one for one in told if one.startswith("/plan/certificate/single_path/legs")}


TOKEN = Asset(WETH, "WETH", 18)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, MAX_AMOUNT), st.integers(0, 77))
def test_amounts_in_units_are_read_to_the_last_digit(amount: int, decimals: int) -> None:
    digits = str(amount).rjust(decimals + 1, "0")
    text = digits[: len(digits) - decimals] + ("." + digits[len(digits) - decimals :] if decimals else "")
    assert amount_in_units(text, Asset(WETH, "X", decimals)) == amount


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"[0-9+-]{1,9}(\.[0-9]{0,22})?(e[0-9]{1,3})?", fullmatch=True))
def test_any_text_is_an_exact_amount_or_refused(text: str) -> None:
    try:
        amount = amount_in_units(text, TOKEN)
    except QuoteRefused as refused:
        assert refused.message.isprintable()  # noqa: PT017
        return
    assert amount == Fraction(text) * 10**18 > 0


def test_assets_are_named_by_id_and_by_symbol_in_any_case() -> None:
    known = DATA.assets
    assert named_asset(known, "WETH") == named_asset(known, "weth") == named_asset(known, ETH)
    twin = document()
    twin["assets"].append({"id": "eip155:1/erc20:0x" + "0f" * 20, "symbol": "weth", "decimals": 18})
    data = snapshot_of(twin, "it")
    assert named_asset(data.assets, "WETH").id == ETH
    with pytest.raises(QuoteRefused, match="may be any of"):
        named_asset(data.assets, "Weth")
    with pytest.raises(QuoteRefused, match="no asset"):
        named_asset(data.assets, "DOGE\x1b[2J")


@pytest.mark.skipif(not POOLS.is_file(), reason=f"no sample data at {POOLS}; set SEP_SAMPLE_DATA")
@pytest.mark.parametrize("amount", [10**16, 10**18, 10**20, 10**22])
def test_real_pools_are_quoted_and_proven(amount: int) -> None:
    data = snapshot_of(mainnet_document(), "it")
    for symbol in ("USDC", "USDT", "WBTC", "LINK", "PEPE"):
        wish = Wish(
            ((named_asset(data.assets, "WETH").id, Amount(amount)),),
            named_asset(data.assets, symbol).id,
            max_legs=8,
        )
        answer = quote(data, wish, with_snapshot=True)
        assert len(answer.legs) <= 8
        assert answer.single_path is not None
        got = sum(int(one.amount) for one in answer.receives if one.asset.id == wish.want)
        net = got - int(answer.gas_worth)
        assert net >= int(answer.single_path.amount_out) - int(answer.single_path.gas_worth)
        assert not check_answer(json.loads(answer.model_dump_json()), "it").differences


def test_the_text_of_a_quote_is_that_of_its_model() -> None:
    for with_snapshot in (True, False):
        view = quote(DATA, Wish(((WETH, Amount(2 * E18)),), USDC), with_snapshot=with_snapshot)
        assert json.loads(quote_text(view)) == json.loads(view.model_dump_json())
        assert not check_answer(json.loads(quote_text(view)), "it", DATA).differences


@pytest.mark.anyio
async def test_a_quote_counts_from_the_moment_that_the_loop_works_for_it() -> None:
    """While nobody knows yet what gas costs, no more than the most that may wait are taken in."""
    told = anyio.Event()

    async def fees() -> NoReturn:
        await told.wait()
        raise RpcUnavailable("no fees")

    chain = DATA.chains[0]
    preset = SimpleNamespace(chain_id=1, wrapped_native=None)
    part: Any = SimpleNamespace(preset=preset, access=SimpleNamespace(fees=fees))
    snapshot = SimpleNamespace(
        block=SimpleNamespace(hash=chain.block.hash, ref=chain.block, timestamp=chain.timestamp),
        ref=SimpleNamespace(block=chain.block, timestamp=chain.timestamp),
        markets=DATA.markets,
        states=DATA.states,
        left_out=(),
        network=DATA.network,
    )
    board: Any = SimpleNamespace(chains=[chain.chain], snapshot=lambda chain, time: snapshot)
    book: Any = SimpleNamespace(asset=DATA.asset)
    assets = [{"address": token_address(one), "chain_id": 1} for one in (WETH, USDC)]
    body = QuoteBody.model_validate(
        {"spend": [{"asset": assets[0], "amount": str(E18)}], "receive": {"asset": assets[1]}}
    )
    desk, answers = QuoteDesk(), []

    async def ask() -> None:
        answers.append(json.loads(await desk.answer(body, board, {chain.chain: part}, {}, book)))

    async with anyio.create_task_group() as group:
        for _ in range(MOST_WAITING):
            group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(5), pytest.raises(QuotesBusy):
            await desk.answer(body, board, {chain.chain: part}, {}, book)
        told.set()
    assert len(answers) == MOST_WAITING
    assert {one["receives"][0]["amount"] for one in answers} == {answers[0]["receives"][0]["amount"]}
    await ask()
