"""Sends transactions of unlocked accounts and waits for their receipts."""

import time

from .encoding import Argument, checksum_address, decode_result, encode_arguments, encode_call
from .errors import TestnetError, TransactionReverted
from .rpc import Json, NodeRpc

RECEIPT_TIMEOUT_SECONDS = 10.0
_POLL_SECONDS = 0.001
_GAS_LIMIT = 9_000_000
_MAX_FEE_WEI = 200_000_000_000
_TIP_WEI = 1_000_000_000

type Receipt = dict[str, Json]


class Transactor:
    """Acts for one sender. With `mines` each transaction is mined at once in a block of its own;
    without it the node's own mining is awaited.
    """

    def __init__(self, rpc: NodeRpc, sender: str, *, mines: bool) -> None:
        self.rpc = rpc
        self.sender = sender
        self._mines = mines

    def deploy(self, code: bytes, types: tuple[str, ...] = (), *arguments: Argument) -> str:
        """Create a contract and give its address."""
        receipt = self.send(None, code + encode_arguments(types, arguments))
        return checksum_address(str(receipt["contractAddress"]))

    def execute(self, to: str, signature: str, *arguments: Argument, value: int = 0) -> Receipt:
        """Call a contract in a transaction. Raises `TransactionReverted`."""
        return self.send(to, encode_call(signature, *arguments), value=value)

    def read(
        self, to: str, signature: str, returns: tuple[str, ...], *arguments: Argument
    ) -> tuple[object, ...]:
        """Call a contract at the latest block without a transaction."""
        return read_contract(self.rpc, to, signature, returns, *arguments)

    def send(self, to: str | None, data: bytes = b"", *, value: int = 0, gas: int = _GAS_LIMIT) -> Receipt:
        """Send a transaction and give its receipt. Raises `TransactionReverted`."""
        transaction_hash = self.submit(to, data, value=value, gas=gas)
        if self._mines:
            self.rpc.call("evm_mine")
        receipt = await_receipt(self.rpc, transaction_hash)
        if receipt["status"] != "0x1":
            raise TransactionReverted(
                f"transaction {transaction_hash} to {to or 'a new contract'} reverted",
                transaction_hash=transaction_hash,
            )
        return receipt

    def submit(self, to: str | None, data: bytes = b"", *, value: int = 0, gas: int = _GAS_LIMIT) -> str:
        """Hand a transaction to the node's pool and give its hash."""
        transaction: dict[str, Json] = {
            "from": self.sender,
            "data": "0x" + data.hex(),
            "value": hex(value),
            "gas": hex(gas),
            "maxFeePerGas": hex(_MAX_FEE_WEI),
            "maxPriorityFeePerGas": hex(_TIP_WEI),
        }
        if to is not None:
            transaction["to"] = to
        return self.rpc.text("eth_sendTransaction", transaction)


def read_contract(
    rpc: NodeRpc, to: str, signature: str, returns: tuple[str, ...], *arguments: Argument
) -> tuple[object, ...]:
    """Call a contract at the latest block without a transaction."""
    data = "0x" + encode_call(signature, *arguments).hex()
    output = rpc.text("eth_call", {"to": to, "data": data}, "latest")
    return decode_result(returns, bytes.fromhex(output[2:]))


def await_receipt(rpc: NodeRpc, transaction_hash: str) -> Receipt:
    """Wait until a transaction is mined: automatic mining is not instant.

    Raises `TestnetError` when no receipt comes in time.
    """
    deadline = time.monotonic() + RECEIPT_TIMEOUT_SECONDS
    while not isinstance(receipt := rpc.call("eth_getTransactionReceipt", transaction_hash), dict):
        if time.monotonic() > deadline:
            raise TestnetError(
                f"no receipt of {transaction_hash} within {RECEIPT_TIMEOUT_SECONDS:.0f} s",
                next_step="mine a block, or switch automatic mining on",
            )
        time.sleep(_POLL_SECONDS)
    return receipt
