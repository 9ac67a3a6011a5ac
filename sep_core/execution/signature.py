"""Whether what a signer hands out is the signature that was asked for, by its bytes and not by its word."""

from dataclasses import replace

from sep_hooks.types import Address, SignedTransaction, Transaction, address

from sep_core.execution.errors import SignatureMismatch
from sep_core.execution.ports import ReadSigned, Recovered


def check_signature(
    read: ReadSigned, owner: Address, step_id: str, transaction: Transaction, signed: SignedTransaction
) -> None:
    """Raises `SignatureMismatch` unless the bytes are the owner's signature of exactly this transaction, and their
    hash is the one that the signer names.
    """
    try:
        wanted = Recovered(owner, signed.hash, replace(transaction, to=address(transaction.to)))
        found = read(signed.raw)
    except Exception as error:  # bytes of a plugin: whatever is wrong with them, they are not the transaction
        raise _mismatch(step_id, f"they cannot be read: {error}") from error
    if found.sender != wanted.sender:
        raise _mismatch(step_id, f"they are signed by {found.sender}, not by {owner}")
    if found.transaction != wanted.transaction:
        raise _mismatch(step_id, f"they carry another transaction, at nonce {found.transaction.nonce}")
    if found.hash != wanted.hash:
        raise _mismatch(step_id, f"their hash is {found.hash}, the signer says {str(wanted.hash)[:80]!r}")


def _mismatch(step_id: str, why: str) -> SignatureMismatch:
    return SignatureMismatch(
        f"the signer's bytes for step {step_id} are not what was asked for: {why};"
        " they were not recorded and not sent, and nothing more is signed in this run",
        next_step="look at the signer, then start again and see `sep reconcile`",
    )
