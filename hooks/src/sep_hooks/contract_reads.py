"""Reads of contracts in batches, for venues."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sep_hooks.context import RpcFailed, RpcOutcome, RpcRequest, VenueContext
from sep_hooks.errors import CallReverted, Permanent, SepError, VenueError
from sep_hooks.types import AbiValue, Address, BlockRef


class NoSuchAnswer(VenueError):
    """A contract was asked and has no such answer: it refuses, or nothing stands there. Never for a silent endpoint."""

    code = "no_such_answer"


@dataclass(frozen=True, slots=True)
class Read:
    """One call of a contract: whom, what with which arguments, and the types of the answer."""

    to: Address
    signature: str
    arguments: tuple[AbiValue, ...]
    returns: str


type Reading = tuple[AbiValue, ...] | VenueError


async def read_all(
    context: VenueContext, reads: Sequence[Read], at: BlockRef | None = None
) -> Sequence[tuple[AbiValue, ...]]:
    """The answers at one block, or the latest. Raises `VenueError` for the first that cannot be had."""
    answers: list[tuple[AbiValue, ...]] = []
    for reading in await read_each(context, reads, at):
        if isinstance(reading, VenueError):
            raise reading
        answers.append(reading)
    return answers


async def read_each(
    context: VenueContext, reads: Sequence[Read], at: BlockRef | None = None
) -> Sequence[Reading]:
    """The answer to each read, or why it cannot be had; `NoSuchAnswer` where the contract itself has none."""
    if not reads:
        return []
    outcomes = await context.rpc.calls([_request(context, read, at) for read in reads])
    return [_reading(context, read, outcome) for read, outcome in zip(reads, outcomes, strict=True)]


async def read_if_any(
    context: VenueContext, reads: Sequence[Read], at: BlockRef | None = None
) -> Sequence[tuple[AbiValue, ...] | None]:
    """The answer to each read, None where the contract has none.

    Raises `VenueError` where an endpoint does not say: silence is no evidence of absence.
    """
    answers: list[tuple[AbiValue, ...] | None] = []
    for reading in await read_each(context, reads, at):
        if isinstance(reading, VenueError) and not isinstance(reading, NoSuchAnswer):
            raise reading
        answers.append(None if isinstance(reading, VenueError) else reading)
    return answers


async def latest_block(context: VenueContext) -> BlockRef:
    """The newest block, so that several reads can be made of one state. Raises `VenueError`."""
    block = json.loads(await context.rpc.call(RpcRequest("eth_getBlockByNumber", ("latest", False))))
    if not isinstance(block, dict) or not isinstance(block.get("hash"), str):
        raise VenueError(f"venue {context.instance}: chain {context.chain_id} answers no latest block")
    return BlockRef(int(str(block["number"]), 16), block["hash"])


async def timestamp_of(context: VenueContext, at: BlockRef) -> int:
    """The time of a block, in chain seconds. Raises `VenueError` where the chain does not know it."""
    block = json.loads(await context.rpc.call(RpcRequest("eth_getBlockByHash", (at.hash, False))))
    if not isinstance(block, dict):
        raise VenueError(f"venue {context.instance}: chain {context.chain_id} has no block {at.hash}")
    return int(str(block["timestamp"]), 16)


def number(value: AbiValue) -> int:
    """A decoded integer."""
    assert isinstance(value, int)
    return value


def numbers(value: AbiValue) -> tuple[int, ...]:
    """A decoded array of integers."""
    assert isinstance(value, tuple)
    return tuple(number(item) for item in value)


def text(value: AbiValue) -> Address:
    """A decoded address."""
    assert isinstance(value, str)
    return Address(value.lower())


def texts(value: AbiValue) -> tuple[Address, ...]:
    """A decoded array of addresses."""
    assert isinstance(value, tuple)
    return tuple(text(item) for item in value)


def _request(context: VenueContext, read: Read, at: BlockRef | None) -> RpcRequest:
    data = "0x" + context.abi.encode_call(read.signature, read.arguments).hex()
    call = {"to": read.to, "data": data}
    return RpcRequest("eth_call", (call,), at) if at else RpcRequest("eth_call", (call, "latest"))


def _is_final(error: SepError) -> bool:
    """Whether the contract itself ended the call; old compilers end it with an invalid instruction."""
    return isinstance(error, CallReverted) or "invalid opcode" in error.message.lower()


def _reading(context: VenueContext, read: Read, outcome: RpcOutcome) -> Reading:
    try:
        return _answer(context, read, outcome)
    except VenueError as error:
        return error


def _answer(context: VenueContext, read: Read, outcome: RpcOutcome) -> tuple[AbiValue, ...]:
    what = f"{read.signature.partition('(')[0]} of {read.to}"
    if isinstance(outcome, RpcFailed):
        kind = NoSuchAnswer if _is_final(outcome.error) else VenueError
        raise kind(f"venue {context.instance}: {what}: {outcome.error.message}") from outcome.error
    answer = json.loads(outcome.result)
    if not isinstance(answer, str):
        raise VenueError(f"venue {context.instance}: {what}: the endpoint answers no bytes")
    if len(answer) <= 2:
        raise NoSuchAnswer(
            f"venue {context.instance}: {what} answers nothing: there is no such contract on chain"
            f" {context.chain_id}",
            next_step="correct the address in the venue's table",
        )
    try:
        return context.abi.decode(read.returns, bytes.fromhex(answer[2:]))
    except (Permanent, ValueError) as error:
        raise VenueError(f"venue {context.instance}: {what} answers something else: {error}") from error
