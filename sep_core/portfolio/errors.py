"""What can be wrong with an entry of the ledger."""

from sep_hooks.errors import Permanent


class LedgerError(Permanent):
    """The base of what the ledger refuses; its books stay as they were."""

    code = "ledger_error"


class Unbalanced(LedgerError):
    """An entry does not sum to zero for an asset."""

    code = "unbalanced_entry"


class EntryConflict(LedgerError):
    """An entry contradicts what stands under its key."""

    code = "entry_conflict"
