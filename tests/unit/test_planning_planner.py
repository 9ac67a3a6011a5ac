"""The planner on a small chain in memory, with the real router and venues that speak a calldata of their own."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, cast
from uuid import UUID

import pytest
from sep_hooks.chain import ChainPreset, Finality
from sep_hooks.config import PluginConfig
from sep_hooks.context import VenueContext
from sep_hooks.errors import CallReverted, SepError
from sep_hooks.types import (
    Address,
    Amount,
    Asset,
    AssetId,
    Block,
    BlockRef,
    Call,
    CallResult,
    ChainLog,
    ChainRef,
    Constraints,
    DecodedLog,
    ExecutionStyle,
    FeeSuggestion,
    Intent,
    IntentAsset,
    IntentId,
    IntentType,
    LeftOut,
    LiquidityFamily,
    Market,
    MarketId,
    MarketState,
    Plan,
    SnapshotRef,
    StepKind,
    SwapFill,
    SwapOrder,
    erc20,
    native_asset,
    token_address,
)
from sep_hooks.venue import VenueAdapter
from sep_native.amm import ConstantProduct
from sep_native.route import Network, PathProblem

from sep_core.events.facts import Transfer
from sep_core.planning import (
    Planned,
    Planner,
    PlanRefused,
    PlanRequest,
    Reference,
    Sliced,
    Venues,
)
from sep_core.planning.digest import plan_digest

pytestmark = pytest.mark.anyio

CHAIN = ChainRef("eip155:1")
WETH, USDC, DAI = (erc20(1, "0x" + digit * 40) for digit in "abc")
OWNER, ROUTER, THIEF = (Address("0x" + digit * 40) for digit in "123")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ETHER, DOLLAR = 10**18, 10**6
UNLIMITED = 2**256 - 1
APPROVE = bytes.fromhex("095ea7b3")

type Pools = Mapping[str, tuple[str, AssetId, AssetId, int, int]]

POOLS: Pools = {
    "one/weth-usdc": ("one", WETH, USDC, 1_000 * ETHER, 3_000_000 * DOLLAR),
    "two/weth-usdc": ("two", WETH, USDC, 500 * ETHER, 1_490_000 * DOLLAR),
    "two/weth-dai": ("two", WETH, DAI, 10 * ETHER, 30_000 * ETHER),
}


def network_of(pools: Pools, venue: str | None = None) -> Network:
    network = Network()
    for name, (of, asset0, asset1, reserve0, reserve1) in pools.items():
        if venue in (None, of):
            pool = ConstantProduct(reserve0, reserve1, 3_000)
            network.set(name, (asset0, asset1), pool, 100_000)
    return network


@dataclass
class Snapshot:
    ref: SnapshotRef
    block: Block
    network: Network
    networks: Mapping[str, Network]
    markets: Mapping[MarketId, Market]
    left_out: tuple[LeftOut, ...]


def snapshot_of(pools: Pools, block: Block) -> Snapshot:
    markets = {
        MarketId(name): Market(
            MarketId(name),
            of,
            CHAIN,
            LiquidityFamily.CONSTANT_PRODUCT,
            ROUTER,
            (asset0, asset1),
            3_000,
            100_000,
        )
        for name, (of, asset0, asset1, _, _) in pools.items()
    }
    venues = {of for of, *_ in pools.values()}
    return Snapshot(
        SnapshotRef("0xd1", block.ref, block.timestamp, len(markets)),
        block,
        network_of(pools),
        {venue: network_of(pools, venue) for venue in venues},
        markets,
        (LeftOut("three/pool", "it cannot be read"),),
    )


@dataclass
class Board:
    taken: Snapshot

    def snapshot(self, chain: ChainRef, head_timestamp: int | None = None) -> Snapshot:
        return self.taken

    async def widen(self, chain: ChainRef, markets: Sequence[MarketId]) -> None:
        raise AssertionError("nothing here has ticks")


def block(number: int) -> Block:
    return Block(number, f"0xb{number}", f"0xb{number - 1}", 1_700_000_000 + 12 * number, 10**9, 30_000_000)


@dataclass
class Tokens:
    balances: dict[tuple[AssetId, str], int] = field(default_factory=dict)
    allowances: dict[tuple[AssetId, str, str], int] = field(default_factory=dict)

    def copy(self) -> "Tokens":
        return Tokens(dict(self.balances), dict(self.allowances))


class SmallChain:
    """Tokens, a router and a quoter that run on the same pools as the snapshot, unless told otherwise."""

    def __init__(self, pools: Pools) -> None:
        self.preset = ChainPreset(
            "ethereum", "ethereum", 1, True, 12, Finality("finalized"), 2**24, 1, token_address(WETH), ()
        )
        self.tip = block(10)
        self.pools: dict[str, Pools] = {self.tip.hash: pools}
        self.tokens = Tokens()
        for asset in (WETH, USDC, DAI):
            self.tokens.balances[(asset, OWNER)] = 10**40
            self.tokens.balances[(asset, ROUTER)] = 10**40
        self.native = 10 * ETHER
        self.must_reset: set[AssetId] = set()
        self.takes_a_cut: set[AssetId] = set()
        self.gas = 90_000

    async def head(self) -> Block:
        return self.tip

    async def final_block(self) -> Block:
        return self.tip

    async def fees(self) -> FeeSuggestion:
        return FeeSuggestion(10**9, 10**9, 3 * 10**9, 10**8)

    async def balances(
        self, owner: Address, assets: Sequence[AssetId], at: BlockRef | None = None
    ) -> Mapping[AssetId, Amount]:
        native = native_asset(1)
        return {
            asset: Amount(self.native if asset == native else self.tokens.balances.get((asset, owner), 0))
            for asset in assets
        }

    async def allowance(
        self, asset: AssetId, owner: Address, spender: Address, at: BlockRef | None = None
    ) -> Amount:
        return Amount(self.tokens.allowances.get((asset, owner, spender), 0))

    async def call(self, call: Call, sender: Address | None = None, at: BlockRef | None = None) -> bytes:
        assert at is not None
        body = json.loads(call.data)
        try:
            solution = self._solve(body, self.pools[at.hash])
        except SepError as error:
            raise CallReverted(str(error)) from error
        return (solution[1] if body["exact_in"] else solution[0]).to_bytes(32)

    def _solve(self, body: Mapping[str, object], pools: Pools) -> tuple[int, int]:
        legs = cast(list[str], body["markets"])
        inside = {name: pool for name, pool in pools.items() if name in legs}
        problem = PathProblem(
            str(body["out"]), int(str(body["amount"])), bool(body["exact_in"]), [str(body["in"])]
        )
        solution = network_of(inside).best_path(problem)
        return solution.amount_in, solution.amount_out

    async def simulate(self, calls: Sequence[Call], sender: Address) -> Sequence[CallResult]:
        tokens = self.tokens.copy()
        return [self._run(call, sender, tokens) for call in calls]

    def _run(self, call: Call, sender: Address, tokens: Tokens) -> CallResult:
        if call.data[:4] == APPROVE:
            asset = erc20(1, call.to)
            spender, amount = "0x" + call.data[16:36].hex(), int.from_bytes(call.data[36:68])
            key = (asset, str(sender), spender)
            if asset in self.must_reset and amount and tokens.allowances.get(key):
                return CallResult(False, b"", 30_000, (), "approve from non-zero")
            tokens.allowances[key] = amount
            return CallResult(True, (1).to_bytes(32), 46_000, ())
        body = json.loads(call.data)
        spent, got = self._solve(body, self.pools[self.tip.hash])
        key = (AssetId(body["in"]), str(sender), str(ROUTER))
        if tokens.allowances.get(key, 0) < spent or tokens.balances[(AssetId(body["in"]), sender)] < spent:
            return CallResult(False, b"", 40_000, (), "transfer from failed")
        if spent > int(body["limit_in"]) or got < int(body["limit_out"]):
            return CallResult(False, b"", 40_000, (), "limit")
        tokens.allowances[key] -= spent
        wanted = AssetId(body["out"])
        arrives = got * 99 // 100 if wanted in self.takes_a_cut else got
        return CallResult(
            True,
            b"",
            self.gas,
            (
                transfer_log(AssetId(body["in"]), sender, ROUTER, spent),
                transfer_log(wanted, ROUTER, Address(body["to"]), arrives),
            ),
        )


def transfer_log(asset: AssetId, sender: Address, recipient: Address, amount: int) -> ChainLog:
    return ChainLog(token_address(asset), (sender.encode(), recipient.encode()), amount.to_bytes(32), "", 0)


def transfers(logs: Sequence[ChainLog]) -> Sequence[Transfer]:
    return [
        Transfer(
            erc20(1, log.address),
            Address(log.topics[0].decode()),
            Address(log.topics[1].decode()),
            Amount(int.from_bytes(log.data)),
            log.ordinal,
        )
        for log in logs
    ]


class SmallVenue(VenueAdapter[PluginConfig]):
    """Speaks JSON to the small chain."""

    Config: ClassVar[type[PluginConfig]] = PluginConfig
    event_signatures: ClassVar[tuple[str, ...]] = ()
    recipient: Address | None = None
    fault: str = ""

    def __init__(self) -> None:
        super().__init__(PluginConfig(), cast(VenueContext, None))

    async def markets(self) -> Sequence[Market]:
        return ()

    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        return ()

    def apply(self, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState:
        return state

    def spender(self, order: SwapOrder) -> Address:
        if self.fault == "spender":
            raise RuntimeError("boom")
        return ROUTER

    def swap_call(self, order: SwapOrder) -> Call:
        return Call(ROUTER, self._data(order))

    def quote_call(self, order: SwapOrder) -> Call:
        return Call(ROUTER, self._data(order))

    def quoted_amount(self, order: SwapOrder, output: bytes) -> Amount:
        answer = int.from_bytes(output)
        if self.fault == "type":
            return cast(Amount, str(answer))
        return Amount(answer + (1 if self.fault == "quote" else 0))

    def fills(self, order: SwapOrder, logs: Sequence[DecodedLog]) -> Sequence[SwapFill]:
        return ()

    def _data(self, order: SwapOrder) -> bytes:
        return json.dumps(
            {
                "markets": [leg.market for leg in order.legs],
                "in": order.asset_in,
                "out": order.asset_out,
                "exact_in": order.exact_in,
                "amount": str(order.amount_in if order.exact_in else order.amount_out),
                "limit_in": str(order.amount_in),
                "limit_out": str(order.amount_out),
                "to": self.recipient or order.recipient,
                "deadline": order.deadline,
            }
        ).encode()


class Books:
    def __init__(self) -> None:
        self.held: dict[AssetId, int] = {}

    def holding(self, account: str, strategy: str, asset: AssetId) -> Amount:
        return Amount(self.held.get(asset, 10**40))


class StandingClock:
    def now(self) -> datetime:
        return NOW


class World:
    def __init__(self, pools: Pools = POOLS) -> None:
        self.chain = SmallChain(pools)
        self.board = Board(snapshot_of(pools, self.chain.tip))
        self.venues = {"one": SmallVenue(), "two": SmallVenue()}
        self.books = Books()
        self.paper = False

    @property
    def planner(self) -> Planner:
        return Planner(
            {CHAIN: self.chain},
            self.board,
            Venues(self.venues),
            self.books,
            {CHAIN: transfers},
            StandingClock(),
            numeraire=USDC,
            paper=self.paper,
        )

    async def plan(self, request: PlanRequest) -> Plan:
        answer = await self.planner.plan(request)
        assert isinstance(answer, Planned), answer
        return answer.plan

    async def refused(self, request: PlanRequest) -> PlanRefused:
        answer = await self.planner.plan(request)
        assert isinstance(answer, PlanRefused), answer
        return answer


def request(
    kind: IntentType = IntentType.ACQUIRE,
    amount: int | None = ETHER // 10,
    *,
    slippage: str = "0.005",
    style: ExecutionStyle = ExecutionStyle.IMMEDIATE,
    funding: tuple[AssetId, ...] = (USDC,),
    percentage: str | None = None,
    seconds: float = 60,
    change: Callable[[Constraints], Constraints] = lambda one: one,
) -> PlanRequest:
    constraints = change(Constraints(Decimal(slippage), 60_000, style))
    share = Decimal(percentage) if percentage is not None else None
    wanted = IntentAsset(Asset(WETH, "WETH", 18), Amount(amount) if amount is not None else None, share)
    intent = Intent(IntentId(UUID(int=1)), UUID(int=2), "s", "main", kind, (wanted,), constraints)
    return PlanRequest(intent, OWNER, "main", funding, NOW + timedelta(seconds=seconds), 2)


async def test_acquire_is_exact_out_at_the_best_venue_with_integer_limits() -> None:
    world = World()
    plan = await world.plan(request())
    best = world.board.taken.networks["two"].best_path(PathProblem(WETH, ETHER // 10, False, [USDC]))
    assert (plan.expected_in, plan.expected_out) == (best.amount_in, ETHER // 10)
    assert (plan.quoted_in, plan.limit_out) == (best.amount_in, ETHER // 10)
    marginal = Fraction(ETHER // 10) * Fraction(1_490_000 * DOLLAR, 500 * ETHER)
    allowed = Fraction(1005, 1000)
    assert plan.limit_in == min(marginal * allowed, best.amount_in * allowed) // 1
    assert plan.expected_in <= plan.limit_in
    assert Fraction(*plan.marginal) == Fraction(500 * ETHER, 1_490_000 * DOLLAR)
    assert [step.kind for step in plan.steps] == [StepKind.APPROVE, StepKind.SWAP, StepKind.APPROVE]
    assert [step.id for step in plan.steps] == ["2.1-approve", "2.2-swap", "2.3-revoke"]
    before, swap, after = plan.steps
    assert (before.allowance, after.allowance) == (plan.limit_in, 0)
    assert before.call.to == token_address(USDC)
    assert before.call.data == APPROVE + bytes(12) + bytes.fromhex(ROUTER[2:]) + plan.limit_in.to_bytes(32)
    assert swap.order is not None
    assert swap.order.deadline == world.chain.tip.timestamp + 60
    assert (swap.order.recipient, swap.order.amount_in) == (OWNER, plan.limit_in)
    assert [step.gas_limit for step in plan.steps] == [69_000, 135_000, 69_000]
    assert plan.gas_limit == 273_000
    assert plan.digest == plan_digest(plan) == (await world.plan(request())).digest
    more = replace(plan.spends[0], limit=Amount(plan.limit_in + 1))
    assert plan.digest != plan_digest(replace(plan, spends=(more,)))
    assert "simulated" in plan.method
    assert LeftOut("three/pool", "it cannot be read") in plan.left_out


async def test_dispose_is_exact_in_for_the_first_funding_asset() -> None:
    world = World()
    plan = await world.plan(request(IntentType.DISPOSE, funding=(WETH, USDC, DAI)))
    best = world.board.taken.networks["one"].best_path(PathProblem(USDC, ETHER // 10, True, [WETH]))
    assert (plan.expected_in, plan.expected_out, plan.asset_out) == (ETHER // 10, best.amount_out, USDC)
    marginal = Fraction(ETHER // 10) * Fraction(3_000_000 * DOLLAR, 1_000 * ETHER)
    least = max(marginal, Fraction(best.amount_out)) * Fraction(995, 1000)
    assert plan.limit_out == -(-least // 1)
    assert plan.limit_in == plan.expected_in


@pytest.mark.parametrize(
    ("kind", "amount", "share", "expected"),
    [
        (IntentType.DISPOSE, None, "0.25", ETHER // 4),
        (IntentType.DISPOSE, ETHER // 10, "1", ETHER // 10),
        (IntentType.DISPOSE, None, "1", ETHER),
    ],
)
async def test_a_share_is_of_the_holding_or_of_the_amount(
    kind: IntentType, amount: int | None, share: str, expected: int
) -> None:
    world = World()
    world.books.held[WETH] = ETHER
    plan = await world.plan(request(kind, amount, percentage=share))
    assert plan.expected_in == expected
    world.books.held[WETH] = 0
    assert (await world.refused(request(kind, None, percentage=share))).code == "nothing_to_do"


async def test_slippage_counts_fee_and_impact_against_the_marginal_price() -> None:
    world = World()
    refused = await world.refused(request(slippage="0.002"))
    assert (refused.code, refused.retryable) == ("slippage_exceeded", False)
    assert "limit is" in refused.reason
    assert (await world.refused(request(amount=40 * ETHER))).code == "slippage_exceeded"
    dear = await world.refused(request(IntentType.DISPOSE, 40 * ETHER))
    assert dear.code == "slippage_exceeded"


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        (UNLIMITED, ["2.1-swap"]),
        (10**15, ["2.1-swap", "2.2-revoke"]),
        (5, ["2.1-approve", "2.2-swap", "2.3-revoke"]),
    ],
)
async def test_an_allowance_that_suffices_is_used(allowed: int, names: list[str]) -> None:
    world = World()
    world.chain.tokens.allowances[(USDC, OWNER, ROUTER)] = allowed
    assert [step.id for step in (await world.plan(request())).steps] == names


async def test_a_token_that_demands_a_reset_gets_one() -> None:
    world = World()
    world.chain.must_reset = {USDC}
    world.chain.tokens.allowances[(USDC, OWNER, ROUTER)] = 5
    plan = await world.plan(request())
    assert [step.id for step in plan.steps] == ["2.1-revoke", "2.2-approve", "2.3-swap", "2.4-revoke"]
    assert [step.allowance for step in plan.steps] == [0, plan.limit_in, None, 0]


@pytest.mark.parametrize("fault", ["spender", "quote", "type"])
async def test_a_venue_that_fails_or_lies_leaves_the_candidates(fault: str) -> None:
    world = World()
    world.venues["two"].fault = fault
    plan = await world.plan(request())
    assert {step.venue for step in plan.steps} == {"one"}
    (reason,) = [one.reason for one in plan.left_out if one.name == "two"]
    assert {"spender": "boom", "quote": "quotes", "type": "answered"}[fault] in reason
    world.venues["one"].fault = fault
    assert (await world.refused(request())).retryable


async def test_output_that_goes_elsewhere_is_refused() -> None:
    world = World()
    world.venues["one"].recipient = world.venues["two"].recipient = THIEF
    refused = await world.refused(request())
    assert (refused.code, refused.retryable) == ("simulation_disagrees", False)
    assert "0 into it" in refused.reason


async def test_a_token_that_takes_a_cut_is_refused() -> None:
    world = World()
    world.chain.takes_a_cut = {WETH}
    assert (await world.refused(request())).code == "simulation_disagrees"


async def test_a_market_that_moved_is_another_try() -> None:
    world = World()
    moved = {
        name: (of, one, two, reserve0 * 999 // 1000, reserve1)
        for name, (of, one, two, reserve0, reserve1) in POOLS.items()
    }
    world.chain.tip = block(11)
    world.chain.pools[world.chain.tip.hash] = moved
    refused = await world.refused(request())
    assert refused.retryable
    assert refused.code in ("simulation_disagrees", "slippage_exceeded")


async def test_the_quote_at_the_head_is_the_second_reference() -> None:
    world = World()
    plan = await world.plan(request())
    world.chain.tip = block(11)
    world.chain.pools[world.chain.tip.hash] = POOLS
    later = await world.plan(request())
    assert later.limit_in == plan.limit_in
    assert later.snapshot.block.number == 10
    assert later.steps[1].order is not None
    assert later.steps[1].order.deadline == block(11).timestamp + 60


async def test_money_must_be_there_except_on_paper() -> None:
    world = World()
    world.chain.tokens.balances[(USDC, OWNER)] = 0
    assert (await world.refused(request())).code == "insufficient_funds"
    world.paper = True
    plan = await world.plan(request())
    assert "predicted" in plan.method
    world.books.held[USDC] = 100
    refused = await world.refused(request())
    assert refused.code == "insufficient_funds"
    assert "may spend 100" in refused.reason


async def test_the_limit_stays_within_the_books() -> None:
    world = World()
    plan = await world.plan(request())
    world.books.held[USDC] = plan.expected_in
    assert (await world.plan(request())).limit_in == plan.expected_in


async def test_gas_has_its_bounds() -> None:
    world = World()
    plan = await world.plan(request())
    refused = await world.refused(
        request(change=lambda one: replace(one, max_fee=Amount(plan.gas_cost_limit - 1)))
    )
    assert refused.code == "max_fee_exceeded"
    world.chain.native = plan.gas_cost_limit - 1
    assert (await world.refused(request())).code == "insufficient_gas_money"
    world.chain.gas = 2**24
    assert (await world.refused(request())).code == "gas_above_cap"


async def test_adaptive_is_whole_where_one_slice_is_best_and_cut_elsewhere() -> None:
    world = World()
    plan = await world.plan(request(style=ExecutionStyle.ADAPTIVE))
    assert plan.slices == 1
    assert plan.slices_reason.startswith("whole: one slice costs least")
    large = request(amount=20 * ETHER, slippage="0.5", style=ExecutionStyle.ADAPTIVE)
    sliced = await world.planner.plan(large)
    assert isinstance(sliced, Sliced)
    assert sliced.amount == 20 * ETHER
    assert sliced.count > 1
    assert f"{sliced.count} slices cost least" in sliced.reason
    assert "size 20000000000000000000" in sliced.reason


async def test_the_slippage_of_the_whole_is_measured_from_an_earlier_price_where_that_is_stricter() -> None:
    world = World()
    plan = await world.plan(request())
    received, spent = plan.marginal
    kept = replace(request(), references=(Reference(plan.asset_in, plan.asset_out, spent, received),))
    assert (await world.plan(kept)).limit_in == plan.limit_in
    # The market is now 0.1 % dearer than at the reference: the limit stays where the reference puts it.
    nearer = Reference(plan.asset_in, plan.asset_out, Amount(spent * 1000), Amount(received * 1001))
    bound = (await world.plan(replace(request(), references=(nearer,)))).limit_in
    assert plan.expected_in <= bound < plan.limit_in
    far = Reference(plan.asset_in, plan.asset_out, Amount(spent * 100), Amount(received * 102))
    refused = await world.refused(replace(request(), references=(far,)))
    assert refused.code == "slippage_exceeded"
    assert refused.retryable
    other = Reference(plan.asset_out, plan.asset_in, Amount(1), Amount(10**30))
    assert (await world.plan(replace(request(), references=(other,)))).limit_in == plan.limit_in


async def test_allow_lists_are_kept() -> None:
    world = World()
    only_one = request(change=lambda one: replace(one, venues=("one",)))
    assert {step.venue for step in (await world.plan(only_one)).steps} == {"one"}
    nowhere = request(change=lambda one: replace(one, venues=("three",)))
    assert (await world.refused(nowhere)).code == "no_route"
    elsewhere = request(change=lambda one: replace(one, chains=(ChainRef("eip155:10"),)))
    assert (await world.refused(elsewhere)).code == "chain_not_allowed"
    no_money = request(change=lambda one: replace(one, assets=(WETH, DAI)))
    assert (await world.refused(no_money)).code == "asset_not_allowed"


async def test_the_cheaper_of_several_funding_assets_pays() -> None:
    world = World()
    plan = await world.plan(request(amount=ETHER // 1000, funding=(DAI, USDC)))
    assert plan.asset_in == USDC
    world.books.held[USDC] = 0
    assert (await world.plan(request(amount=ETHER // 1000, funding=(DAI, USDC)))).asset_in == DAI


async def test_a_path_across_venues_is_named_and_not_taken() -> None:
    pools: Pools = {
        "one/weth-dai": ("one", WETH, DAI, 1_000 * ETHER, 3_000_000 * ETHER),
        "two/dai-usdc": ("two", DAI, USDC, 10**6 * ETHER, 10**6 * DOLLAR),
        "two/weth-usdc": ("two", WETH, USDC, ETHER, 3_100 * DOLLAR),
    }
    world = World(pools)
    # So much that two hops cost less than one, their gas included.
    plan = await world.plan(request(amount=ETHER // 100, slippage="0.02"))
    assert {step.venue for step in plan.steps} == {"two"}
    assert any(set(one.name.split(" + ")) == {"one", "two"} for one in plan.left_out)


async def test_prices_cover_all_money_that_may_leave() -> None:
    world = World()
    answer = await world.planner.plan(request())
    assert isinstance(answer, Planned)
    assert answer.prices is not None
    native = native_asset(1)
    assert {price.asset for price in answer.prices.prices} == {WETH, native}
    worth = answer.prices.value(native, answer.plan.gas_cost_limit)
    assert worth is not None
    assert worth == -(-answer.plan.gas_cost_limit * 3_000 * DOLLAR // ETHER)
    assert answer.prices.value(DAI, 1) is None
    assert answer.prices.value(USDC, 7) == 7


async def test_nothing_is_planned_after_the_deadline_or_without_a_way() -> None:
    world = World()
    assert (await world.refused(request(seconds=0.5))).code == "deadline_passed"
    assert (await world.refused(request(funding=(WETH,)))).code == "no_funding"
    assert (await world.refused(request(funding=(erc20(1, "0x" + "d" * 40),)))).code == "no_route"
    assert (await world.refused(request(IntentType.REBALANCE))).code == "unsupported_intent"


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("spender", "hello"),
        ("spender", "0x12"),
        ("spender", None),
        ("spender", 7),
        ("swap_call", "text"),
        ("swap_call", Call(Address("0xzz"), b"")),
        ("swap_call", Call(ROUTER, cast(bytes, "text"))),
        ("swap_call", Call(ROUTER, cast(bytes, None))),
        ("swap_call", Call(ROUTER, bytes(10**6))),
        ("swap_call", Call(ROUTER, b"", Amount(-1))),
        ("swap_call", Call(ROUTER, b"", cast(Amount, 1.5))),
        ("quote_call", Call(ROUTER, cast(bytes, None))),
        ("quoted_amount", -5),
        ("quoted_amount", 10**80),
        ("quoted_amount", True),
        ("quoted_amount", None),
    ],
)
async def test_an_answer_of_wrong_content_leaves_the_candidates(
    call: str, answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    monkeypatch.setattr(world.venues["two"], call, lambda *_: answer)
    plan = await world.plan(request())
    assert {step.venue for step in plan.steps} == {"one"}
    (reason,) = [one.reason for one in plan.left_out if one.name == "two"]
    assert reason.startswith(f"{call} failed: WrongAnswer: it")
    monkeypatch.setattr(world.venues["one"], call, lambda *_: answer)
    assert (await world.refused(request())).code == "venue_error"


async def test_what_a_venue_says_fits_into_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_a_book(order: SwapOrder) -> Call:
        raise RuntimeError("\ud800" + "x" * 10**6)

    world = World()
    monkeypatch.setattr(world.venues["two"], "quote_call", raise_a_book)
    crowd = tuple(LeftOut(f"three/{number}" * 500, "\ud800" * 9_000) for number in range(5_000))
    world.board.taken = replace(world.board.taken, left_out=crowd)
    plan = await world.plan(request())
    assert len(plan.left_out) <= 65
    assert all(len((one.name + one.reason).encode()) <= 1_000 for one in plan.left_out)


async def test_what_nobody_foresaw_is_a_refusal_of_this_intent(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(chain: ChainRef, head_timestamp: int | None = None) -> Snapshot:
        raise KeyError("no such market")

    world = World()
    monkeypatch.setattr(world.board, "snapshot", broken)
    refused = await world.refused(request())
    assert (refused.code, refused.retryable) == ("planning_failed", True)
    assert refused.reason == "planning broke with KeyError: 'no such market'; nothing was sent"
