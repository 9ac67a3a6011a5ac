"""What a signer remembers, sorted by whose it is: this log's, or somebody else's."""

from collections.abc import Callable, Iterable
from uuid import UUID

from sep_hooks.signer import SignedEntry
from sep_hooks.types import IntentId

from sep_core.execution.errors import SignedElsewhere
from sep_core.execution.lane import LaneState

MOST_NAMED = 3


def of_this_log(entry: SignedEntry, store_id: UUID, knows: Callable[[IntentId], bool]) -> bool:
    """Whether a signature may be taken over: it was made for this log, for an intent that the log knows."""
    return entry.request.store_id == store_id and knows(entry.request.intent_id)


def check_taken(lane: LaneState, strange: Iterable[SignedEntry], chain_nonce: int, store_id: UUID) -> None:
    """Whether each of these foreign signatures has had its nonce taken by the chain, so that it is void or done.

    Raises `SignedElsewhere`, naming those that could still be executed.
    """
    open_ones = [one for one in strange if one.request.transaction.nonce >= chain_nonce]
    if not open_ones:
        return
    named = "; ".join(_named(one, store_id) for one in open_ones[:MOST_NAMED])
    more = f"; and {len(open_ones) - MOST_NAMED} more" if len(open_ones) > MOST_NAMED else ""
    raise SignedElsewhere(
        f"the signer of account {lane.name} remembers signatures that this log does not know, at nonces that the"
        f" chain has not taken (it stands at {chain_nonce}): {named}{more}; none was sent, nothing new is signed",
        next_step=f"start the engine on the data folder that they belong to, or give account {lane.name} a new key;"
        " on a chain that began anew, move the signer's memory file aside",
    )


def _named(entry: SignedEntry, store_id: UUID) -> str:
    request = entry.request
    log = "this log" if request.store_id == store_id else f"log {request.store_id}"
    return (
        f"nonce {request.transaction.nonce}, step {request.step_id} of intent {request.intent_id}"
        f" of {log}, {entry.signed.hash}"
    )
