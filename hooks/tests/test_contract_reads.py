"""Batches of reads: what a contract does not answer is told apart from an endpoint that is silent."""

import pytest
from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import (
    NoSuchAnswer,
    Read,
    latest_block,
    numbers,
    read_all,
    read_each,
    read_if_any,
    texts,
    timestamp_of,
)
from sep_hooks.errors import CallReverted, RpcRejected, RpcUnavailable, SepError, VenueError
from sep_hooks.testing.abi import EthAbi
from sep_hooks.testing.fakes import FakeRpc, venue_context
from sep_hooks.types import Address, BlockRef, Json

pytestmark = pytest.mark.anyio

POOL = Address("0x" + "0a" * 20)
AT = BlockRef(7, "0x" + "07" * 32)
READ = Read(POOL, "fee()", (), "(uint256)")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def rpc() -> FakeRpc:
    return FakeRpc()


@pytest.fixture
def context(rpc: FakeRpc) -> VenueContext:
    return venue_context(rpc, "pools")


def word(value: int) -> str:
    return "0x" + value.to_bytes(32).hex()


async def test_answers_come_in_order_and_at_the_block_asked(rpc: FakeRpc, context: VenueContext) -> None:
    rpc.answer("eth_call", word(1), word(2))
    assert await read_all(context, [READ, READ], AT) == [(1,), (2,)]
    assert [request.at for request in rpc.requests] == [AT, AT]
    rpc.answer("eth_call", word(2))
    await read_all(context, [READ])
    assert rpc.requests[-1].params[1:] == ("latest",)


async def test_no_reads_ask_nothing(rpc: FakeRpc, context: VenueContext) -> None:
    assert await read_each(context, []) == []
    assert rpc.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        "0x",
        CallReverted("it reverts"),
        RpcRejected("invalid opcode: INVALID", rpc_code=-32000),
    ],
)
async def test_a_contract_without_an_answer_is_known_as_that(
    rpc: FakeRpc, context: VenueContext, answer: Json | SepError
) -> None:
    rpc.answer("eth_call", answer)
    assert await read_if_any(context, [READ], AT) == [None]
    (reading,) = await read_each(context, [READ], AT)
    assert isinstance(reading, NoSuchAnswer)
    with pytest.raises(VenueError, match="fee of 0x0a0a"):
        await read_all(context, [READ], AT)


@pytest.mark.parametrize(
    "answer", [RpcUnavailable("nobody is there"), RpcRejected("no", rpc_code=-32005), "0x01", 17]
)
async def test_silence_and_nonsense_are_no_evidence_of_absence(
    rpc: FakeRpc, context: VenueContext, answer: Json | SepError
) -> None:
    rpc.answer("eth_call", answer)
    (reading,) = await read_each(context, [READ], AT)
    assert isinstance(reading, VenueError)
    assert not isinstance(reading, NoSuchAnswer)
    with pytest.raises(VenueError):
        await read_if_any(context, [READ], AT)


async def test_one_failure_leaves_the_others(rpc: FakeRpc, context: VenueContext) -> None:
    rpc.answer("eth_call", word(1), CallReverted("no"), word(3))
    first, second, third = await read_each(context, [READ, READ, READ], AT)
    assert (first, third) == ((1,), (3,))
    assert isinstance(second, NoSuchAnswer)


async def test_blocks_and_their_times(rpc: FakeRpc, context: VenueContext) -> None:
    rpc.answer("eth_getBlockByNumber", {"number": "0x7", "hash": AT.hash})
    assert await latest_block(context) == AT
    rpc.answer("eth_getBlockByHash", {"timestamp": "0x10"}, None)
    assert await timestamp_of(context, AT) == 16
    with pytest.raises(VenueError, match="has no block"):
        await timestamp_of(context, AT)
    silent = venue_context(other := FakeRpc(), "pools")
    other.answer("eth_getBlockByNumber", None)
    with pytest.raises(VenueError, match="no latest block"):
        await latest_block(silent)


async def test_arrays_of_numbers_and_addresses(rpc: FakeRpc, context: VenueContext) -> None:
    data = EthAbi().encode("(address[],uint256[])", ((POOL.upper().replace("0X", "0x"),), (5, 6)))
    rpc.answer("eth_call", "0x" + data.hex())
    ((tokens, amounts),) = await read_all(context, [Read(POOL, "all()", (), "(address[],uint256[])")])
    assert (texts(tokens), numbers(amounts)) == ((POOL,), (5, 6))
