"""Which of a signer's rows a log takes over, and which stand in its way."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.signer import SignedEntry, SignRequest
from sep_hooks.types import Address, Amount, BlockRef, IntentId, SignedTransaction, Transaction, evm_chain

from sep_core.execution import LaneKey, LaneState
from sep_core.execution.errors import SignedElsewhere
from sep_core.execution.remembered import check_taken, of_this_log

OURS, OTHER = UUID(int=1), UUID(int=2)
KNOWN, UNKNOWN = IntentId(UUID(int=3)), IntentId(UUID(int=4))
OWNER = Address("0x" + "11" * 20)
LANE = LaneState(LaneKey(evm_chain(1), OWNER), "main", 0, BlockRef(0, "0x00"))


def row(nonce: int, store_id: UUID = OTHER, intent_id: IntentId = KNOWN) -> SignedEntry:
    transaction = Transaction(1, nonce, OWNER, Amount(0), b"", 21_000, 1, 1)
    request = SignRequest(intent_id, "1.1-swap", 1, "digest", transaction, store_id)
    return SignedEntry(request, SignedTransaction(b"", f"0x{nonce:064x}"))


@pytest.mark.parametrize(
    ("entry", "ours"),
    [(row(0, OURS, KNOWN), True), (row(0, OURS, UNKNOWN), False), (row(0, OTHER, KNOWN), False)],
)
def test_only_known_intents_of_this_log_are_taken_over(entry: SignedEntry, ours: bool) -> None:
    assert of_this_log(entry, OURS, lambda one: one == KNOWN) is ours


@given(st.lists(st.integers(0, 40), unique=True), st.integers(0, 41))
def test_rows_block_exactly_where_the_chain_could_still_execute_them(
    nonces: Sequence[int], stands: int
) -> None:
    open_ones = [nonce for nonce in nonces if nonce >= stands]
    if not open_ones:
        check_taken(LANE, [row(nonce) for nonce in nonces], stands, OURS)
        return
    with pytest.raises(SignedElsewhere) as found:
        check_taken(LANE, [row(nonce) for nonce in nonces], stands, OURS)
    assert f"nonce {open_ones[0]}, step 1.1-swap of intent {KNOWN} of log {OTHER}" in found.value.message
    assert f"it stands at {stands}" in found.value.message
    assert found.value.next_step


def test_a_row_of_this_log_whose_intent_is_lost_says_so() -> None:
    with pytest.raises(SignedElsewhere, match=f"intent {UNKNOWN} of this log"):
        check_taken(LANE, [row(0, OURS, UNKNOWN)], 0, OURS)
