"""A REBALANCE of five assets through a whole engine on the simulated chain, transaction by transaction."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import pytest
from sep_hooks.types import IntentId, IntentStatus, IntentType
from sep_native.decode import checksum_address
from sep_native.sim import SimChain

from sep_core.adapters.store_sqlite.audit import verify_store
from sep_core.events.facts import IntentPlanned
from sep_core.events.registry import fact_of
from sep_core.events.streams import intent_stream
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.submission import parse_submission
from sep_core.runtime.views import IntentView

from ..harness.bench import CHAIN_ID, DATA, GENESIS, NAMES, OWNER, STRATEGY, TOKENS, new_key_file
from ..harness.run import engine, until
from ..harness.scenario import Scenario, ask
from ..harness.verdict import own_transactions, token_balance

pytestmark = pytest.mark.anyio

LINK: Final = "0x9000000000000000000000000000000000000001"
SYMBOLS: Final = ("WETH", "USDC", "DAI", "WBTC", "LINK")
ALL_TOKENS: Final = {**TOKENS, "LINK": {"address": LINK, "symbol": "LINK", "decimals": 18}}


def five_tokens() -> SimChain:
    """The usual chain and a fifth token with two pools, at 15 USDC and 0.005 WETH."""
    genesis = json.loads(json.dumps(GENESIS))
    genesis["tokens"].append(
        {"address": LINK, "symbol": "LINK", "decimals": 18, "wrapped_native": False, "approval_reset": False}
    )
    for place, (symbol, other, amount) in enumerate(
        (("WETH", 2_000 * 10**18, 400_000), ("USDC", 3 * 10**12, 200_000))
    ):
        genesis["pools"].append(
            {
                "family": "constant_product",
                "address": f"0x80000000000000000000000000000000000000{place:02x}",
                "token0": TOKENS[symbol]["address"],
                "token1": LINK,
                "fee_ppm": 3000,
                "reserve0": str(other),
                "reserve1": str(amount * 10**18),
            }
        )
    return SimChain(json.dumps(genesis))


def weights_wish(name: str, weights: Mapping[str, str], *, slippage: str = "0.05") -> tuple[UUID, bytes]:
    """An intent that wants these weights."""
    body = {
        "id": str(uuid5(NAMES, name)),
        "strategy_id": STRATEGY,
        "type": "REBALANCE",
        "assets": [
            {
                "asset": {
                    "symbol": symbol,
                    "address": checksum_address(ALL_TOKENS[symbol]["address"]),
                    "decimals": ALL_TOKENS[symbol]["decimals"],
                    "chain_id": CHAIN_ID,
                },
                "percentage": weight,
            }
            for symbol, weight in weights.items()
        ],
        "constraints": {
            "max_slippage": slippage,
            "time_window_ms": 600_000,
            "execution_style": "IMMEDIATE",
        },
    }
    return uuid5(NAMES, name), json.dumps(body).encode()


@asynccontextmanager
async def running(folder: Path, chain: SimChain, **tables: Any) -> AsyncIterator[Kernel]:
    """An engine that knows all five tokens."""
    assets = {
        symbol: {
            "chain": "sim",
            "address": checksum_address(one["address"]),
            "decimals": one["decimals"],
        }
        for symbol, one in ALL_TOKENS.items()
    }
    scenario = Scenario("rebalance", (), tables={"assets": assets, **tables}, paper="mode" in tables)
    scenario.prepare(chain)
    async with engine(scenario, folder, chain) as kernel:
        yield kernel


async def rebalanced(kernel: Kernel, name: str, weights: Mapping[str, str], **more: str) -> IntentView:
    """What became of such an intent."""
    _, body = weights_wish(name, weights, **more)
    taken = await kernel.submit(parse_submission(body), source="command_line", request=body)
    return await kernel.wait_until_ended(taken.intent_id, 30)


def held(chain: SimChain) -> dict[str, int]:
    """What the account holds."""
    return {symbol: token_balance(partial(ask, chain), one["address"]) for symbol, one in ALL_TOKENS.items()}


def shares(kernel: Kernel, intent_id: UUID, now: Mapping[str, int]) -> dict[str, Fraction]:
    """The share of each asset in the whole, at the reference prices of the first plan."""
    book = kernel.world.intents[IntentId(intent_id)].first_prices
    assert book is not None
    price = {one.asset: Fraction(one.value, one.amount) for one in book.prices} | {
        book.numeraire: Fraction(1)
    }
    known = {symbol: kernel.installation.assets[symbol].id for symbol in SYMBOLS}
    worths = {symbol: now[symbol] * price[known[symbol]] for symbol in SYMBOLS}
    return {symbol: worth / sum(worths.values()) for symbol, worth in worths.items()}


async def test_five_assets_reach_their_weights_for_less_than_pair_by_pair(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "pairs"
    chain, chain_of_pairs = five_tokens(), five_tokens()
    before = held(chain)
    one.mkdir()
    new_key_file(one)
    async with running(one, chain) as kernel:
        view = await rebalanced(kernel, "fifths", dict.fromkeys(SYMBOLS, "0.2"))
        assert view.status == "SETTLED", (view.code, view.reason)
        after = held(chain)
        assert {c.asset.symbol: int(c.quantity) for c in view.changes} == {
            symbol: after[symbol] - before[symbol] for symbol in SYMBOLS if after[symbol] != before[symbol]
        }
        for symbol, share in shares(kernel, view.id, after).items():
            assert abs(share - Fraction(1, 5)) < Fraction(1, 10**4), (symbol, float(share))
        await keeps_the_slippage(kernel, view.id, Fraction(5, 100))
        assert await kernel.mismatches() == []
        assert not kernel.world.book.holds
        sent = own_transactions(partial(ask, chain), OWNER)
        assert len(sent) >= len(view.fills)
        receipts = [ask(chain, "eth_getTransactionReceipt", name) for name in sent]
        gas = sum(int(one["gasUsed"], 16) * int(one["effectiveGasPrice"], 16) for one in receipts)
        assert view.gas_cost == str(gas)
        told = await (await kernel.queries()).explain(view.id)
        assert told.summary.startswith("Wanted: rebalance main to WETH 0.2, USDC 0.2")
        assert "DAI and" in told.summary
    assert verify_store(one / DATA).ok
    other.mkdir()
    new_key_file(other)
    async with running(other, chain_of_pairs) as kernel:
        for symbol in ("DAI", "WETH", "WBTC", "LINK"):
            change = after[symbol] - before[symbol]
            kind = "ACQUIRE" if change > 0 else "DISPOSE"
            await traded(kernel, f"pair {symbol}", kind, symbol, abs(change))
    pairs = held(chain_of_pairs)
    assert {symbol: pairs[symbol] for symbol in SYMBOLS if symbol != "USDC"} == {
        symbol: after[symbol] for symbol in SYMBOLS if symbol != "USDC"
    }
    print(f"with the same of the others, the rebalance keeps {after['USDC'] - pairs['USDC']} more of USDC")
    assert after["USDC"] > pairs["USDC"]


async def keeps_the_slippage(kernel: Kernel, intent_id: UUID, slippage: Fraction) -> None:
    """What each transaction may lose at most, by itself and with what those before it have lost."""
    state = kernel.world.intents[IntentId(intent_id)]
    book = state.first_prices
    assert book is not None
    price = {one.asset: Fraction(one.value, one.amount) for one in book.prices} | {
        book.numeraire: Fraction(1)
    }
    stream = intent_stream(state.id)
    told = [fact_of(one) async for one in kernel.store.read_stream(stream)]
    plans = [one.plan for one in told if isinstance(one, IntentPlanned)]
    assert len(plans) == len(state.fills) > 1
    lost, net, unit = Fraction(0), dict.fromkeys(price, 0), Fraction(1, 10**9)
    for plan, fill in zip(plans, state.fills, strict=True):
        given = sum((one.limit * price[one.asset] for one in plan.spends), Fraction(0))
        least = sum((one.limit * price[one.asset] for one in plan.receives), Fraction(0))
        assert given - least <= given * slippage * (1 + unit)
        for asset, change in fill.moved:
            net[asset] += change
        lost -= sum(change * price[asset] for asset, change in fill.moved)
    assert lost <= slippage * sum(-change * price[asset] for asset, change in net.items() if change < 0)


async def traded(kernel: Kernel, name: str, kind: str, symbol: str, amount: int) -> None:
    """An intent of one asset, settled."""
    body = json.loads(weights_wish(name, {symbol: "1"}, slippage="0.1")[1])
    body["type"] = kind
    body["assets"][0] = {"asset": body["assets"][0]["asset"], "amount": str(amount)}
    text = json.dumps(body).encode()
    taken = await kernel.submit(parse_submission(text), source="command_line", request=text)
    view = await kernel.wait_until_ended(taken.intent_id, 30)
    assert view.status == "SETTLED", (view.code, view.reason)


async def test_on_paper_the_books_reach_the_weights(tmp_path: Path) -> None:
    new_key_file(tmp_path)
    chain = five_tokens()
    before = held(chain)
    async with running(tmp_path, chain, mode="paper") as kernel:
        view = await rebalanced(
            kernel, "paper", {"WETH": "0.5", "USDC": "0.3", "DAI": "0.2", "WBTC": "0", "LINK": "0"}
        )
        assert view.status == "SETTLED", (view.code, view.reason)
        changes = {c.asset.symbol: int(c.quantity) for c in view.changes}
        now = {symbol: before[symbol] + changes.get(symbol, 0) for symbol in SYMBOLS}
        assert now["WBTC"] == 0
        for symbol, share in shares(kernel, view.id, now).items():
            wanted = {"WETH": Fraction(1, 2), "USDC": Fraction(3, 10), "DAI": Fraction(1, 5)}.get(symbol, 0)
            assert abs(share - wanted) < Fraction(1, 10**3), (symbol, float(share))
    assert held(chain) == before


async def test_where_no_trade_is_worth_its_cost_nothing_is_done(tmp_path: Path) -> None:
    """A rebalance moves the prices that the next one starts from, by less in the end."""
    new_key_file(tmp_path)
    chain = five_tokens()
    weights = {"WETH": "0.4", "DAI": "0.6"}
    async with running(tmp_path, chain) as kernel:
        views = [await rebalanced(kernel, f"again {count}", weights) for count in range(10)]
        statuses = [view.status for view in views]
        assert statuses[0] == "SETTLED"
        assert (statuses[-1], views[-1].code) == ("REJECTED", "nothing_to_do")
        sizes = [max(abs(int(c.quantity)) for c in view.changes) for view in views if view.changes]
        assert sizes[-1] <= sizes[0]


async def test_what_would_lose_more_than_the_slippage_is_not_sent(tmp_path: Path) -> None:
    new_key_file(tmp_path)
    chain = five_tokens()
    before = held(chain)
    async with running(tmp_path, chain) as kernel:
        weights = {"WETH": "0", "LINK": "1", "WBTC": "0", "DAI": "0"}
        _, body = weights_wish("dear", weights, slippage="0.001")
        taken = await kernel.submit(parse_submission(body), source="command_line", request=body)
        intent_id = IntentId(taken.intent_id)
        await until(kernel, lambda: kernel.plans.why_waiting(intent_id) is not None)
        refused = kernel.plans.why_waiting(intent_id)
        assert refused is not None
        assert refused.code == "slippage_exceeded"
        assert held(chain) == before
        assert not kernel.world.intents[intent_id].fills


async def test_a_strategy_keeps_a_basket_at_its_weights(tmp_path: Path) -> None:
    new_key_file(tmp_path)
    chain = five_tokens()
    weights = {"WETH": "0.3", "WBTC": "0.3", "LINK": "0.2", "USDC": "0.2"}
    basket = {
        "use": "rebalance",
        "account": "main",
        "quote": "USDC",
        "weights": weights,
        "max_slippage": "0.05",
    }
    plugins = {"enabled": ["sep-risk-limits", "sep-strategy-rebalance"]}
    async with running(tmp_path, chain, strategies={"basket": basket}, plugins=plugins) as kernel:

        def settled() -> bool:
            ask(chain, "sim_mine")
            return any(one.status is IntentStatus.SETTLED for one in kernel.world.intents.values())

        await until(kernel, settled, 30)
        (first, *_) = kernel.world.intents.values()
        assert first.intent.type is IntentType.REBALANCE
        assert first.intent.strategy == "basket"
        now = held(chain)
        book = first.first_prices
        assert book is not None
        price = {one.asset: Fraction(one.value, one.amount) for one in book.prices}
        price[book.numeraire] = Fraction(1)
        worths = {one: now[one] * price[kernel.installation.assets[one].id] for one in weights}
        whole = sum(worths.values())
        assert all(
            abs(worths[one] / whole - Fraction(weight)) < Fraction(2, 100) for one, weight in weights.items()
        )
