"""The room's only door to the native core: what signed bytes say by themselves."""

from sep_hooks.types import Amount, Transaction, address
from sep_native.sign import recover_transaction

from sep_core.execution.ports import Recovered

__all__ = ["read_signed"]


def read_signed(raw: bytes) -> Recovered:
    """Who signed what, read out of the bytes. Raises `Permanent` for bytes that are no signed transaction."""
    found = recover_transaction(raw)
    said = found.transaction
    return Recovered(
        address(found.sender),
        "0x" + found.hash.hex(),
        Transaction(
            said.chain_id,
            said.nonce,
            address(said.to),
            Amount(said.value),
            said.data,
            said.gas_limit,
            said.max_fee_per_gas,
            said.max_priority_fee_per_gas,
        ),
    )
