"""Facts of the ledger; stream `ledger:<account>`."""

import dataclasses
from typing import Literal
from uuid import UUID

from sep_hooks.types import Amount, AssetId, IntentId, Quantity

from sep_core.events.registry import Fact, fact

type AccountClass = Literal["wallet", "trade", "gas", "fee", "external", "doubt", "unexplained"]
"""What a posting stands in: owned, exchanged, spent, from outside, not known."""


@dataclasses.dataclass(frozen=True, slots=True)
class Posting:
    """One line of an entry: base units into (positive) or out of an account of the ledger.

    `value` is what the quantity was worth in the entry's numéraire, None where that was not known.
    """

    account_class: AccountClass
    asset: AssetId
    strategy: str
    quantity: Quantity
    value: Amount | None = None


@fact("JournalPosted")
class JournalPosted(Fact):
    """An entry, zero-sum for each asset, keyed by the id of the fact that it books.

    `status`: provisional entries are voided or replaced by final ones; a void entry repeats its original's key
    with its postings reversed. `transaction_hash` is empty where no transaction stands behind it.
    """

    key: UUID
    account: str
    status: Literal["provisional", "final", "void"]
    reason: str
    intent_id: IntentId | None
    postings: tuple[Posting, ...]
    transaction_hash: str = ""
    numeraire: AssetId | None = None
