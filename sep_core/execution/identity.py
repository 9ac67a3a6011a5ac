"""Deterministic ids of chain facts: a second observation of one fact is the same event."""

from typing import Final
from uuid import UUID, uuid5

from sep_hooks.types import ChainRef, chain_id_of

from sep_core.events.registry import Fact, fact_type

CHAIN_NAMESPACE: Final = UUID("6f0d2c58-8a5e-5f0b-9b53-2f7b6f1c7d11")
"""The namespace of ids of chain facts; it never changes."""

WHOLE_TRANSACTION: Final = "-"


def chain_fact_id(
    chain: ChainRef,
    fact: Fact,
    *,
    block_hash: str,
    transaction_hash: str,
    occurrence: int,
    log: str = WHOLE_TRANSACTION,
) -> UUID:
    """UUIDv5 of chain, block, transaction, log, type and `occurrence`.

    `occurrence` counts the reorganisations already recorded for the block: after a flip-flop the block's facts
    count again. Without the block hash a re-inclusion would vanish as a duplicate.
    """
    name, _ = fact_type(fact)
    parts = (str(chain_id_of(chain)), block_hash, transaction_hash, log, name, str(occurrence))
    return uuid5(CHAIN_NAMESPACE, "|".join(parts))
