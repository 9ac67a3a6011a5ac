"""What a migration of a store did."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Migrated:
    """Versions of the schema before and after, each step between them, and what could not be had."""

    before: int
    after: int
    steps: tuple[str, ...]
    notes: tuple[str, ...] = ()
