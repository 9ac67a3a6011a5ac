"""Chain access and head tracking against a local Ethereum node."""

import itertools
import random
from collections.abc import AsyncIterator

import pytest
from eth_account import Account as EthAccount
from sep_chain_evm import Ethereum, EthereumConfig
from sep_hooks.chain import ChainPreset
from sep_hooks.context import PluginContext
from sep_hooks.errors import CallReverted, RpcUnavailable, UnknownBlock
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.types import (
    Amount,
    AnswerKind,
    Block,
    BlockRef,
    Call,
    ChainUpdate,
    address,
    erc20,
    native_asset,
)
from sep_testnet.encoding import encode_call
from sep_testnet.testnet import Testnet

from sep_core.chains.access import ChainAccess
from sep_core.chains.errors import WrongChain
from sep_core.chains.heads import HeadFollower
from sep_core.chains.native import VenueLogs
from sep_core.chains.rpc import open_http_rpc
from sep_core.chains.tracker import Cursor, Gap

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = [pytest.mark.anyio, pytest.mark.anvil]

TRANSFER = "event Transfer(address indexed from, address indexed to, uint256 value)"
GWEI = 10**9


def preset_for(*urls: str, **config: object) -> ChainPreset:
    table = EthereumConfig.model_validate({"rpc": urls, **config})
    return Ethereum(table, PluginContext("ethereum", FakeClock(), FakeLog())).preset()


@pytest.fixture
async def access(testnet: Testnet) -> AsyncIterator[ChainAccess]:
    async with open_http_rpc([testnet.url], chain_id=1) as rpc:
        yield ChainAccess(preset_for(testnet.url), rpc)


def signed(
    testnet: Testnet, nonce: int, *, tip: int = GWEI, cap: int = 50 * GWEI, chain_id: int = 1
) -> bytes:
    transaction = {
        "chainId": chain_id,
        "nonce": nonce,
        "to": testnet.accounts[2].address,
        "value": 1,
        "gas": 21_000,
        "maxFeePerGas": cap,
        "maxPriorityFeePerGas": tip,
        "type": 2,
    }
    return bytes(EthAccount.sign_transaction(transaction, testnet.accounts[1].private_key).raw_transaction)


async def test_verify_names_endpoint_and_next_step(testnet: Testnet) -> None:
    async with open_http_rpc([testnet.url]) as rpc:
        await ChainAccess(preset_for(testnet.url), rpc).verify()
        with pytest.raises(WrongChain, match="serves chain 1") as wrong:
            await ChainAccess(preset_for(testnet.url, chain_id=11155111), rpc).verify()
    assert testnet.url.rstrip("/") in str(wrong.value)
    assert "sep.toml" in wrong.value.next_step
    async with open_http_rpc(["http://127.0.0.1:9"]) as rpc:
        with pytest.raises(RpcUnavailable, match=r"127\.0\.0\.1:9") as unreachable:
            await ChainAccess(preset_for("http://127.0.0.1:9"), rpc).verify()
    assert unreachable.value.next_step


async def test_reads_agree_with_the_node(testnet: Testnet, access: ChainAccess) -> None:
    deployment = testnet.deployment
    owner = address(deployment.deployer)
    usdc, ether = erc20(1, deployment.usdc), native_asset(1)
    head = await access.head()
    assert head.number == int(str(testnet.block()["number"]), 16)
    assert await access.block(head.number) == head == await access.block(head.ref)
    assert await access.nonce(owner) == testnet.rpc.number("eth_getTransactionCount", owner, "latest")
    balances = await access.balances(owner, [usdc, ether])
    assert balances == {usdc: testnet.balance_of(deployment.usdc, owner), ether: testnet.ether_of(owner)}
    spender = address(deployment.swap_router_02)
    before = await access.head()
    testnet.execute(owner, deployment.usdc, "approve(address,uint256)", spender, 12345)
    assert await access.allowance(usdc, owner, spender) == 12345
    assert await access.allowance(usdc, owner, spender, before.ref) != 12345
    with pytest.raises(UnknownBlock):
        await access.block(head.number + 1000)
    with pytest.raises(UnknownBlock):
        await access.balances(owner, [usdc], BlockRef(head.number, "0x" + "12" * 32))
    with pytest.raises(CallReverted):
        await access.balances(owner, [erc20(1, "0x" + "77" * 20)])


async def test_a_revert_carries_its_data(testnet: Testnet, access: ChainAccess) -> None:
    data = encode_call("transfer(address,uint256)", testnet.deployment.weth, 10**60)
    with pytest.raises(CallReverted) as raised:
        await access.call(Call(address(testnet.deployment.usdc), data))
    assert raised.value.output.startswith(bytes.fromhex("08c379a0"))


async def test_a_simulated_sequence_builds_on_itself(testnet: Testnet, access: ChainAccess) -> None:
    deployment = testnet.deployment
    owner, token = address(deployment.deployer), address(deployment.usdc)
    other = address(testnet.accounts[3].address)
    calls = [
        Call(token, encode_call("transfer(address,uint256)", other, 5)),
        Call(token, encode_call("balanceOf(address)", other)),
        Call(token, encode_call("transfer(address,uint256)", other, 10**60)),
        Call(token, encode_call("balanceOf(address)", other)),
    ]
    moved, read, failed, again = await access.simulate(calls, owner)
    assert moved.ok
    assert moved.gas_used > 21_000
    (event,) = VenueLogs([TRANSFER]).decode(moved.logs)
    assert event.arguments == {"from": owner, "to": other, "value": 5}
    assert int.from_bytes(read.output) == 5
    assert not failed.ok
    assert failed.error
    assert failed.output.startswith(bytes.fromhex("08c379a0"))
    assert int.from_bytes(again.output) == 5
    assert testnet.balance_of(deployment.usdc, other) == 0


async def test_a_simulation_sees_ether_sent_with_a_call(testnet: Testnet, access: ChainAccess) -> None:
    weth, me = address(testnet.deployment.weth), address(testnet.accounts[4].address)
    calls = [
        Call(weth, encode_call("deposit()"), Amount(7)),
        Call(weth, encode_call("balanceOf(address)", me)),
    ]
    _, read = await access.simulate(calls, me)
    assert int.from_bytes(read.output) == 7


async def test_fees_cover_the_next_block(testnet: Testnet, access: ChainAccess) -> None:
    for _ in range(6):
        fees = await access.fees()
        assert 0 < fees.base_fee_low <= fees.base_fee_high
        assert fees.max_priority_fee_per_gas >= access.preset.minimum_tip
        assert fees.max_fee_per_gas == 2 * fees.base_fee_high + fees.max_priority_fee_per_gas
        testnet.mine()
        after = (await access.head()).base_fee
        assert fees.base_fee_low <= after <= fees.base_fee_high


async def test_the_answers_of_a_broadcast(testnet: Testnet) -> None:
    testnet.set_automine(False)
    twice = [testnet.url, testnet.url.replace("127.0.0.1", "localhost"), "http://127.0.0.1:9"]
    async with open_http_rpc(twice[:1], chain_id=1) as one, open_http_rpc(twice) as three:
        access = ChainAccess(preset_for(testnet.url), one)
        nonce = await access.nonce(address(testnet.accounts[1].address))
        raw = signed(testnet, nonce)
        (first,) = await access.broadcast(raw)
        assert first.kind is AnswerKind.ACCEPTED
        assert await access.transaction_known(first.text)
        assert await access.receipt(first.text) is None
        known = await ChainAccess(preset_for(testnet.url), three).broadcast(raw)
        assert [answer.kind for answer in known][-1] is AnswerKind.AMBIGUOUS
        assert {answer.kind for answer in known[:2]} <= {AnswerKind.KNOWN, AnswerKind.AMBIGUOUS}
        assert known[0].kind is AnswerKind.KNOWN
        (cheaper,) = await access.broadcast(signed(testnet, nonce, tip=1, cap=3 * GWEI))
        assert cheaper.kind is AnswerKind.UNDERPRICED
        testnet.mine()
        receipt = await access.receipt(first.text)
        assert receipt is not None
        assert receipt.ok
        assert receipt.gas_used == 21_000
        (late,) = await access.broadcast(signed(testnet, nonce, tip=2 * GWEI))
        assert late.kind is AnswerKind.NONCE_TOO_LOW
        (foreign,) = await access.broadcast(signed(testnet, nonce + 1, chain_id=5))
        assert foreign.kind is AnswerKind.AMBIGUOUS
        (poor,) = await access.broadcast(signed(testnet, nonce + 1, cap=10**24))
        assert poor.kind is AnswerKind.AMBIGUOUS
        (garbage,) = await access.broadcast(b"\x02\xff")
        assert garbage.kind is AnswerKind.AMBIGUOUS


async def test_a_receipt_becomes_final_by_the_rule(testnet: Testnet, access: ChainAccess) -> None:
    deployment = testnet.deployment
    sent = testnet.execute(
        deployment.deployer, deployment.usdc, "transfer(address,uint256)", testnet.accounts[1].address, 9
    )
    receipt = await access.receipt(str(sent["transactionHash"]))
    assert receipt is not None
    (event,) = VenueLogs([TRANSFER]).decode(receipt.logs)
    assert event.arguments["value"] == 9
    assert receipt.logs[0].ordinal == 0
    assert not await access.is_final(receipt.block)
    testnet.finalize()
    assert await access.is_final(receipt.block)
    assert not await access.is_final(BlockRef(receipt.block.number, "0x" + "99" * 32))
    deep = ChainAccess(preset_for(testnet.url, finality="depth", finality_depth=3), access.rpc)
    head = await access.head()
    assert (await deep.final_block()).number == head.number - 3
    assert await deep.nonce(address(deployment.deployer), "finalized") >= 1


class Follower:
    """A consumer that keeps a replica from nothing but what it is handed."""

    def __init__(self, access: ChainAccess, cursor: Cursor | None = None) -> None:
        self.heads = HeadFollower(access.reads, FakeLog(), cursor=cursor)
        self.blocks: list[Block] = []
        self.transfers = 0
        self.gaps = 0
        self.sequence = cursor.sequence if cursor else 0
        self.decoder = VenueLogs([TRANSFER])
        self.by_block: dict[str, int] = {}

    async def catch_up(self) -> None:
        while (item := await self.heads.poll()) is not None:
            again = await self.heads.poll()
            assert again == item, "handed over again until it is acknowledged"
            assert item.sequence == self.sequence + 1
            self.sequence = item.sequence
            if isinstance(item, Gap):
                self.gaps += 1
                self.blocks, self.by_block = [item.head], {}
            else:
                self._apply(item)
            self.heads.acknowledge(item.sequence)

    def _apply(self, update: ChainUpdate) -> None:
        for block in update.removed:
            assert self.blocks.pop() == block
            self.by_block.pop(block.hash, None)
        for added in update.added:
            assert added.block.parent_hash == self.blocks[-1].hash
            self.blocks.append(added.block)
            self.by_block[added.block.hash] = len(self.decoder.decode(added.logs))


def transfer(testnet: Testnet, count: int = 1) -> None:
    for _ in range(count):
        testnet.execute(
            testnet.deployment.deployer,
            testnet.deployment.usdc,
            "transfer(address,uint256)",
            testnet.accounts[1].address,
            1,
        )


async def test_heads_survive_reorganisations_and_jumps(testnet: Testnet, access: ChainAccess) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    source = random.Random(seed)
    follower = Follower(access)
    testnet.mine(5)
    await follower.catch_up()
    for _ in range(25):
        match source.choice(["transfer", "mine", "jump", "reorg"]):
            case "transfer":
                transfer(testnet, source.randint(1, 3))
            case "mine":
                testnet.mine()
            case "jump":
                testnet.mine(source.randint(2, 90))
            case "reorg":
                depth = source.randint(1, 4)
                if follower.blocks[-1].number - follower.blocks[0].number >= depth:
                    testnet.reorg(depth)
        if source.random() < 0.7:
            await follower.catch_up()
    await follower.catch_up()
    head = await access.head()
    assert follower.blocks[-1] == head
    for ours, theirs in zip(
        reversed(follower.blocks), await _canonical(access, head.number, len(follower.blocks)), strict=True
    ):
        assert ours == theirs
    for block_hash, transfers in follower.by_block.items():
        found = testnet.rpc.call("eth_getLogs", {"blockHash": block_hash})
        assert isinstance(found, list)
        assert len(found) == transfers


async def test_a_restart_from_the_cursor_skips_and_doubles_nothing(
    testnet: Testnet, access: ChainAccess
) -> None:
    first = Follower(access)
    testnet.mine(2)
    await first.catch_up()
    transfer(testnet, 3)
    await first.catch_up()
    cursor = first.heads.cursor
    assert cursor is not None
    transfer(testnet, 2)
    unacknowledged = await first.heads.poll()
    assert unacknowledged is not None
    second = Follower(access, cursor)
    second.blocks = list(first.blocks)
    await second.catch_up()
    assert second.gaps == 0
    assert second.blocks[-1] == await access.head()
    assert sum(second.by_block.values()) == 2
    assert all(later.number == earlier.number + 1 for earlier, later in itertools.pairwise(second.blocks))


async def _canonical(access: ChainAccess, top: int, count: int) -> list[Block]:
    return [await access.block(number) for number in range(top, top - count, -1)]
