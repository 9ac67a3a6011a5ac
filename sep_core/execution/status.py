"""Where the effect at one nonce stands."""

from enum import StrEnum


class EntryStatus(StrEnum):
    """The public states of a nonce. `REVERTED` and `CANCELLED` are final too; only evidence leads out of doubt."""

    RESERVED = "RESERVED"
    SIGNED = "SIGNED"
    SUBMITTED = "SUBMITTED"
    INCLUDED = "INCLUDED"
    REORGED = "REORGED"
    IN_DOUBT = "IN_DOUBT"
    FINAL = "FINAL"
    REVERTED = "REVERTED"
    CANCELLED = "CANCELLED"
    CONSUMED = "CONSUMED"

    @property
    def finished(self) -> bool:
        """Whether nothing can follow."""
        return self in _FINISHED

    @property
    def in_doubt(self) -> bool:
        """Whether only a receipt, or proof that there can be none, leads on."""
        return self in _DOUBTFUL


_FINISHED = frozenset({EntryStatus.FINAL, EntryStatus.REVERTED, EntryStatus.CANCELLED, EntryStatus.CONSUMED})
_DOUBTFUL = frozenset({EntryStatus.IN_DOUBT, EntryStatus.REORGED})
