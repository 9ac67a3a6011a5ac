"""What an endpoint says is bounded before anybody works with it: a number that cannot be is no answer."""

import pytest
from sep_hooks.errors import RpcUnavailable

from sep_core.chains import parse

HASH = "0x" + "Ab" * 32
RECEIPT = {
    "transactionHash": HASH,
    "blockNumber": "0x7",
    "blockHash": HASH,
    "status": "0x1",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x0",
    "logs": [],
}
HEADER = {
    "number": "0x7",
    "hash": HASH,
    "parentHash": HASH,
    "timestamp": "0x1",
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x0",
}


def test_an_honest_receipt_is_read() -> None:
    receipt = parse.receipt(RECEIPT)
    assert (receipt.transaction_hash, receipt.gas_used) == (HASH.lower(), 21_000)
    assert receipt.effective_gas_price == 0
    assert receipt.ok
    assert parse.header(HEADER).block.hash == HASH.lower()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gasUsed", hex(2**60)),
        ("blockNumber", hex(2**53)),
        ("effectiveGasPrice", hex(2**128)),
        ("transactionHash", "0xab"),
        ("transactionHash", "0x" + "zz" * 32),
        ("blockHash", HASH + "00"),
        ("blockHash", None),
    ],
)
def test_a_receipt_that_cannot_be_is_no_answer(field: str, value: object) -> None:
    with pytest.raises(RpcUnavailable, match="an endpoint answered"):
        parse.receipt({**RECEIPT, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("number", hex(2**53)), ("timestamp", hex(2**64)), ("hash", "0x1"), ("baseFeePerGas", hex(2**128))],
)
def test_a_header_that_cannot_be_is_no_answer(field: str, value: object) -> None:
    with pytest.raises(RpcUnavailable, match="an endpoint answered"):
        parse.header({**HEADER, field: value})
