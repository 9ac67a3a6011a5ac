"""Planner and lane worker together on the simulated chain: real router, real pools, real signatures."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from nacl.utils import random as random_bytes
from pydantic import SecretStr
from sep_hooks.context import PluginContext, SignerContext, VenueContext
from sep_hooks.types import (
    Amount,
    Asset,
    AssetId,
    Block,
    ChainLog,
    ChainUpdate,
    Constraints,
    ExecutionStyle,
    Intent,
    IntentAsset,
    IntentId,
    IntentType,
    Json,
    Plan,
    Step,
    SwapFill,
    SwapOrder,
    address,
    erc20,
    evm_chain,
)
from sep_native.sign import Keystore

from sep_core.adapters.signer_keystore import KeystoreConfig, KeystoreSigner
from sep_core.adapters.sim_chain import SimulatedChain, SimulatedChainConfig
from sep_core.adapters.sim_venue import SimulatedAmm, SimulatedAmmConfig
from sep_core.chains.access import ChainAccess
from sep_core.chains.native import NativeAbi, VenueLogs
from sep_core.events.vault import Vault
from sep_core.execution import (
    EntryStatus,
    ExecutionCommand,
    LaneKey,
    LaneState,
    LaneWorker,
    OpenAccount,
    PrepareRequest,
    ReceiptReader,
    RecordPaperFill,
    RecordSigned,
    SigningDesk,
    StalePlan,
    decide,
    evolve_lane,
    fill_of_entry,
    transfers_of,
)
from sep_core.markets.board import MarketBoard
from sep_core.markets.board_venue import BoardVenue
from sep_core.planning import Planned, Planner, PlanRequest, Venues

pytestmark = pytest.mark.anyio

KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
PASSWORD = b"for tests"
OWNER = address("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")
CHAIN = evm_chain(31337)
LANE = LaneKey(CHAIN, OWNER)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Standing:
    def now(self) -> datetime:
        return NOW

    def info(self, event: str, **fields: Json) -> None:
        """Nobody reads it."""

    def warning(self, event: str, **fields: Json) -> None:
        """Nobody reads it."""


class Books:
    def holding(self, account: str, strategy: str, asset: AssetId) -> Amount:
        return Amount(10**40)


@dataclass
class Desk:
    state: LaneState | None = None
    work: list[PrepareRequest] = field(default_factory=list)
    plans: dict[IntentId, Plan] = field(default_factory=dict)
    withdrawn: list[StalePlan] = field(default_factory=list)
    paper: list[RecordPaperFill] = field(default_factory=list)
    breaker_epoch: int = 0

    def lane(self) -> LaneState | None:
        return self.state

    def next_work(self) -> PrepareRequest | None:
        return self.work[0] if self.work else None

    def approved(self, intent_id: IntentId) -> PrepareRequest | None:
        return next((one for one in self.work if one.intent_id == intent_id), None)

    def end_wanted(self, intent_id: IntentId, step_id: str) -> bool:
        return False

    def may_be_public(self, intent_id: IntentId) -> bool:
        return False

    def most_fee(self, intent_id: IntentId, step_id: str) -> int | None:
        return None

    def objection(self, request: PrepareRequest) -> StalePlan | None:
        return None

    def knows(self, intent_id: IntentId) -> bool:
        return intent_id in self.plans

    def step(self, intent_id: IntentId, step_id: str) -> Step | None:
        return next((one for one in self.plans[intent_id].steps if one.id == step_id), None)

    async def record(self, command: ExecutionCommand) -> None:
        for one in decide(self.state, command):
            self.state = evolve_lane(self.state, one.fact)
        if isinstance(command, RecordSigned | RecordPaperFill):
            self._done(command.intent_id)
        if isinstance(command, RecordPaperFill):
            self.paper.append(command)

    async def withdraw(self, stale: StalePlan) -> None:
        self.withdrawn.append(stale)
        self._done(stale.intent_id)

    def give(self, plan: Plan) -> None:
        self.plans[plan.intent_id] = plan
        self.work.append(PrepareRequest(plan.intent_id, plan))

    def _done(self, intent_id: IntentId) -> None:
        self.work = [one for one in self.work if one.intent_id != intent_id]


@dataclass
class World:
    chain: ChainAccess
    board: MarketBoard
    planner: Planner
    worker: LaneWorker
    desk: Desk
    tokens: dict[str, Asset]
    sequence: int = 1

    async def mine(self) -> None:
        self.sim("sim_mine")
        head = await self.chain.head()
        self.sequence += 1
        await self.board.load(CHAIN, head, self.sequence)
        self.worker.chain_update(ChainUpdate(self.sequence, (), (), head, head.ref, head.ref))

    def sim(self, method: str, params: Sequence[object] = ()) -> None:
        self.chain.rpc.chain.rpc(method, json.dumps(list(params)))  # type: ignore[union-attr]

    async def plan(self, kind: IntentType, amount: int, number: int, **more: object) -> Plan:
        constraints = Constraints(Decimal("0.01"), 60_000, ExecutionStyle.ADAPTIVE)
        wanted = IntentAsset(self.tokens["WETH"], Amount(amount))
        intent = Intent(
            IntentId(UUID(int=number)), UUID(int=number), "s", "main", kind, (wanted,), constraints
        )
        answer = await self.planner.plan(
            PlanRequest(intent, OWNER, "main", (self.tokens["USDC"].id,), NOW + timedelta(seconds=60))
        )
        assert isinstance(answer, Planned), answer
        return answer.plan

    async def balances(self) -> dict[str, int]:
        assets = {name: one.id for name, one in self.tokens.items()}
        held = await self.chain.balances(OWNER, list(assets.values()))
        return {name: held[asset] for name, asset in assets.items()}


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "main.json"
    Keystore.import_key(path, KEY, PASSWORD, 12)
    return path


async def world(key_file: Path, tmp_path: Path, *, paper: bool) -> tuple[World, KeystoreSigner]:
    standing = Standing()
    adapter = SimulatedChain(SimulatedChainConfig(), PluginContext("sim", standing, standing))
    chain = ChainAccess(adapter.preset(), adapter.transport())
    chain.rpc.chain.rpc("sim_setAutomine", "[false]")  # type: ignore[union-attr]
    context = VenueContext("amm", standing, standing, chain.rpc, NativeAbi(), 31337)
    venue = SimulatedAmm(SimulatedAmmConfig(), context)
    decoder = VenueLogs(SimulatedAmm.event_signatures)
    board = MarketBoard([BoardVenue("amm", venue, decoder)])
    await board.discover(CHAIN)
    head = await chain.head()
    await board.load(CHAIN, head, 1)
    desk = Desk()
    nonce = await chain.nonce(OWNER)
    await desk.record(OpenAccount(LANE, "main", nonce, head.ref, ()))
    config = KeystoreConfig(path=key_file, password=SecretStr(PASSWORD.decode()), memory=tmp_path / "signed")
    signer = KeystoreSigner(config, SignerContext("main", standing, standing, 31337))
    assert await signer.open() == OWNER

    def passes(name: str, order: SwapOrder, logs: Sequence[ChainLog]) -> Sequence[SwapFill]:
        return venue.fills(order, decoder.decode(logs))

    worker = LaneWorker(
        chain,
        ReceiptReader(CHAIN, passes),
        desk,
        None if paper else SigningDesk(signer, Vault(random_bytes(32)), 1, UUID(int=1)),
        standing,
        standing,
        quorum=2,
    )
    planner = Planner(
        {CHAIN: chain},
        board,
        Venues({"amm": venue}),
        Books(),
        {CHAIN: partial(transfers_of, CHAIN)},
        standing,
        paper=paper,
    )
    tokens = {
        one["symbol"]: Asset(erc20(31337, one["address"]), one["symbol"], one["decimals"])
        for one in adapter._genesis["tokens"]
    }
    return World(chain, board, planner, worker, desk, tokens), signer


@pytest.fixture
async def signing(key_file: Path, tmp_path: Path) -> AsyncIterator[World]:
    made, signer = await world(key_file, tmp_path, paper=False)
    yield made
    await signer.close()


@pytest.fixture
async def on_paper(key_file: Path, tmp_path: Path) -> World:
    made, signer = await world(key_file, tmp_path, paper=True)
    await signer.close()
    return made


async def settle(world: World, plan: Plan) -> LaneState:
    world.desk.give(plan)
    for _ in range(12):
        await world.worker.turn()
        await world.mine()
    await world.worker.turn()
    assert not world.desk.withdrawn, world.desk.withdrawn
    lane = world.desk.lane()
    assert lane is not None
    assert [one.status for one in lane.of_intent(plan.intent_id)] == [EntryStatus.FINAL] * len(plan.steps)
    return lane


async def test_what_was_planned_is_what_settles(signing: World) -> None:
    before = await signing.balances()
    bought = await signing.plan(IntentType.ACQUIRE, 10**17, 1)
    lane = await settle(signing, bought)
    swap = next(step for step in bought.steps if step.order is not None)
    entry = next(one for one in lane.of_intent(bought.intent_id) if one.step_id == swap.id)
    fill = fill_of_entry(entry, swap, OWNER)
    assert fill is not None
    assert (fill.amount_in, fill.amount_out) == (bought.quoted_in, 10**17)
    assert len(fill.passes) == len(bought.legs)
    after = await signing.balances()
    assert after["WETH"] - before["WETH"] == 10**17
    assert before["USDC"] - after["USDC"] == bought.expected_in
    assert bought.slices == 1

    sold = await signing.plan(IntentType.DISPOSE, 10**17, 2)
    await settle(signing, sold)
    end = await signing.balances()
    assert end["WETH"] == before["WETH"]
    assert end["USDC"] - after["USDC"] == sold.expected_out


async def test_no_allowance_outlives_its_plan(signing: World) -> None:
    plan = await signing.plan(IntentType.ACQUIRE, 10**17, 1)
    await settle(signing, plan)
    spender = plan.steps[0].spender
    assert spender is not None
    assert await signing.chain.allowance(plan.asset_in, OWNER, spender) == 0
    assert [step.allowance for step in plan.steps] == [plan.limit_in, None, 0]


async def test_paper_fills_at_the_chain_s_own_amounts_and_sends_nothing(on_paper: World) -> None:
    before = await on_paper.balances()
    plan = await on_paper.plan(IntentType.ACQUIRE, 10**17, 1)
    on_paper.desk.give(plan)
    await on_paper.worker.turn()
    (command,) = on_paper.desk.paper
    assert command.source == "simulation"
    assert (command.fills[0].amount_in, command.fills[0].amount_out) == (plan.quoted_in, 10**17)
    await on_paper.mine()
    assert await on_paper.balances() == before


async def test_the_deadline_is_the_chain_s(signing: World) -> None:
    plan = await signing.plan(IntentType.ACQUIRE, 10**17, 1)
    head: Block = await signing.chain.head()
    (order,) = [step.order for step in plan.steps if step.order is not None]
    assert order.deadline == head.timestamp + 60
    signing.sim("sim_mine", [62])
    signing.desk.give(plan)
    await signing.worker.turn()
    (stale,) = signing.desk.withdrawn
    assert stale.code == "deadline_passed"
