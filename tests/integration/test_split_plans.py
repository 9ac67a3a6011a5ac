"""Plans of several legs on a real node: one transaction or several, realised as predicted to the unit."""

import json
import random
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sep_chain_evm import Ethereum, EthereumConfig
from sep_executor import contract
from sep_executor.contract import FACTORY
from sep_hooks.context import PluginContext, VenueContext
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.types import (
    Address,
    Amount,
    Asset,
    AssetId,
    ChainLog,
    Constraints,
    ExecutionStyle,
    Intent,
    IntentAsset,
    IntentId,
    IntentType,
    Plan,
    PlanMode,
    Step,
    StepKind,
    SwapOrder,
    address,
    erc20,
    evm_chain,
    token_address,
)
from sep_hooks.venue import VenueAdapter
from sep_testnet import Testnet
from sep_testnet.errors import TransactionReverted
from sep_venue_balancer import Balancer, BalancerConfig
from sep_venue_curve import Curve, CurveConfig
from sep_venue_uniswap_v2 import UniswapV2, UniswapV2Config
from sep_venue_uniswap_v3 import UniswapV3, UniswapV3Config

from sep_core.chains.access import ChainAccess
from sep_core.chains.native import NativeAbi, VenueLogs
from sep_core.chains.rpc import open_http_rpc
from sep_core.events.codec import encode
from sep_core.events.values import value_codec
from sep_core.execution import ReceiptReader, transfers_of
from sep_core.execution.fills import exchanged
from sep_core.markets.board import MarketBoard
from sep_core.markets.board_venue import BoardVenue
from sep_core.markets.snapshot_data import SnapshotData
from sep_core.planning import Planned, Planner, PlanRefused, PlanRequest, Progress, Venues
from sep_core.planning.digest import named
from sep_core.planning.prices import value_of
from sep_core.planning.request import Sliced
from sep_core.runtime.snapshots import ChainTerms, merged
from sep_core.runtime.stored_plan_check import check_stored_plan

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = [pytest.mark.anyio, pytest.mark.anvil]

CHAIN = evm_chain(1)
ETHER, DOLLAR = 10**18, 10**6
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = timedelta(hours=2)

type AnyVenue = VenueAdapter[Any]


@dataclass
class Books:
    held: dict[AssetId, int] = field(default_factory=dict)

    def holding(self, account: str, strategy: str, asset: AssetId) -> Amount:
        return Amount(self.held.get(asset, 0 if self.held else 10**40))


@dataclass
class World:
    """A planner over the contracts of the local node, and an account that does by hand what its plans say."""

    testnet: Testnet
    chain: ChainAccess
    venues: dict[str, AnyVenue]
    board: MarketBoard
    owner: Address
    executor: Address | None = None
    sequence: int = 0
    single_hop: Sequence[str] = ("curve",)
    books: Books = field(default_factory=Books)

    @property
    def assets(self) -> dict[str, Asset]:
        decimals = {"WETH": 18, "USDC": 6, "DAI": 18, "WBTC": 8}
        return {
            symbol: Asset(erc20(1, place), symbol, decimals[symbol])
            for symbol, place in self.testnet.deployment.tokens.items()
        }

    def planner(self) -> Planner:
        return Planner(
            {CHAIN: self.chain},
            self.board,
            Venues(self.venues, single_hop=self.single_hop, undated=["curve"]),
            self.books,
            {CHAIN: partial(transfers_of, CHAIN)},
            FakeClock(NOW),
            numeraire=self.assets["USDC"].id,
        )

    async def look(self) -> None:
        """Reads all markets at the latest block."""
        self.sequence += 1
        if self.sequence == 1:
            await self.board.discover(CHAIN)
        await self.board.load(CHAIN, await self.chain.head(), self.sequence)

    def request(
        self,
        kind: IntentType,
        asset: str,
        amount: int,
        other: str,
        *,
        slippage: str = "0.05",
        attempt: int = 1,
        progress: Progress | None = None,
        venues: Sequence[str] = (),
    ) -> PlanRequest:
        constraints = Constraints(Decimal(slippage), 300_000, ExecutionStyle.IMMEDIATE, venues=tuple(venues))
        wanted = IntentAsset(self.assets[asset], Amount(amount))
        intent = Intent(IntentId(UUID(int=7)), UUID(int=7), "s", "main", kind, (wanted,), constraints)
        return PlanRequest(
            intent,
            self.owner,
            "main",
            (self.assets[other].id,),
            NOW + WINDOW,
            attempt,
            (),
            self.executor,
            progress,
        )

    async def plan(self, request: PlanRequest) -> Plan:
        await self.look()
        answer: Planned | Sliced | PlanRefused = await self.planner().plan(request)
        assert isinstance(answer, Planned), answer
        found = check_stored_plan(document_of(answer.plan), "it", self.snapshot_data(), self.owner)
        assert not found.differences
        assert found.covered is not None, found.notes
        return answer.plan

    def snapshot_data(self) -> SnapshotData:
        """The markets as they stand, as a file of them would say."""
        snapshot = self.board.snapshot(CHAIN)
        known = {asset.id: asset for asset in self.assets.values()}
        traded = {one for market in snapshot.markets.values() for one in market.assets}
        assets = {one: known.get(one, Asset(one, "X", 18)) for one in traded}
        return merged({CHAIN: snapshot}, assets, {CHAIN: ChainTerms(None, None)})

    def deploy_executor(self) -> None:
        made = contract()
        self.testnet.send(self.testnet.accounts[7].address, FACTORY, made.deployment(self.owner))
        self.executor = made.address(self.owner)

    def run(self, step: Step) -> tuple[ChainLog, ...]:
        """Sends one step as the owner. Raises `TransactionReverted`."""
        receipt = self.testnet.send(self.owner, step.call.to, step.call.data, gas=step.gas_limit)
        logs: Any = receipt["logs"]
        return tuple(
            ChainLog(
                address(one["address"]),
                tuple(bytes.fromhex(topic[2:]) for topic in one["topics"]),
                bytes.fromhex(one["data"][2:]),
                one["transactionHash"],
                place,
            )
            for place, one in enumerate(logs)
        )

    def balance(self, asset: AssetId, of: Address | None = None) -> int:
        return self.testnet.balance_of(token_address(asset), of or self.owner)

    def allowances(self, plan: Plan) -> list[int]:
        """What is still allowed to whoever the plan allowed something to."""
        left = []
        for step in plan.steps:
            if step.spender is not None and step.token is not None:
                (amount,) = self.testnet.read(
                    token_address(step.token),
                    "allowance(address,address)",
                    ("uint256",),
                    self.owner,
                    step.spender,
                )
                left.append(int(str(amount)))
        return left


def document_of(plan: Plan) -> object:
    return json.loads(encode(value_codec(Plan)[0](plan)))


@pytest.fixture
async def world(testnet: Testnet) -> AsyncIterator[World]:
    async with open_http_rpc([testnet.url], chain_id=1) as rpc:
        clock, log = FakeClock(), FakeLog()
        table = EthereumConfig.model_validate({"rpc": [testnet.url]})
        chain = ChainAccess(Ethereum(table, PluginContext("ethereum", clock, log)).preset(), rpc)

        def context(instance: str) -> VenueContext:
            return VenueContext(instance, clock, log, rpc, NativeAbi(), 1)

        place = testnet.deployment
        pairs = [[place.weth, place.usdc], [place.dai, place.usdc]]
        v2 = {"factory": place.v2_factory, "router": place.v2_router, "pairs": pairs}
        v3 = {
            "factory": place.v3_factory,
            "router": place.swap_router_02,
            "quoter": place.quoter_v2,
            "tick_lens": place.tick_lens,
            "pairs": pairs,
        }
        balancer = {
            "vault": place.balancer_vault,
            "queries": place.balancer_queries,
            "pools": [pool.pool_id for pool in place.balancer_pools],
        }
        curve = {"pools": [pool.address for pool in place.stable_pools]}
        venues: dict[str, AnyVenue] = {
            "v2": UniswapV2(UniswapV2Config.model_validate(v2), context("v2")),
            "v3": UniswapV3(UniswapV3Config.model_validate(v3), context("v3")),
            "balancer": Balancer(BalancerConfig.model_validate(balancer), context("balancer")),
            "curve": Curve(CurveConfig.model_validate(curve), context("curve")),
        }
        board = MarketBoard(
            [BoardVenue(name, one, VenueLogs(type(one).event_signatures)) for name, one in venues.items()]
        )
        owner = address(testnet.accounts[4].address.lower())
        yield World(testnet, chain, venues, board, owner)


def fund(world: World, symbol: str, amount: int) -> None:
    world.testnet.mint(world.testnet.deployment.tokens[symbol], world.owner, amount)


def seeded() -> random.Random:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    return random.Random(seed)


async def test_a_split_over_all_venues_is_one_transaction_to_the_wei(world: World) -> None:
    """Ether for DAI: through V2, V3 and the weighted pool, then through pools of dollars, in one bundle."""
    draw = seeded()
    amount = draw.randrange(400 * ETHER, 600 * ETHER)
    fund(world, "WETH", amount)
    world.deploy_executor()
    plan = await world.plan(world.request(IntentType.DISPOSE, "WETH", amount, "DAI", slippage="0.5"))
    assert plan.mode is PlanMode.BUNDLE, (
        plan.mode_reason,
        "\n".join(f"{o.name}: {o.reason}" for o in plan.left_out),
    )
    assert set(plan.venues) == {"v2", "v3", "balancer", "curve"}, plan.venues
    print(plan.mode_reason)
    for leg in plan.legs:
        print(f"  {leg.market}: {leg.amount_in} -> {leg.amount_out}")
    assert plan.certificate is not None
    single = plan.certificate.single_path
    assert single is not None
    assert plan.expected_out > single.amount_out
    gap = float.fromhex(plan.certificate.gap_before_gas)
    print(f"gap before gas {gap * 1e4:.6f} bp, {plan.expected_out / single.amount_out - 1:.4%} over one path")
    falsified(world, plan)
    await realise(world, plan)


def falsified(world: World, plan: Plan) -> None:
    """A bundle that is not what its plan says is found, whatever its digest says."""
    thief = Address("0x" + "66" * 20)
    at, step = next((at, one) for at, one in enumerate(plan.steps) if one.bundle is not None)
    assert step.bundle is not None
    bundle, (first, *others) = step.bundle, step.bundle.trades
    (least,) = bundle.receives
    cheap = (replace(least, limit=Amount(1)),)
    paying = replace(first, order=replace(first.order, recipient=thief))
    data = step.call.data
    for change in (
        replace(step, bundle=replace(bundle, executor=thief)),
        replace(step, bundle=replace(bundle, receives=cheap)),
        replace(step, bundle=replace(bundle, trades=(paying, *others))),
        replace(step, bundle=replace(bundle, trades=tuple(others))),
        replace(step, bundle=replace(bundle, deadline=bundle.deadline + 1)),
        replace(step, call=replace(step.call, to=thief)),
        replace(step, call=replace(step.call, data=data[:4])),
        replace(
            step,
            call=replace(step.call, data=data.replace(int(least.limit).to_bytes(32), (1).to_bytes(32))),
        ),
    ):
        false = named(replace(plan, steps=(*plan.steps[:at], change, *plan.steps[at + 1 :])))
        found = check_stored_plan(document_of(false), "it", world.snapshot_data(), world.owner).differences
        assert any(one.pointer.startswith((f"/plan/steps/{at}", "/plan/legs")) for one in found), found


@pytest.mark.parametrize("fault", ["lies", "raises"])
async def test_a_venue_that_lies_or_fails_is_left_out_of_the_split(
    world: World, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = seeded()
    amount = draw.randrange(400 * ETHER, 600 * ETHER)
    fund(world, "WETH", amount)
    world.deploy_executor()
    name = draw.choice(["v2", "balancer", "curve"])
    honest = world.venues[name].quoted_amount

    def quoted(order: SwapOrder, output: bytes) -> Amount:
        if fault == "raises":
            raise RuntimeError("boom")
        return Amount(honest(order, output) + 1)

    monkeypatch.setattr(world.venues[name], "quoted_amount", quoted)
    plan = await world.plan(world.request(IntentType.DISPOSE, "WETH", amount, "DAI", slippage="0.5"))
    print(name, plan.mode_reason)
    assert plan.mode is PlanMode.BUNDLE, plan.mode_reason
    assert set(plan.venues) == {"v2", "v3", "balancer", "curve"} - {name}
    assert name in {one.name for one in plan.left_out}
    await realise(world, plan)


async def realise(world: World, plan: Plan) -> None:
    """Runs the steps and holds them to the prediction."""
    before = {flow.asset: world.balance(flow.asset) for flow in (*plan.spends, *plan.receives)}
    reader = ReceiptReader(
        CHAIN,
        lambda name, order, logs: world.venues[name].fills(
            order, VenueLogs(type(world.venues[name]).event_signatures).decode(logs)
        ),
    )
    for step in plan.steps:
        logs = world.run(step)
        if not step.exchanges:
            continue
        spent, received = exchanged(step, world.owner, transfers_of(CHAIN, logs))
        assert spent == [flow.expected for flow in plan.spends]
        assert received == [flow.expected for flow in plan.receives]
        passes = reader.passes(step, logs)
        assert [(one.market, one.amount_in, one.amount_out) for one in passes] == [
            (leg.market, leg.amount_in, leg.amount_out) for leg in step.legs
        ]
    for flow in plan.spends:
        assert before[flow.asset] - world.balance(flow.asset) == flow.expected
    for flow in plan.receives:
        assert world.balance(flow.asset) - before[flow.asset] == flow.expected
    assert not any(world.allowances(plan))
    if world.executor is not None:
        for asset in world.assets.values():
            assert world.balance(asset.id, world.executor) == 0


async def test_one_failing_leg_rolls_all_back(world: World) -> None:
    draw = seeded()
    amount = draw.randrange(400 * ETHER, 600 * ETHER)
    fund(world, "WETH", amount)
    world.deploy_executor()
    plan = await world.plan(world.request(IntentType.DISPOSE, "WETH", amount, "DAI", slippage="0.5"))
    assert plan.mode is PlanMode.BUNDLE, (plan.mode_reason, plan.left_out)
    bundle = next(step for step in plan.steps if step.kind is StepKind.BUNDLE)
    assert bundle.bundle is not None
    assert len(bundle.trades) > 2
    for step in plan.steps[: plan.steps.index(bundle)]:
        world.run(step)
    weth = world.assets["WETH"].id
    # One of the venues stops working: its router, or the pool itself, has no code that runs any more.
    order = draw.choice(bundle.trades)
    place = world.venues[order.venue].swap_call(order.order).to
    print(f"{order.venue} stops working")
    world.testnet.rpc.call("anvil_setCode", place, "0xfe")
    with pytest.raises(TransactionReverted):
        world.run(bundle)
    assert world.balance(weth) == amount
    assert world.executor is not None
    for asset in world.assets.values():
        assert world.balance(asset.id, world.executor) == 0
    for step in plan.steps[plan.steps.index(bundle) + 1 :]:
        world.run(step)
    assert not any(world.allowances(plan)), "the allowance is taken back though the bundle failed"


async def test_weights_are_reached_by_one_bundle(world: World) -> None:
    """Two assets are sold, two are bought, in one transaction; what is held then has its weights."""
    draw = seeded()
    fund(world, "WETH", draw.randrange(30 * ETHER, 50 * ETHER))
    fund(world, "DAI", draw.randrange(90_000, 150_000) * ETHER)
    world.deploy_executor()
    assets = world.assets

    def look() -> None:
        world.books.held = {one.id: world.balance(one.id) for one in assets.values()}

    look()
    weights = {"WETH": "0.25", "DAI": "0.25", "USDC": "0.4", "WBTC": "0.1"}
    parts = tuple(IntentAsset(assets[name], None, Decimal(weight)) for name, weight in weights.items())
    plain = world.request(IntentType.DISPOSE, "WETH", 1, "USDC")
    constraints = Constraints(Decimal("0.1"), 300_000, ExecutionStyle.IMMEDIATE)
    intent = replace(plain.intent, type=IntentType.REBALANCE, assets=parts, constraints=constraints)
    plan = await world.plan(replace(plain, intent=intent))
    assert plan.mode is PlanMode.BUNDLE, plan.mode_reason
    assert len(plan.receives) == 2, plan.receives
    print([(flow.asset[-6:], flow.expected) for flow in (*plan.spends, *plan.receives)])
    other_weights(world, plan)
    await realise(world, plan)
    look()
    await world.look()
    network = world.board.snapshot(CHAIN).network
    dollars = assets["USDC"].id
    worth = {
        name: value_of(network, one.id, world.books.held[one.id], dollars) or 0
        for name, one in assets.items()
    }
    whole = sum(worth.values())
    for name, weight in weights.items():
        assert abs(worth[name] / whole - float(weight)) < 0.03, (name, worth[name] / whole)


def other_weights(world: World, plan: Plan) -> None:
    """A proof of a rebalance holds for what was held, for its weights and for its prices, and for no others."""
    proof = plan.certificate
    assert proof is not None
    assert len(proof.weights) == 4
    first, second, *others = proof.weights
    for one, two in (
        (replace(first, held=Amount(first.held // 2)), second),
        (
            replace(first, weight=Amount(first.weight // 2)),
            replace(second, weight=Amount(second.weight + first.weight - first.weight // 2)),
        ),
        (replace(first, price=(Amount(first.price[0] * 2), first.price[1])), second),
    ):
        false = named(replace(plan, certificate=replace(proof, weights=(one, two, *others))))
        found = check_stored_plan(document_of(false), "it", world.snapshot_data(), world.owner)
        assert [one.pointer for one in found.differences] != [], (one, two)


async def test_exact_out_as_a_bundle_buys_exactly_that(world: World) -> None:
    draw = seeded()
    wanted = draw.randrange(150 * ETHER, 300 * ETHER)
    fund(world, "USDC", 10**7 * DOLLAR)
    world.deploy_executor()
    plan = await world.plan(world.request(IntentType.ACQUIRE, "WETH", wanted, "USDC", slippage="0.5"))
    assert plan.mode is PlanMode.BUNDLE, (
        plan.mode_reason,
        "\n".join(f"{o.name}: {o.reason}" for o in plan.left_out),
    )
    assert plan.expected_out == plan.limit_out == wanted
    assert plan.limit_in > plan.expected_in
    await realise(world, plan)


def disturbed(world: World, draw: random.Random) -> str:
    """Somebody else sells ether where the plan's next leg would go."""
    stranger = world.testnet.accounts[6].address
    place = world.testnet.deployment
    amount = draw.randrange(5 * ETHER, 20 * ETHER)
    world.testnet.mint(place.weth, stranger, amount)
    world.testnet.execute(stranger, place.weth, "approve(address,uint256)", place.v2_router, amount)
    world.testnet.execute(
        stranger,
        place.v2_router,
        "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
        amount,
        0,
        [place.weth, place.usdc],
        stranger,
        2**40,
    )
    return f"{amount / ETHER:.1f} ether sold in V2"


async def test_a_call_without_a_deadline_is_dated_by_the_executor(world: World) -> None:
    fund(world, "DAI", 1_000 * ETHER)
    request = world.request(IntentType.DISPOSE, "DAI", 1_000 * ETHER, "USDC", venues=["curve"])
    plan = await world.plan(request)
    assert plan.mode is PlanMode.ONE_CALL
    assert "no deadline" in plan.mode_reason
    world.deploy_executor()
    plan = await world.plan(replace(request, executor=world.executor))
    assert plan.mode is PlanMode.BUNDLE, plan.mode_reason
    (bundle,) = [step for step in plan.steps if step.exchanges]
    assert bundle.deadline is not None
    await realise(world, plan)


async def test_several_transactions_must_be_final_in_time(world: World) -> None:
    """Finality of each before the next takes longer than the intent has: one transaction then, at whatever price."""
    amount = 500 * ETHER
    fund(world, "WETH", amount)
    request = world.request(IntentType.DISPOSE, "WETH", amount, "USDC", slippage="0.9")
    assert (await world.plan(request)).mode is PlanMode.SEQUENCE
    plan = await world.plan(replace(request, deadline=NOW + timedelta(seconds=20)))
    assert plan.mode is PlanMode.ONE_CALL
    assert any("final before the next" in one.reason for one in plan.left_out)


def progressed(plan: Plan, first: tuple[Any, Any], moved: Sequence[tuple[AssetId, int]]) -> Progress:
    spends, receives = first
    return Progress(spends, receives, tuple(moved), frozenset(leg.market for leg in plan.legs))  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", ["USDC", "DAI"])
async def test_several_transactions_plan_the_rest_anew_within_the_limit(world: World, wanted: str) -> None:
    """Without an executor: one transaction after another, the market moved between them."""
    draw = seeded()
    amount = draw.randrange(400 * ETHER, 600 * ETHER)
    fund(world, "WETH", amount)
    request = world.request(IntentType.DISPOSE, "WETH", amount, wanted, slippage="0.3")
    plan = await world.plan(request)
    assert plan.mode is PlanMode.SEQUENCE, plan.mode_reason
    assert plan.whole is not None
    whole = plan.whole
    assert whole[0].expected == amount
    moved: list[tuple[AssetId, int]] = []
    for attempt in range(2, 20):
        await realise(world, plan)
        for step in plan.steps:
            if step.exchanges:
                moved += [(plan.asset_in, -plan.expected_in), (plan.asset_out, int(plan.expected_out))]
        if not plan.later:
            break
        if attempt == 2:
            print(disturbed(world, draw))
        progress = progressed(plan, whole, moved)
        plan = await world.plan(
            world.request(
                IntentType.DISPOSE,
                "WETH",
                amount,
                wanted,
                slippage="0.3",
                attempt=attempt,
                progress=progress,
            )
        )
        assert plan.whole == whole or not plan.later
    assert world.balance(world.assets["WETH"].id) == 0
    got = world.balance(whole[1].asset)
    print(f"{attempt - 1} transactions, {got} of at least {whole[1].limit}")
    assert got >= whole[1].limit
    assert sum(world.balance(one.id) > 0 for one in world.assets.values()) == 1, "nothing is left on the way"


async def tightest(world: World, amount: int) -> tuple[Plan, str]:
    """The plan under the smallest slippage that lets it pass."""
    await world.look()
    for hundredths in range(1, 60):
        slippage = f"0.{hundredths:02}"
        answer = await world.planner().plan(
            world.request(IntentType.DISPOSE, "WETH", amount, "USDC", slippage=slippage)
        )
        if isinstance(answer, Planned):
            return answer.plan, slippage
    raise AssertionError("no slippage lets it pass")


async def test_a_market_that_moves_too_far_between_two_transactions_stops_the_rest(world: World) -> None:
    amount = 300 * ETHER
    fund(world, "WETH", amount)
    plan, slippage = await tightest(world, amount)
    print(f"slippage {slippage}")
    assert plan.mode is PlanMode.SEQUENCE
    assert plan.whole is not None
    await realise(world, plan)
    stranger, place = world.testnet.accounts[6].address, world.testnet.deployment
    world.testnet.mint(place.weth, stranger, 3_000 * ETHER)
    for router in (place.v2_router, place.swap_router_02):
        world.testnet.execute(stranger, place.weth, "approve(address,uint256)", router, 2**255)
    in_v2 = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
    in_v3 = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
    world.testnet.execute(
        stranger, place.v2_router, in_v2, 500 * ETHER, 0, [place.weth, place.usdc], stranger, 2**40
    )
    for fee in (500, 3000):
        world.testnet.execute(
            stranger,
            place.swap_router_02,
            in_v3,
            (place.weth, place.usdc, fee, stranger, 1_000 * ETHER, 0, 0),
        )
    moved = [(plan.asset_in, -plan.expected_in), (plan.asset_out, int(plan.expected_out))]
    assert plan.expected_out < plan.whole[1].limit
    await world.look()
    request = world.request(
        IntentType.DISPOSE,
        "WETH",
        amount,
        "USDC",
        slippage=slippage,
        attempt=2,
        progress=progressed(plan, plan.whole, moved),
    )
    answer = await world.planner().plan(request)
    assert isinstance(answer, PlanRefused), answer
    assert answer.code == "slippage_exceeded"
    assert answer.retryable, "the market may come back before the deadline"
