"""Key files (Web3 secret storage, version 3), EIP-1559 signatures, recovery of senders.

Addresses are EIP-55 texts. A key never becomes a Python object. Refusals raise `sep_hooks.errors.SignerRefused`.
"""

from sep_native._native import (
    Keystore,
    RecoveredTransaction,
    SignedTransaction,
    Transaction1559,
    recover_transaction,
)

__all__ = [
    "Keystore",
    "RecoveredTransaction",
    "SignedTransaction",
    "Transaction1559",
    "recover_transaction",
]
