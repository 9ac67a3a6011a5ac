"""The relay plugin passes the suite of all relays, and says to its service what that expects, word for word."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import ValidationError
from sep_hooks.context import PluginContext
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.testing.relay import RelaySuite, private
from sep_hooks.types import AnswerKind
from sep_relay_flashbots import Flashbots, FlashbotsConfig

from ..harness.relay_stub import Mood, RelayStub, serving

pytestmark = pytest.mark.anyio

KEY = "0x" + "5e" * 32


def sha3(raw: bytes) -> str:
    return "0x" + hashlib.sha3_256(raw).hexdigest()


@asynccontextmanager
async def relaying(stub: RelayStub, **more: Any) -> AsyncIterator[Flashbots]:
    async with serving(stub):
        config = FlashbotsConfig.model_validate({"url": stub.url, "auth_key": KEY, **more})
        relay = Flashbots(config, PluginContext("dark", FakeClock(), FakeLog()))
        await relay.open()
        try:
            yield relay
        finally:
            await relay.close()


@pytest.fixture(params=["private-transaction", "bundle"])
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestFlashbots(RelaySuite):
    """Both of its methods."""

    @pytest.fixture
    async def taking(self, method: str) -> AsyncIterator[Flashbots]:
        async with relaying(RelayStub(hash_of=sha3), method=method, blocks=3) as relay:
            yield relay

    @pytest.fixture(params=[Mood.SILENT, Mood.FAILING, Mood.NONSENSE])
    async def lost(self, method: str, request: pytest.FixtureRequest) -> AsyncIterator[Flashbots]:
        async with relaying(RelayStub(hash_of=sha3, mood=request.param), method=method) as relay:
            yield relay


async def test_what_it_says_of_a_private_transaction() -> None:
    stub, one = RelayStub(hash_of=sha3), private(next_block=7, last_block=9)
    async with relaying(stub) as relay:
        assert relay.most_blocks == 25
        await relay.send(one)
        await relay.withdraw(one.hash)
    sent, cancelled = stub.asked
    assert sent["method"] == "eth_sendPrivateTransaction"
    assert sent["params"] == [
        {
            "tx": "0x" + one.raw.hex(),
            "maxBlockNumber": "0x9",
            "preferences": {"fast": False, "privacy": {"hints": ["hash"]}},
        }
    ]
    assert (cancelled["method"], cancelled["params"]) == (
        "eth_cancelPrivateTransaction",
        [{"txHash": one.hash}],
    )
    assert len(stub.senders) == 1
    assert not stub.held


async def test_a_bundle_is_offered_for_each_block() -> None:
    stub, one = RelayStub(hash_of=sha3), private(next_block=7, last_block=9)
    async with relaying(stub, method="bundle") as relay:
        await relay.send(one)
        await relay.withdraw(one.hash)
    raw = "0x" + one.raw.hex()
    assert [asked["params"] for asked in stub.asked] == [
        [{"txs": [raw], "blockNumber": hex(block)}] for block in (7, 8, 9)
    ]


async def test_another_hash_than_that_of_the_bytes_is_no_yes() -> None:
    async with relaying(RelayStub(hash_of=sha3, mood=Mood.LYING)) as relay:
        answer = await relay.send(private())
    assert answer.kind is AnswerKind.AMBIGUOUS
    assert private().hash in answer.text


async def test_a_service_that_is_not_there_is_unclear_and_told_no_secret() -> None:
    stub = RelayStub()
    async with relaying(stub) as relay:
        gone = stub.url
    config = FlashbotsConfig.model_validate({"url": f"{gone}/secret-path", "auth_key": KEY})
    relay = Flashbots(config, PluginContext("dark", FakeClock(), FakeLog()))
    await relay.open()
    answer = await relay.send(private())
    await relay.close()
    assert answer.kind is AnswerKind.AMBIGUOUS
    assert "secret-path" not in answer.text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "http://relay.example"}, "use https://"),
        ({"url": "ftp://relay.example"}, "no https:// address"),
        ({"url": ""}, "no https:// address"),
        ({"auth_key": "0x12"}, "64 hexadecimal digits"),
        ({"blocks": 0}, "greater than or equal to 1"),
        ({"blocks": 26}, "less than or equal to 25"),
        ({"method": "fast"}, "'private-transaction' or 'bundle'"),
        ({"hints": ["everything"]}, "'hash'"),
        ({"useMempool": True}, "not permitted"),
    ],
)
def test_a_wrong_table_is_refused_without_its_key(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        FlashbotsConfig.model_validate({"url": "https://relay.example", "auth_key": KEY, **wrong})
    assert said in str(refused.value)
    assert KEY not in str(refused.value)
