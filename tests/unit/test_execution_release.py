"""What a frozen lane lets itself be told: what the signer remembers, and an operator's word."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from sep_hooks.types import Address, Amount, BlockRef, IntentId, SignedTransaction, Transaction, evm_chain

from sep_core.events.facts import AccountFrozen, AccountReleased, NonceConsumedExternally
from sep_core.events.registry import Fact
from sep_core.execution import AdoptSigned, LaneKey, LaneState, ReleaseAccount, decide, evolve_lane
from sep_core.execution.errors import NonceGap, ReleaseRefused

KEY = LaneKey(evm_chain(1), Address("0x" + "11" * 20))
LANE = LaneState(KEY, "main", 5, BlockRef(1, "0x01"))


def told(lane: LaneState, facts: Sequence[Fact]) -> LaneState:
    for fact in facts:
        lane = evolve_lane(lane, fact)
    return lane


FROZEN = told(LANE, [NonceConsumedExternally(5, "seen"), AccountFrozen("nonce 5")])


def adoption(nonce: int) -> AdoptSigned:
    transaction = Transaction(1, nonce, KEY.address, Amount(0), b"", 21_000, 1, 1)
    signed = SignedTransaction(b"", f"0x{nonce:064x}")
    return AdoptSigned(KEY, IntentId(UUID(int=1)), "1.1-swap", "digest", transaction, signed, "sealed")


def release(nonce: int) -> ReleaseAccount:
    return ReleaseAccount(KEY, nonce, BlockRef(9, "0x09"), (), "looked at", "tests")


def facts_of(lane: LaneState, command: AdoptSigned | ReleaseAccount) -> list[Fact]:
    return [one.fact for one in decide(lane, command)]


def test_a_release_goes_on_where_the_chain_stands() -> None:
    (fact,) = facts_of(FROZEN, release(8))
    assert fact == AccountReleased(8, BlockRef(9, "0x09"), (), "looked at", "tests")
    after = evolve_lane(FROZEN, fact)
    assert (after.frozen, after.next_nonce) == (None, 8)
    assert facts_of(after, release(8)) == [], "whoever is not frozen has nothing to be let go of"


def test_a_chain_that_stands_behind_the_log_lets_nothing_go() -> None:
    with pytest.raises(ReleaseRefused, match="stands at nonce 5 in final block 9, and at 6 here"):
        decide(FROZEN, release(5))


def test_nothing_is_let_go_while_a_nonce_is_open() -> None:
    open_lane = told(FROZEN, facts_of(FROZEN, adoption(6)))
    with pytest.raises(ReleaseRefused, match="nonce 6 of account main is not final yet"):
        decide(open_lane, release(7))


def test_a_frozen_account_takes_over_what_was_signed_behind_strange_nonces() -> None:
    """Of a restored log: the nonces between were used for intents that it does not know."""
    after = told(FROZEN, facts_of(FROZEN, adoption(9)))
    assert (after.next_nonce, [one.nonce for one in after.unfinished]) == (10, [9])
    with pytest.raises(NonceGap):
        decide(LANE, adoption(9))
