"""The rim around the tracker: nodes that fail, lag, lie about logs, or have no tags yet."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from sep_chain_evm import Ethereum, EthereumConfig
from sep_hooks.chain import ChainPreset
from sep_hooks.context import PluginContext, RpcFailed, RpcOk, RpcOutcome, RpcRequest
from sep_hooks.errors import ConfigurationError, Permanent, RpcRejected, RpcUnavailable, SepError
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.types import ChainUpdate, Json

from sep_core.chains.bloom import bloom_of
from sep_core.chains.heads import LOOKS_BEFORE_ROLLBACK, HeadFollower, patience_for
from sep_core.chains.native import NativeAbi, VenueLogs, keccak256
from sep_core.chains.parse import logs as parse_logs
from sep_core.chains.reads import ChainReads
from sep_core.chains.tokens import APPROVAL, TRANSFER, TokenLogs
from sep_core.chains.tracker import Gap

pytestmark = pytest.mark.anyio

TOKEN = "0x" + "aa" * 20
ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20


def transfer(value: int, index: int, *, topics: int = 3) -> dict[str, Json]:
    words = [
        keccak256(b"Transfer(address,address,uint256)"),
        *(bytes.fromhex(who[2:].zfill(64)) for who in (ALICE, BOB)),
        value.to_bytes(32),
    ]
    return {
        "address": TOKEN,
        "topics": ["0x" + word.hex() for word in words[:topics]],
        "data": "0x" + b"".join(words[topics:]).hex(),
        "transactionHash": "0x" + "77" * 32,
        "logIndex": hex(index),
    }


@dataclass
class Node:
    """A node of one endpoint, in memory: a real `Rpc` over a chain that the test edits."""

    chain: list[dict[str, Json]] = field(default_factory=list)
    logs: dict[str, list[dict[str, Json]]] = field(default_factory=dict)
    tags: bool = True
    down: SepError | None = None
    hides: int = 0
    made: int = 0

    def mine(self, *logs: dict[str, Json]) -> None:
        self.made += 1
        parent = self.chain[-1]["hash"] if self.chain else "0x" + "00" * 32
        block_hash = "0x" + keccak256(self.made.to_bytes(8)).hex()
        bloom = bloom_of(parse_logs(list(logs)), keccak256)
        self.logs[block_hash] = list(logs)
        self.chain.append(
            {
                "number": hex(len(self.chain)),
                "hash": block_hash,
                "parentHash": parent,
                "timestamp": hex(100 + len(self.chain)),
                "baseFeePerGas": "0x7",
                "gasLimit": "0x1c9c380",
                "gasUsed": "0x0",
                "logsBloom": "0x" + bloom.hex(),
            }
        )

    async def call(self, request: RpcRequest, *, timeout_seconds: float = 10.0) -> bytes:
        (outcome,) = await self.calls([request], timeout_seconds=timeout_seconds)
        if isinstance(outcome, RpcFailed):
            raise outcome.error
        return outcome.result

    async def calls(
        self, requests: Sequence[RpcRequest], *, timeout_seconds: float = 10.0
    ) -> Sequence[RpcOutcome]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: RpcRequest) -> RpcOutcome:
        if self.down is not None:
            return RpcFailed(self.down)
        first = request.params[0]
        if request.method == "eth_getBlockByHash":
            return _ok(next((block for block in self.chain if block["hash"] == first), None))
        if request.method == "eth_getBlockByNumber":
            if first in ("safe", "finalized"):
                if not self.tags:
                    return RpcFailed(RpcRejected("finalized block not found", rpc_code=-32000))
                return _ok(self.chain[max(0, len(self.chain) - 3)])
            number = len(self.chain) - 1 if first == "latest" else int(str(first), 16)
            return _ok(self.chain[number] if number < len(self.chain) else None)
        assert isinstance(first, dict)
        found = self.logs[str(first["blockHash"])]
        if found and self.hides > 0:
            self.hides -= 1
            return _ok([])
        return _ok(found)


def _ok(value: Json) -> RpcOk:
    return RpcOk(json.dumps(value).encode())


def preset() -> ChainPreset:
    config = EthereumConfig.model_validate({"rpc": "http://127.0.0.1:1"})
    return Ethereum(config, PluginContext("ethereum", FakeClock(), FakeLog())).preset()


def follower(node: Node, *, patience: int = 1) -> HeadFollower:
    return HeadFollower(ChainReads(preset(), node, keccak256), FakeLog(), patience=patience)


async def step(heads: HeadFollower) -> ChainUpdate | Gap:
    item = await heads.poll()
    assert item is not None
    heads.acknowledge(item.sequence)
    return item


async def test_a_failing_node_moves_nothing_and_is_asked_again() -> None:
    node = Node()
    node.mine()
    heads = follower(node)
    assert isinstance(await step(heads), Gap)
    node.down = RpcUnavailable("the node is gone")
    node.mine()
    assert await heads.poll() is None
    assert await heads.poll() is None
    assert heads.health.failures == 2
    assert "gone" in heads.health.error
    node.down = None
    update = await step(heads)
    assert isinstance(update, ChainUpdate)
    assert (update.sequence, len(update.added)) == (2, 1)
    assert heads.health.failures == 0


async def test_logs_that_do_not_make_the_bloom_are_asked_again_and_never_believed() -> None:
    node = Node()
    node.mine()
    heads = follower(node)
    await step(heads)
    node.mine(transfer(5, 0), transfer(6, 1))
    node.hides = 1
    update = await step(heads)
    assert isinstance(update, ChainUpdate)
    assert [log.ordinal for log in update.added[0].logs] == [0, 1]
    node.mine(transfer(7, 0))
    node.hides = 2
    assert await heads.poll() is None
    assert "bloom" in heads.health.error
    again = await step(heads)
    assert isinstance(again, ChainUpdate)
    assert len(again.added[0].logs) == 1


async def test_a_young_chain_without_tags_has_nothing_final_but_its_first_block() -> None:
    node = Node(tags=False)
    for _ in range(4):
        node.mine()
    gap = await step(follower(node))
    assert (gap.finalized.number, gap.safe.number) == (0, 0)


async def test_a_lower_head_is_a_rollback_only_when_it_stays() -> None:
    node = Node()
    for _ in range(3):
        node.mine()
    heads = follower(node, patience=LOOKS_BEFORE_ROLLBACK)
    await step(heads)
    node.mine()
    await step(heads)
    top = node.chain.pop()
    for _ in range(LOOKS_BEFORE_ROLLBACK - 1):
        assert await heads.poll() is None
    node.chain.append(top)
    assert await heads.poll() is None
    node.chain.pop()
    for _ in range(LOOKS_BEFORE_ROLLBACK - 1):
        assert await heads.poll() is None
    update = await step(heads)
    assert isinstance(update, ChainUpdate)
    assert [block.hash for block in update.removed] == [top["hash"]]
    assert patience_for(["one"]) == 1
    assert patience_for(["one", "two"]) == LOOKS_BEFORE_ROLLBACK


async def test_an_acknowledgement_of_something_else_is_refused() -> None:
    node = Node()
    node.mine()
    heads = follower(node)
    with pytest.raises(ValueError, match="not the one"):
        heads.acknowledge(1)
    await heads.poll()
    with pytest.raises(ValueError, match="not the one"):
        heads.acknowledge(2)


def test_token_logs_are_read_and_those_of_collectibles_are_not() -> None:
    logs = parse_logs([transfer(5, 0), transfer(9, 1, topics=4), transfer(2**256 - 1, 2)])
    tokens = TokenLogs(1)
    found = tokens.transfers(logs)
    assert [(item.sender, item.recipient, item.amount, item.ordinal) for item in found] == [
        (ALICE, BOB, 5, 0),
        (ALICE, BOB, 2**256 - 1, 2),
    ]
    assert found[0].asset == f"eip155:1/erc20:{TOKEN}"
    assert tokens.approvals(logs) == []
    decoder = VenueLogs((TRANSFER, APPROVAL))
    decoder.decode(logs)
    assert decoder.malformed == 1


def test_signatures_that_are_none_are_refused_at_load() -> None:
    with pytest.raises(ConfigurationError, match="no event"):
        VenueLogs(["event Broken(uint257 x)"])
    with pytest.raises(ConfigurationError):
        VenueLogs(["swap it"])


def test_the_abi_refuses_what_does_not_fit() -> None:
    abi = NativeAbi()
    assert abi.decode("(uint256,address)", abi.encode("(uint256,address)", (7, TOKEN))) == (7, TOKEN)
    assert abi.decode("((uint256,bytes)[])", abi.encode("((uint256,bytes)[])", (((1, b"a"), (2, b"")),))) == (
        ((1, b"a"), (2, b"")),
    )
    for broken in (lambda: abi.decode("(uint256)", b"\x01"), lambda: abi.encode("(uint8)", (256,))):
        with pytest.raises(Permanent):
            broken()
    with pytest.raises(Permanent):
        abi.encode_call("transfer(address,uint256)", ("0x12", 1))
    with pytest.raises(Permanent):
        abi.decode_call("transfer(address,uint256)", b"\0" * 68)
    with pytest.raises(Permanent):
        abi.decode("uint256", b"\0" * 32)
