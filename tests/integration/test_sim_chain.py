"""The simulated chain through the kernel's own client: signed bytes in, receipts and fills out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from sep_hooks.context import PluginContext, RpcRequest, VenueContext
from sep_hooks.errors import (
    Ambiguous,
    CallReverted,
    ConfigurationError,
    RpcRejected,
    RpcUnavailable,
    UnknownBlock,
)
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.types import (
    Address,
    Amount,
    AnswerKind,
    AssetId,
    Call,
    ChainLog,
    ChainUpdate,
    ConcentratedLiquidityState,
    ConstantProductState,
    DecodedLog,
    Leg,
    Market,
    MarketState,
    SwapOrder,
    Transaction,
    address,
    erc20,
    token_address,
)
from sep_native.sign import Keystore, Transaction1559
from sep_native.sim import SimChain, SimRpcError, default_genesis

from sep_core.adapters.sim_chain import BROADCAST_TEXTS, SimulatedChain, SimulatedChainConfig, share
from sep_core.adapters.sim_rpc import SimRpc
from sep_core.adapters.sim_venue import DEMO_ROUTER, SimulatedAmm, SimulatedAmmConfig
from sep_core.chains.access import ChainAccess
from sep_core.chains.heads import HeadFollower
from sep_core.chains.native import NativeAbi, VenueLogs
from sep_native import amm

pytestmark = pytest.mark.anyio

KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
GENESIS = json.loads(default_genesis(7))
CHAIN_ID = GENESIS["chain_id"]
TOKENS = {token["symbol"]: erc20(CHAIN_ID, token["address"]) for token in GENESIS["tokens"]}
GWEI = 10**9


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Keystore:
    return Keystore.import_key(tmp_path_factory.mktemp("keys") / "known.json", KEY, b"", scrypt_log_n=2)


@dataclass
class Bench:
    """A fresh chain with a client, a venue and an account."""

    chain: SimChain
    access: ChainAccess
    venue: SimulatedAmm
    keystore: Keystore

    @property
    def owner(self) -> Address:
        return address(self.keystore.address)

    def own(self, method: str, *params: object) -> object:
        return json.loads(self.chain.rpc(method, json.dumps(params)))

    def sign(self, nonce: int, call: Call, **changes: int) -> tuple[bytes, str]:
        fields = {"gas_limit": 1_000_000, "max_fee_per_gas": 10 * GWEI, "max_priority_fee_per_gas": GWEI}
        transaction = Transaction(CHAIN_ID, nonce, call.to, call.value, call.data, **{**fields, **changes})
        signed = self.keystore.sign_transaction(
            Transaction1559(
                transaction.chain_id,
                transaction.nonce,
                transaction.to,
                transaction.value,
                transaction.data,
                transaction.gas_limit,
                transaction.max_fee_per_gas,
                transaction.max_priority_fee_per_gas,
            )
        )
        return signed.raw, "0x" + signed.hash.hex()

    async def send(self, nonce: int, call: Call, **changes: int) -> str:
        raw, expected = self.sign(nonce, call, **changes)
        (answer,) = await self.access.broadcast(raw)
        assert answer.kind is AnswerKind.ACCEPTED, answer
        return expected

    def approve(self, asset: AssetId, amount: int) -> Call:
        data = NativeAbi().encode_call("approve(address,uint256)", (DEMO_ROUTER, amount))
        return Call(token_address(asset), data)

    def nothing(self) -> Call:
        return Call(self.owner, b"")


def bench(keystore: Keystore, *, genesis: str | None = None) -> Bench:
    chain = SimChain(genesis or default_genesis(7))
    rpc = SimRpc(chain)
    context = PluginContext("simulated", FakeClock(), FakeLog())
    preset = SimulatedChain(SimulatedChainConfig(), context).preset()
    venue_context = VenueContext("amm", FakeClock(), FakeLog(), rpc, NativeAbi(), CHAIN_ID)
    venue = SimulatedAmm(SimulatedAmmConfig(), venue_context)
    return Bench(chain, ChainAccess(preset, rpc), venue, keystore)


@pytest.fixture
def sim(keystore: Keystore) -> Bench:
    return bench(keystore)


def quoted(state: MarketState, zero_for_one: bool, amount: int, *, exact_in: bool) -> amm.Quote:
    if isinstance(state, ConcentratedLiquidityState):
        pool = amm.ConcentratedLiquidity(
            state.sqrt_price_x96,
            state.tick,
            state.liquidity,
            state.fee_ppm,
            state.tick_spacing,
            state.ticks,
            state.loaded,
        )
        return pool.quote(zero_for_one, amount, exact_in)
    assert isinstance(state, ConstantProductState)
    return amm.ConstantProduct(state.reserve0, state.reserve1, state.fee_ppm).quote(
        zero_for_one, amount, exact_in
    )


async def path_legs(
    sim: Bench, markets: Sequence[Market], asset_in: AssetId, amount: int, *, exact_in: bool
) -> tuple[Leg, ...]:
    """The exact amounts of a path by the kernel's own mathematics."""
    head = await sim.access.head()
    states = {state.market: state for state in await sim.venue.states(markets, head.ref)}
    assets = [asset_in]
    for market in markets:
        assets.append(market.assets[assets[-1] == market.assets[0]])
    places = range(len(markets)) if exact_in else reversed(range(len(markets)))
    legs: dict[int, Leg] = {}
    for place in places:
        market = markets[place]
        quote = quoted(states[market.id], assets[place] == market.assets[0], amount, exact_in=exact_in)
        legs[place] = Leg(
            market.id, assets[place], assets[place + 1], Amount(quote.amount_in), Amount(quote.amount_out)
        )
        amount = quote.amount_out if exact_in else quote.amount_in
    return tuple(legs[place] for place in range(len(markets)))


async def order_of(
    sim: Bench, names: Sequence[str], symbol: str, amount: int, *, exact_in: bool, deadline: int = 2**40
) -> SwapOrder:
    """An order over the demonstration's pools, picked by family and assets."""
    markets = {market.id: market for market in await sim.venue.markets()}
    chosen = [market for name in names for market in markets.values() if label(market) == name]
    legs = await path_legs(sim, chosen, TOKENS[symbol], amount, exact_in=exact_in)
    return SwapOrder(legs, exact_in, legs[0].amount_in, legs[-1].amount_out, sim.owner, deadline)


def label(market: Market) -> str:
    symbols = {asset: symbol for symbol, asset in TOKENS.items()}
    pair = "-".join(sorted(symbols[asset] for asset in market.assets))
    return f"{'v2' if market.family.value == 'constant_product' else 'v3'}-{pair}"


def decoded(sim: Bench, logs: Sequence[ChainLog]) -> Sequence[DecodedLog]:
    """The venue's logs, as the kernel decodes them."""
    return VenueLogs(sim.venue.event_signatures).decode(logs)


def test_the_demonstrations_router_is_where_the_venue_looks() -> None:
    for seed in (0, 7, 2**64 - 1):
        assert json.loads(default_genesis(seed))["router"] == DEMO_ROUTER
    assert default_genesis(7) == default_genesis(7) != default_genesis(8)


@pytest.mark.parametrize("exact_in", [True, False])
@pytest.mark.parametrize(
    ("names", "symbol"),
    [
        (["v2-USDC-WETH"], "WETH"),
        (["v3-USDC-WETH"], "USDC"),
        (["v2-DAI-WETH", "v3-DAI-USDC"], "WETH"),
        (["v3-DAI-USDC", "v2-DAI-WETH", "v3-WBTC-WETH"], "USDC"),
    ],
)
async def test_a_swap_settles_to_the_unit(sim: Bench, names: list[str], symbol: str, exact_in: bool) -> None:
    unit = 10**18 if symbol == "WETH" else 3_000 * 10**6
    wanted = (
        unit if exact_in else (2_000 * 10**6 if symbol == "WETH" else 10**7 if len(names) == 3 else 10**18)
    )
    order = await order_of(sim, names, symbol, wanted, exact_in=exact_in)
    assets = list(TOKENS.values())
    before = await sim.access.balances(sim.owner, assets)

    quote = await sim.access.call(sim.venue.quote_call(order))
    amount = sim.venue.quoted_amount(order, quote)
    assert amount == (order.amount_out if exact_in else order.amount_in)

    approval, swap = sim.approve(order.asset_in, order.amount_in), sim.venue.swap_call(order)
    results = await sim.access.simulate([approval, swap], sim.owner)
    assert [result.ok for result in results] == [True, True]

    await sim.send(0, approval, gas_limit=results[0].gas_used)
    swap_hash = await sim.send(1, swap, gas_limit=results[1].gas_used)
    assert await sim.access.receipt(swap_hash) is None
    assert await sim.access.nonce(sim.owner, "pending") == 2
    sim.own("sim_mine")
    receipt = await sim.access.receipt(swap_hash)
    assert receipt is not None
    assert receipt.ok
    assert receipt.gas_used == results[1].gas_used
    plain = [(log.address, log.topics, log.data) for log in receipt.logs]
    assert plain == [(log.address, log.topics, log.data) for log in results[1].logs]

    fills = sim.venue.fills(order, decoded(sim, receipt.logs))
    assert [(fill.market, fill.amount_in, fill.amount_out) for fill in fills] == [
        (leg.market, leg.amount_in, leg.amount_out) for leg in order.legs
    ]
    after = await sim.access.balances(sim.owner, assets)
    moved = {asset: after[asset] - before[asset] for asset in assets if after[asset] != before[asset]}
    assert moved == {order.asset_in: -order.amount_in, order.asset_out: order.amount_out}
    assert not await sim.access.is_final(receipt.block)
    sim.own("sim_mine", 4)
    assert await sim.access.is_final(receipt.block)


async def test_states_follow_the_logs(sim: Bench) -> None:
    markets = await sim.venue.markets()
    assert len(markets) == 5
    start = await sim.access.head()
    states = {state.market: state for state in await sim.venue.states(markets, start.ref)}
    for number in range(12):
        sim.own("sim_nudge", {"pool": markets[number % 5].address, "bps": 40 + number, "up": number % 3 == 0})
    head = await sim.access.head()
    by_address = {market.address: market.id for market in markets}
    for number in range(1, head.number + 1):
        block = await sim.access.block(number)
        (found,) = await sim.access.reads.logs((block,))
        for log in decoded(sim, found.logs):
            market = by_address[log.log.address]
            states[market] = sim.venue.apply(states[market], log, head.ref)
    fresh = {state.market: state for state in await sim.venue.states(markets, head.ref)}
    assert states == fresh


async def test_same_seed_and_calls_give_the_same_hashes(keystore: Keystore) -> None:
    async def run(seed: int) -> str:
        document = json.loads(default_genesis(seed)) | {"noise": {"max_bps": 30}}
        sim = bench(keystore, genesis=json.dumps(document))
        rules = [
            {"method": "eth_sendRawTransaction", "kind": "delay", "blocks": 1, "probability_ppm": 500_000}
        ]
        sim.own("sim_setFaults", {"rules": rules})
        for nonce in range(6):
            await sim.send(nonce, sim.nothing())
            sim.own("sim_mine")
        sim.own("sim_reorg", 2, {"hold": 1})
        sim.own("sim_mine", 2)
        return (await sim.access.head()).hash

    assert await run(3) == await run(3)
    assert await run(3) != await run(4)


async def test_a_copy_goes_its_own_way(sim: Bench) -> None:
    other = sim.chain.copy()
    sim.own("sim_mine")
    other.rpc("sim_mine")
    assert sim.chain.rpc("eth_getBlockByNumber", '["0x1"]') == other.rpc("eth_getBlockByNumber", '["0x1"]')
    other.rpc("sim_mine")
    assert sim.chain.rpc("eth_blockNumber") != other.rpc("eth_blockNumber")


async def refusal(sim: Bench, nonce: int, call: Call, **changes: int) -> tuple[AnswerKind, str]:
    raw, _ = sim.sign(nonce, call, **changes)
    (answer,) = await sim.access.broadcast(raw)
    assert answer.kind is not AnswerKind.ACCEPTED
    return answer.kind, answer.text


async def test_the_mempool_keeps_geths_rules(sim: Bench) -> None:
    nothing = sim.nothing()
    first = await sim.send(0, nothing)
    assert await refusal(sim, 0, nothing) == (
        AnswerKind.KNOWN,
        "simulated chain refused: already known (code -32000)",
    )
    kind, text = await refusal(sim, 0, nothing, max_fee_per_gas=11 * GWEI, max_priority_fee_per_gas=2 * GWEI)
    assert kind is AnswerKind.UNDERPRICED
    kind, _ = await refusal(sim, 0, nothing, max_fee_per_gas=20 * GWEI, max_priority_fee_per_gas=GWEI)
    assert kind is AnswerKind.UNDERPRICED
    bumped = await sim.send(
        0, nothing, max_fee_per_gas=10 * GWEI * 9 // 8, max_priority_fee_per_gas=GWEI * 9 // 8
    )
    gapped = await sim.send(2, nothing)
    sim.own("sim_mine")
    assert await sim.access.receipt(first) is None
    assert not await sim.access.transaction_known(first)
    assert await sim.access.receipt(bumped) is not None
    assert await sim.access.receipt(gapped) is None
    assert await sim.access.transaction_known(gapped)
    kind, text = await refusal(sim, 0, nothing)
    assert kind is AnswerKind.NONCE_TOO_LOW
    assert "next nonce 1, tx nonce 0" in text
    await sim.send(1, nothing)
    assert await sim.access.nonce(sim.owner, "pending") == 3
    sim.own("sim_mine")
    assert await sim.access.receipt(gapped) is not None
    _, text = await refusal(sim, 3, Call(sim.owner, b"", Amount(10**30)))
    assert "insufficient funds for gas * price + value" in text
    _, text = await refusal(sim, 3, nothing, gas_limit=20_999)
    assert "intrinsic gas too low" in text
    _, text = await refusal(sim, 3, nothing, max_priority_fee_per_gas=0)
    assert "tip cap 0" in text
    _, text = await refusal(sim, 3, nothing, gas_limit=2**24 + 1)
    assert "gas limit too high" in text


async def test_a_cap_below_the_base_fee_waits(sim: Bench) -> None:
    stuck = await sim.send(0, sim.nothing(), max_fee_per_gas=10, max_priority_fee_per_gas=1)
    sim.own("sim_mine", 2)
    assert await sim.access.receipt(stuck) is None
    assert await sim.access.transaction_known(stuck)
    assert sim.own("sim_dropTransaction", stuck) is True
    assert not await sim.access.transaction_known(stuck)


async def test_reverts_are_true_reverts(sim: Bench) -> None:
    order = await order_of(sim, ["v2-USDC-WETH"], "WETH", 10**18, exact_in=True, deadline=1)
    with pytest.raises(CallReverted, match="Transaction too old"):
        await sim.access.call(sim.venue.swap_call(order), sender=sim.owner)
    late = await sim.send(0, sim.venue.swap_call(order))
    order = await order_of(sim, ["v2-USDC-WETH"], "WETH", 10**18, exact_in=True)
    unapproved = await sim.send(1, sim.venue.swap_call(order))
    sim.own("sim_mine")
    balance = (await sim.access.balances(sim.owner, [TOKENS["WETH"]]))[TOKENS["WETH"]]
    for text in (late, unapproved):
        receipt = await sim.access.receipt(text)
        assert receipt is not None
        assert not receipt.ok
        assert receipt.logs == ()
        assert receipt.gas_used > 21_000
    assert await sim.access.nonce(sim.owner) == 2
    assert balance == 50 * 10**18
    (result,) = await sim.access.simulate([sim.venue.swap_call(order)], sim.owner)
    assert not result.ok
    assert result.error == "execution reverted: ERC20: insufficient allowance"
    assert result.output[:4].hex() == "08c379a0"
    shallow = await sim.send(2, sim.approve(TOKENS["WETH"], 5), gas_limit=23_000)
    sim.own("sim_mine")
    receipt = await sim.access.receipt(shallow)
    assert receipt is not None
    assert (receipt.ok, receipt.gas_used) == (False, 23_000)


async def test_an_allowance_that_must_be_reset_first(sim: Bench) -> None:
    await sim.send(0, sim.approve(TOKENS["USDC"], 5))
    sim.own("sim_mine")
    results = await sim.access.simulate(
        [sim.approve(TOKENS["USDC"], amount) for amount in (7, 0, 7)], sim.owner
    )
    assert [result.ok for result in results] == [False, True, True]
    assert await sim.access.allowance(TOKENS["USDC"], sim.owner, Address(DEMO_ROUTER)) == 5


async def test_the_wrapped_native_asset(sim: Bench) -> None:
    weth = token_address(TOKENS["WETH"])
    withdraw = NativeAbi().encode_call("withdraw(uint256)", (10**18,))
    await sim.send(0, Call(weth, NativeAbi().encode_call("deposit()", ()), Amount(10**18)))
    sim.own("sim_mine")
    assert (await sim.access.balances(sim.owner, [TOKENS["WETH"]]))[TOKENS["WETH"]] == 51 * 10**18
    await sim.send(1, Call(weth, withdraw))
    sim.own("sim_mine")
    assert (await sim.access.balances(sim.owner, [TOKENS["WETH"]]))[TOKENS["WETH"]] == 50 * 10**18


def request(method: str, *params: str) -> RpcRequest:
    return RpcRequest(method, params)


def faults(sim: Bench, *rules: dict[str, object]) -> None:
    sim.own("sim_setFaults", {"seed": 1, "rules": rules})


@pytest.mark.parametrize("taken", [True, False])
async def test_fault_drop(sim: Bench, taken: bool) -> None:
    faults(
        sim,
        {"method": "eth_sendRawTransaction", "kind": "drop", "taken": taken, "at": [1]},
        {"method": "eth_blockNumber", "kind": "drop", "taken": False, "at": [1]},
    )
    raw, text = sim.sign(0, sim.nothing())
    with pytest.raises(Ambiguous, match="may have arrived"):
        await sim.access.rpc.call(request("eth_sendRawTransaction", "0x" + raw.hex()))
    with pytest.raises(RpcUnavailable):
        await sim.access.rpc.call(request("eth_blockNumber"))
    sim.own("sim_mine")
    assert (await sim.access.receipt(text) is not None) is taken
    (answer,) = await sim.access.broadcast(raw)
    assert answer.kind is (AnswerKind.NONCE_TOO_LOW if taken else AnswerKind.ACCEPTED)


async def test_fault_delay(sim: Bench) -> None:
    faults(sim, {"method": "eth_sendRawTransaction", "kind": "delay", "blocks": 3, "times": 1, "at": [1, 2]})
    text = await sim.send(0, sim.nothing())
    for _ in range(3):
        sim.own("sim_mine")
        assert await sim.access.receipt(text) is None
    sim.own("sim_mine")
    assert await sim.access.receipt(text) is not None
    prompt = await sim.send(1, sim.nothing())
    sim.own("sim_mine")
    assert await sim.access.receipt(prompt) is not None


async def test_fault_reorganise(sim: Bench) -> None:
    text = await sim.send(0, sim.nothing())
    sim.own("sim_mine", 2)
    first = await sim.access.receipt(text)
    assert first is not None
    faults(
        sim, {"method": "eth_getTransactionReceipt", "kind": "reorganise", "depth": 2, "hold": 2, "at": [1]}
    )
    assert await sim.access.receipt(text) is None
    assert await sim.access.transaction_known(text)
    with pytest.raises(UnknownBlock, match="not currently canonical"):
        await sim.access.balances(sim.owner, [TOKENS["WETH"]], first.block)
    assert (await sim.access.block(first.block)).hash == first.block.hash
    sim.own("sim_mine")
    again = await sim.access.receipt(text)
    assert again is not None
    assert again.block != first.block
    sim.own("sim_mine", 4)
    with pytest.raises(SimRpcError, match="is finalized"):
        sim.own("sim_reorg", 5)


async def test_fault_revert_and_a_reorganisation_that_undoes_it(sim: Bench) -> None:
    order = await order_of(sim, ["v3-USDC-WETH"], "WETH", 10**17, exact_in=True)
    await sim.send(0, sim.approve(order.asset_in, order.amount_in))
    sim.own("sim_mine")
    faults(sim, {"method": "eth_sendRawTransaction", "kind": "revert", "bps": 300, "at": [1]})
    text = await sim.send(1, sim.venue.swap_call(order))
    sim.own("sim_mine")
    receipt = await sim.access.receipt(text)
    assert receipt is not None
    assert not receipt.ok
    sim.own("sim_reorg", 1)
    receipt = await sim.access.receipt(text)
    assert receipt is not None
    assert receipt.ok


async def test_faults_error_and_null(sim: Bench) -> None:
    faults(
        sim,
        {"method": "eth_blockNumber", "kind": "error", "code": -32000, "message": "out of order", "at": [2]},
        {"method": "eth_getTransactionReceipt", "kind": "null", "probability_ppm": 1_000_000},
    )
    await sim.access.rpc.call(request("eth_blockNumber"))
    with pytest.raises(RpcRejected, match="out of order"):
        await sim.access.rpc.call(request("eth_blockNumber"))
    text = await sim.send(0, sim.nothing())
    sim.own("sim_mine")
    assert await sim.access.receipt(text) is None
    counters = sim.own("sim_counters")
    assert isinstance(counters, dict)
    assert counters["faults"] == 2
    with pytest.raises(SimRpcError, match="never fails"):
        faults(sim, {"method": "sim_mine", "kind": "null", "at": [1]})


async def test_a_reorganisation_can_forget_a_transaction(sim: Bench) -> None:
    text = await sim.send(0, sim.nothing())
    sim.own("sim_mine")
    sim.own("sim_reorg", 1, {"drop": [text], "blocks": 2})
    assert (await sim.access.head()).number == 2
    assert await sim.access.receipt(text) is None
    assert not await sim.access.transaction_known(text)
    assert await sim.access.nonce(sim.owner) == 0


async def test_a_shared_chain_outlives_its_engines() -> None:
    context = PluginContext("simulated", FakeClock(), FakeLog())
    config = SimulatedChainConfig(shared="bench")
    with pytest.raises(ConfigurationError, match="no chain is shared as 'bench'"):
        SimulatedChain(config, context).transport()
    chain = SimChain(default_genesis(7))
    share("bench", chain)
    try:
        chain.rpc("sim_mine", "[2]")
        for _ in range(2):
            adapter = SimulatedChain(config, context)
            access = ChainAccess(adapter.preset(), adapter.transport())
            assert (await access.head()).number == 2
    finally:
        share("bench", None)


async def test_the_head_follower_ends_on_the_canonical_chain(sim: Bench) -> None:
    random = Random(11)
    (pool, *_) = await sim.venue.markets()
    follower = HeadFollower(sim.access.reads, FakeLog())
    replayed: list[str] = []
    logs: list[ChainLog] = []
    for _ in range(60):
        act = random.randrange(4)
        if act == 0:
            sim.own("sim_mine", random.randint(1, 3))
        elif act == 1:
            sim.own("sim_nudge", {"pool": pool.address, "bps": 25, "up": random.random() < 0.5})
        elif act == 2 and (head := (await sim.access.head()).number) > 4:
            depth = random.randint(1, min(4, head))
            sim.own("sim_reorg", depth, {"blocks": depth + random.randint(0, 1)})
        while (step := await follower.poll()) is not None:
            if isinstance(step, ChainUpdate):
                for block in step.removed:
                    assert replayed.pop() == block.hash
                replayed += [one.block.hash for one in step.added]
                logs += [log for one in step.added for log in one.logs]
            else:
                replayed = [step.head.hash]
            follower.acknowledge(step.sequence)
    head = await sim.access.head()
    first = head.number - len(replayed) + 1
    assert replayed == [(await sim.access.block(number)).hash for number in range(first, head.number + 1)]
    assert len(replayed) > 20
    assert logs


async def test_logs_by_filter(sim: Bench) -> None:
    pools = [market.address for market in await sim.venue.markets() if market.address is not None]
    for pool in (pools[0], pools[1], pools[0]):
        sim.own("sim_nudge", {"pool": pool, "bps": 20})

    def found(**fields: object) -> list[tuple[int, str]]:
        logs = sim.own("eth_getLogs", fields)
        assert isinstance(logs, list)
        return [(int(log["blockNumber"], 16), log["address"]) for log in logs]

    transfer = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    everything = found(fromBlock="0x0", toBlock="latest")
    assert {number for number, _ in everything} == {1, 2, 3}
    own = found(fromBlock="0x0", address=pools[0])
    assert {number for number, _ in own} == {1, 3}
    assert found(fromBlock="0x0", address=[pools[0], pools[1]], topics=[transfer]) == []
    transfers = found(fromBlock="0x0", topics=[[transfer]])
    receivers = ["0x" + pool[2:].rjust(64, "0") for pool in pools]
    assert len(transfers) == 9
    assert [number for number, _ in found(fromBlock="0x0", topics=[None, None, receivers[1]])] == [2]
    assert found(fromBlock="0x2", toBlock="0x2", topics=[transfer]) == [
        one for one in transfers if one[0] == 2
    ]
    assert found(fromBlock="latest") == [one for one in everything if one[0] == 3]
    with pytest.raises(SimRpcError, match="invalid block range"):
        found(fromBlock="0x2", toBlock="0x1")
    unknown = RpcRequest("eth_getLogs", ({"blockHash": "0x" + "ab" * 32},))
    with pytest.raises(UnknownBlock):
        await sim.access.rpc.call(unknown)


def next_base_fee(base_fee: int, gas_used: int, gas_limit: int) -> int:
    """EIP-1559, word for word."""
    target = gas_limit // 2
    if gas_used > target:
        return base_fee + max(base_fee * (gas_used - target) // target // 8, 1)
    return base_fee - base_fee * (target - gas_used) // target // 8


async def test_the_base_fee_follows_eip_1559(keystore: Keystore) -> None:
    document = json.loads(default_genesis(7)) | {"gas_limit": 200_000}
    sim = bench(keystore, genesis=json.dumps(document))
    nonce = 0
    for count in (0, 9, 3, 0, 8, 1, 0):
        for _ in range(count):
            await sim.send(nonce, sim.nothing(), gas_limit=21_000)
            nonce += 1
        sim.own("sim_mine")
    headers = [sim.own("eth_getBlockByNumber", hex(number), False) for number in range(8)]
    fees = [int(header["baseFeePerGas"], 16) for header in headers if isinstance(header, dict)]
    used = [int(header["gasUsed"], 16) for header in headers if isinstance(header, dict)]
    assert max(used) == 9 * 21_000
    assert fees[1:] == [next_base_fee(fee, gas, 200_000) for fee, gas in zip(fees, used, strict=True)][:-1]
    history = sim.own("eth_feeHistory", "0x8", "latest", [0, 100])
    assert isinstance(history, dict)
    assert [int(fee, 16) for fee in history["baseFeePerGas"]] == [
        *fees,
        next_base_fee(fees[-1], used[-1], 200_000),
    ]
    tips = [[int(tip, 16) for tip in block] for block in history["reward"]]
    assert tips == [[GWEI if gas else 0] * 2 for gas in used]


async def test_own_methods_move_prices_and_funds(sim: Bench) -> None:
    markets = await sim.venue.markets()
    (v3,) = [market for market in markets if label(market) == "v3-USDC-WETH"]
    usdc_first = v3.assets[0] == TOKENS["USDC"]
    amounts = {"amount0": str(3_300 * 10**6), "amount1": str(10**18)}
    if not usdc_first:
        amounts = {"amount0": str(10**18), "amount1": str(3_300 * 10**6)}
    sim.own("sim_setPrice", {"pool": v3.address, **amounts})
    (state,) = await sim.venue.states([v3], (await sim.access.head()).ref)
    assert isinstance(state, ConcentratedLiquidityState)
    price = state.sqrt_price_x96**2 * int(amounts["amount0"]) / (int(amounts["amount1"]) << 192)
    assert abs(price - 1) < 1e-9
    result = sim.own(
        "eth_call",
        {"to": sim.owner, "from": DEMO_ROUTER, "value": "0x5"},
        "latest",
        {DEMO_ROUTER: {"balance": "0x5"}},
    )
    assert result == "0x"
    with pytest.raises(SimRpcError, match="only balance"):
        sim.own("eth_call", {"to": sim.owner}, "latest", {DEMO_ROUTER: {"code": "0x"}})
    sim.own("sim_mintToken", {"token": token_address(TOKENS["DAI"]), "to": sim.owner, "amount": "5"})
    assert (await sim.access.balances(sim.owner, [TOKENS["DAI"]]))[TOKENS["DAI"]] == 300_000 * 10**18 + 5


async def test_the_chain_in_process_mines_by_itself(keystore: Keystore, tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    path.write_text(default_genesis(9))
    context = PluginContext("simulated", FakeClock(), FakeLog())
    adapter = SimulatedChain(SimulatedChainConfig(genesis=path), context)
    assert adapter.transport() is adapter.transport()
    access = ChainAccess(adapter.preset(), adapter.transport())
    await access.verify()
    raw, text = bench(keystore).sign(0, Call(address(keystore.address), b""))
    await access.broadcast(raw)
    receipt = await access.receipt(text)
    assert receipt is not None
    assert await access.is_final(receipt.block)
    assert adapter.preset().broadcast_texts == BROADCAST_TEXTS
