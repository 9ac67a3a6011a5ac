"""Reads of contracts in batches."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sep_hooks.context import RpcFailed, RpcOutcome, RpcRequest, VenueContext
from sep_hooks.errors import Permanent, VenueError
from sep_hooks.types import AbiValue, Address, BlockRef


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
    """The answer to each read, or why it cannot be had."""
    if not reads:
        return []
    outcomes = await context.rpc.calls([_request(context, read, at) for read in reads])
    return [_reading(context, read, outcome) for read, outcome in zip(reads, outcomes, strict=True)]


def _request(context: VenueContext, read: Read, at: BlockRef | None) -> RpcRequest:
    data = "0x" + context.abi.encode_call(read.signature, read.arguments).hex()
    call = {"to": read.to, "data": data}
    return RpcRequest("eth_call", (call,), at) if at else RpcRequest("eth_call", (call, "latest"))


def _reading(context: VenueContext, read: Read, outcome: RpcOutcome) -> Reading:
    try:
        return _answer(context, read, outcome)
    except VenueError as error:
        return error


def _answer(context: VenueContext, read: Read, outcome: RpcOutcome) -> tuple[AbiValue, ...]:
    what = f"{read.signature.partition('(')[0]} of {read.to}"
    if isinstance(outcome, RpcFailed):
        raise VenueError(f"venue {context.instance}: {what}: {outcome.error.message}") from outcome.error
    text = json.loads(outcome.result)
    if not isinstance(text, str) or len(text) <= 2:
        raise VenueError(
            f"venue {context.instance}: {what} answers nothing: there is no such contract on chain"
            f" {context.chain_id}",
            next_step="correct the address in the venue's table",
        )
    try:
        return context.abi.decode(read.returns, bytes.fromhex(text[2:]))
    except (Permanent, ValueError) as error:
        raise VenueError(f"venue {context.instance}: {what} answers something else: {error}") from error


def number(value: AbiValue) -> int:
    """A decoded integer."""
    assert isinstance(value, int)
    return value


def text(value: AbiValue) -> Address:
    """A decoded address."""
    assert isinstance(value, str)
    return Address(value.lower())
