"""JSON of an Ethereum node as values of the contract."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from sep_hooks.errors import RpcUnavailable
from sep_hooks.types import Address, Block, BlockRef, CallResult, ChainLog, Receipt

from .header import Header

LARGEST_COUNT: Final = 2**53 - 1
"""Block numbers, times and amounts of gas lie far below; what the log holds as a number must not lie above."""

LARGEST_PRICE: Final = 2**128 - 1
"""Wei per gas; times an amount of gas it is still an amount."""

_HASH: Final = re.compile(r"0x[0-9a-fA-F]{64}")


def quantity(value: object) -> int:
    """A hexadecimal quantity as number. Raises `RpcUnavailable`."""
    if isinstance(value, str) and value.startswith("0x") and len(value) > 2:
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise malformed("quantity", value)


def count(value: object, most: int = LARGEST_COUNT) -> int:
    """A quantity that is at most `most`. Raises `RpcUnavailable`: no honest chain says more."""
    number = quantity(value)
    if number > most:
        raise malformed("a quantity that can be", value)
    return number


def hash_text(value: object) -> str:
    """A hash of 32 bytes in lower case. Raises `RpcUnavailable`."""
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value.lower()
    raise malformed("a hash", value)


def octets(value: object) -> bytes:
    """Hexadecimal data as bytes. Raises `RpcUnavailable`."""
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass
    raise malformed("data", value)


def text(value: object) -> str:
    """A hash or address in lower case. Raises `RpcUnavailable`."""
    if isinstance(value, str) and value.startswith("0x"):
        return value.lower()
    raise malformed("text", value)


def header(value: object) -> Header:
    """A block's header. Raises `RpcUnavailable`."""
    fields = record(value)
    block = Block(
        number=count(fields.get("number")),
        hash=hash_text(fields.get("hash")),
        parent_hash=hash_text(fields.get("parentHash")),
        timestamp=count(fields.get("timestamp")),
        base_fee=count(fields.get("baseFeePerGas", "0x0"), LARGEST_PRICE),
        gas_limit=count(fields.get("gasLimit")),
    )
    bloom = fields.get("logsBloom")
    return Header(block, count(fields.get("gasUsed")), None if bloom is None else octets(bloom))


def logs(value: object) -> tuple[ChainLog, ...]:
    """Logs in the order of the chain, each numbered inside its transaction. Raises `RpcUnavailable`."""
    items = [record(item) for item in sequence(value)]
    if all("logIndex" in item for item in items):
        items.sort(key=lambda item: quantity(item["logIndex"]))
    counts: dict[str, int] = {}
    parsed = []
    for item in items:
        transaction = item.get("transactionHash")
        transaction_hash = "" if transaction is None else text(transaction)
        ordinal = counts.get(transaction_hash, 0)
        counts[transaction_hash] = ordinal + 1
        parsed.append(
            ChainLog(
                address=Address(text(item.get("address"))),
                topics=tuple(octets(topic) for topic in sequence(item.get("topics"))),
                data=octets(item.get("data")),
                transaction_hash=transaction_hash,
                ordinal=ordinal,
            )
        )
    return tuple(parsed)


def receipt(value: object) -> Receipt:
    """A transaction's receipt. Raises `RpcUnavailable`, for numbers that no chain can hold too."""
    fields = record(value)
    return Receipt(
        transaction_hash=hash_text(fields.get("transactionHash")),
        block=BlockRef(count(fields.get("blockNumber")), hash_text(fields.get("blockHash"))),
        ok=quantity(fields.get("status")) == 1,
        gas_used=count(fields.get("gasUsed")),
        effective_gas_price=count(fields.get("effectiveGasPrice"), LARGEST_PRICE),
        logs=logs(fields.get("logs")),
    )


def call_result(value: object) -> CallResult:
    """One call of `eth_simulateV1`. Raises `RpcUnavailable`."""
    fields = record(value)
    error = fields.get("error")
    output = octets(fields.get("returnData", "0x"))
    message = ""
    if isinstance(error, Mapping):
        message = str(error.get("message", ""))[:300]
        data = error.get("data")
        if not output and isinstance(data, str) and data.startswith("0x"):
            output = octets(data)
    return CallResult(
        ok=quantity(fields.get("status")) == 1,
        output=output,
        gas_used=count(fields.get("gasUsed")),
        logs=logs(fields.get("logs", [])),
        error=message,
    )


def parsed(raw: bytes) -> object:
    """Raw JSON as Python values."""
    value: object = orjson.loads(raw)
    return value


def record(value: object) -> Mapping[str, object]:
    """An object. Raises `RpcUnavailable`."""
    if isinstance(value, dict):
        return value
    raise malformed("object", value)


def sequence(value: object) -> Sequence[object]:
    """An array. Raises `RpcUnavailable`."""
    if isinstance(value, list):
        return value
    raise malformed("array", value)


def malformed(wanted: str, found: object) -> RpcUnavailable:
    """The error for an answer of another shape."""
    return RpcUnavailable(f"an endpoint answered {str(found)[:80]!r} where {wanted} was expected")
