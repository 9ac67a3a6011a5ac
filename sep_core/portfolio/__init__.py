"""The books: journal entries, balances, average cost, profit, and whether they agree with the chain."""

from sep_core.portfolio.equity import (
    EquityState,
    Owned,
    Unmeasured,
    equity_of,
    evolve_equity,
    is_news,
    mark,
    owned_by,
)
from sep_core.portfolio.errors import EntryConflict, LedgerError, Unbalanced
from sep_core.portfolio.ledger import Holding, Ledger, evolve_ledger, fold_ledger, reversed_postings
from sep_core.portfolio.owner import UNALLOCATED, Owner, owner_of
from sep_core.portfolio.position import Position
from sep_core.portfolio.posting import (
    entry_key,
    post_final,
    post_foreign,
    post_included,
    post_opening,
    post_paper,
    post_release,
    post_reorged,
)
from sep_core.portfolio.profit import Profit, floor_value, profit
from sep_core.portfolio.reconcile import Mismatch, check_books

__all__ = [
    "UNALLOCATED",
    "EntryConflict",
    "EquityState",
    "Holding",
    "Ledger",
    "LedgerError",
    "Mismatch",
    "Owned",
    "Owner",
    "Position",
    "Profit",
    "Unbalanced",
    "Unmeasured",
    "check_books",
    "entry_key",
    "equity_of",
    "evolve_equity",
    "evolve_ledger",
    "floor_value",
    "fold_ledger",
    "is_news",
    "mark",
    "owned_by",
    "owner_of",
    "post_final",
    "post_foreign",
    "post_included",
    "post_opening",
    "post_paper",
    "post_release",
    "post_reorged",
    "profit",
    "reversed_postings",
]
