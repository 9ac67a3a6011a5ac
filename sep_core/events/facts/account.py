"""Facts of one account's nonce lane; stream `account:<chain id>:<address>`."""

import dataclasses
from collections.abc import Iterable

from sep_hooks.signer import PayloadKind
from sep_hooks.types import (
    Address,
    Amount,
    AssetId,
    BlockRef,
    BroadcastAnswer,
    ChainRef,
    IntentId,
    SwapFill,
)

from sep_core.events.facts.old_signatures import signed_for_all
from sep_core.events.registry import Fact, fact


@dataclasses.dataclass(frozen=True, slots=True)
class Transfer:
    """A token transfer decoded out of a receipt; `ordinal` is the log's place in its transaction."""

    asset: AssetId
    sender: Address
    recipient: Address
    amount: Amount
    ordinal: int


def net_flow(transfers: Iterable[Transfer], asset: AssetId, owner: Address) -> int:
    """What `owner` gained of an asset by these transfers, negative where it was spent."""
    return sum(
        transfer.amount * ((transfer.recipient == owner) - (transfer.sender == owner))
        for transfer in transfers
        if transfer.asset == asset
    )


@fact("AccountOpened")
class AccountOpened(Fact):
    """The account joins this log; `next_nonce` and `balances` are the chain's at `block`."""

    name: str
    chain: ChainRef
    address: Address
    next_nonce: int
    block: BlockRef
    balances: tuple[tuple[AssetId, Amount], ...]


@fact("AssetsAdopted")
class AssetsAdopted(Fact):
    """Assets that the configuration names since the account was opened; `balances` are the chain's at `block`."""

    name: str
    chain: ChainRef
    address: Address
    block: BlockRef
    balances: tuple[tuple[AssetId, Amount], ...]


@fact("TransactionPlanned")
class TransactionPlanned(Fact):
    """A step passed simulation and will be signed; `deadline` in chain seconds, None for approvals."""

    intent_id: IntentId
    step_id: str
    to: Address
    calldata_digest: str
    limit_in: Amount
    limit_out: Amount
    deadline: int | None


@fact("NonceReserved")
class NonceReserved(Fact):
    """The nonce belongs to the step from now on; written with the signed bytes."""

    nonce: int
    intent_id: IntentId
    step_id: str


@fact("TransactionSigned", version=2, older={1: signed_for_all})
class TransactionSigned(Fact):
    """The signed bytes, sealed with the data folder's key, before any of them left.

    A second payload at a nonce is the same step at higher fees, or the end of it; nothing else. `relay` is the only
    one that may see the step's bytes before a block holds them, empty where all may.
    """

    nonce: int
    intent_id: IntentId
    step_id: str
    hash: str
    sealed: str
    gas_limit: int
    max_fee_per_gas: Amount
    max_priority_fee_per_gas: Amount
    plan_digest: str
    recovered: bool = False
    kind: PayloadKind = PayloadKind.EFFECT
    relay: str = ""


@fact("TransactionBroadcast")
class TransactionBroadcast(Fact):
    """The bytes were handed to endpoints; informative, recovery never relies on it."""

    nonce: int
    hash: str
    answers: tuple[BroadcastAnswer, ...]


@fact("TransactionDoubted")
class TransactionDoubted(Fact):
    """No answer tells whether the bytes were taken, or a receipt has not come in time."""

    nonce: int
    hash: str
    reason: str


@fact("TransactionLeaked")
class TransactionLeaked(Fact):
    """A transaction that was given to its relay alone waits in a public pool, before any block holds it."""

    nonce: int
    hash: str


@fact("ReplacementRefused")
class ReplacementRefused(Fact):
    """The signer's own policy refused a bump or cancel of the payload of that hash; what was signed goes on."""

    nonce: int
    hash: str
    kind: PayloadKind
    reason: str


@fact("TransactionPublished")
class TransactionPublished(Fact):
    """What its relay alone could see goes to every endpoint from here on, as its intent allows; `reason` says why."""

    nonce: int
    hash: str
    reason: str


@fact("TransactionIncluded")
class TransactionIncluded(Fact):
    """A receipt was seen; provisional until final. Holds chain data only."""

    nonce: int
    hash: str
    block: BlockRef
    ok: bool
    gas_used: int
    effective_gas_price: Amount
    transfers: tuple[Transfer, ...]
    passes: tuple[SwapFill, ...]
    occurrence: int


@fact("TransactionReorged")
class TransactionReorged(Fact):
    """The block of the receipt left the canonical chain; the same bytes are sent again."""

    nonce: int
    hash: str
    block: BlockRef


@fact("TransactionFinal")
class TransactionFinal(Fact):
    """The receipt's block is final by the chain's policy, named in `rule`."""

    nonce: int
    hash: str
    block: BlockRef
    ok: bool
    rule: str


@fact("NonceConsumedExternally")
class NonceConsumedExternally(Fact):
    """The nonce was used by a transaction that is not ours."""

    nonce: int
    evidence: str


@fact("AccountFrozen")
class AccountFrozen(Fact):
    """Nothing is signed for the account until an operator has looked."""

    reason: str


@fact("AccountReleased")
class AccountReleased(Fact):
    """An operator has looked at a frozen account and lets it sign again: `next_nonce` and `balances` are the chain's at
    the final `block`. What the books lack of them came or went outside this log.
    """

    next_nonce: int
    block: BlockRef
    balances: tuple[tuple[AssetId, Amount], ...]
    reason: str
    by: str
