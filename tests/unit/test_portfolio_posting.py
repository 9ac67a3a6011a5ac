"""Which entries facts become, and what they make of the books."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from sep_hooks.testing.risk import BASE, INTENT, OTHER, QUOTE, price_book, swap_plan
from sep_hooks.types import (
    Amount,
    AssetId,
    BlockRef,
    Fill,
    Price,
    PriceBook,
    Quantity,
    address,
    evm_chain,
    native_asset,
)

from sep_core.events.decided import Decided
from sep_core.events.facts import AccountOpened, JournalPosted, Posting, TransactionIncluded, Transfer
from sep_core.portfolio import (
    EntryConflict,
    Ledger,
    Mismatch,
    Owner,
    Unbalanced,
    check_books,
    entry_key,
    evolve_ledger,
    fold_ledger,
    owner_of,
    post_final,
    post_foreign,
    post_included,
    post_opening,
    post_paper,
    post_reorged,
    profit,
)

NATIVE = native_asset(1)
ME, POOL = address("0x" + "ee" * 20), address("0x" + "bb" * 20)
OWNER = Owner("main", evm_chain(1), ME, "rebalance")
BLOCK = BlockRef(7, "0x07")
PLAN = swap_plan()
OPENED = AccountOpened(
    "main", evm_chain(1), ME, 3, BLOCK, ((QUOTE, Amount(1_000)), (NATIVE, Amount(10**18)), (BASE, Amount(0)))
)


def transfer(asset: AssetId, amount: int, ordinal: int, *, out: bool = False) -> Transfer:
    return Transfer(asset, ME if out else POOL, POOL if out else ME, Amount(amount), ordinal)


def included(*transfers: Transfer, ok: bool = True, block: BlockRef = BLOCK) -> TransactionIncluded:
    return TransactionIncluded(3, "0xaa", block, ok, 100, Amount(5), transfers, (), 0)


SWAP = included(transfer(QUOTE, 100, 0, out=True), transfer(BASE, 50, 2))


def entries(decided: Iterable[Decided]) -> list[JournalPosted]:
    found = []
    for one in decided:
        assert one.stream == "ledger:main"
        assert isinstance(one.fact, JournalPosted)
        found.append(one.fact)
    return found


def post(ledger: Ledger, decided: Iterable[Decided]) -> Ledger:
    for entry in entries(decided):
        evolve_ledger(ledger, entry)
    return ledger


def opened() -> Ledger:
    return post(Ledger(), [post_opening(OPENED, OWNER)])


def wallet(ledger: Ledger, asset: AssetId) -> tuple[int, int]:
    return ledger.final("main", "rebalance", asset), ledger.provisional("main", "rebalance", asset)


def test_opening_comes_from_outside_and_belongs_to_the_only_strategy() -> None:
    ledger = opened()
    assert dict(ledger.finals("main", "rebalance")) == {QUOTE: 1_000, NATIVE: 10**18}
    assert ledger.balance("external", "main", "rebalance", QUOTE) == -1_000
    assert owner_of("main", evm_chain(1), ME, ("rebalance",)) == OWNER
    assert owner_of("main", evm_chain(1), ME, ("a", "b")).strategy == "unallocated"


def test_a_swap_is_provisional_until_final() -> None:
    ledger = post(opened(), post_included(OWNER, SWAP, INTENT, PLAN))
    assert wallet(ledger, QUOTE) == (1_000, -100)
    assert wallet(ledger, BASE) == (0, 50)
    assert wallet(ledger, NATIVE) == (10**18, -500)
    assert ledger.free("main", "rebalance", BASE, 0) == 0
    final = post_final(ledger, OWNER, "0xaa")
    assert [entry.status for entry in entries(final)] == ["final"] * 3
    post(ledger, final)
    assert wallet(ledger, QUOTE) == (900, 0)
    assert wallet(ledger, BASE) == (50, 0)
    assert wallet(ledger, NATIVE) == (10**18 - 500, 0)
    assert ledger.balance("trade", "main", "rebalance", BASE) == -50
    assert ledger.balance("gas", "main", "rebalance", NATIVE) == 500
    assert ledger.free("main", "rebalance", QUOTE, 850) == 50
    assert ledger.free("main", "rebalance", QUOTE, 5_000) == 0


def test_a_reorganised_swap_leaves_no_trace_and_may_come_again_with_other_amounts() -> None:
    ledger = post(opened(), post_included(OWNER, SWAP, INTENT, PLAN))
    post(ledger, post_reorged(ledger, OWNER, "0xaa"))
    assert wallet(ledger, QUOTE) == (1_000, 0)
    assert wallet(ledger, NATIVE) == (10**18, 0)
    assert post_reorged(ledger, OWNER, "0xaa") == ()
    assert post_final(ledger, OWNER, "0xaa") == ()
    again = included(transfer(QUOTE, 100, 0, out=True), transfer(BASE, 49, 2), block=BlockRef(8, "0x08"))
    first, second = (entries(post_included(OWNER, one, INTENT, PLAN)) for one in (SWAP, again))
    assert [entry.key for entry in first] == [entry.key for entry in second]
    post(ledger, post_included(OWNER, again, INTENT, PLAN))
    post(ledger, post_final(ledger, OWNER, "0xaa"))
    assert wallet(ledger, BASE) == (49, 0)


def test_a_revert_books_gas_alone() -> None:
    ledger = post(opened(), post_included(OWNER, replace(SWAP, ok=False), INTENT, PLAN))
    assert wallet(ledger, QUOTE) == (1_000, 0)
    assert wallet(ledger, NATIVE) == (10**18, -500)


def test_gas_that_cost_nothing_is_an_entry_too() -> None:
    free = replace(included(), effective_gas_price=Amount(0))
    ledger = post(opened(), post_included(OWNER, free, INTENT, PLAN))
    assert [entry.status for entry in entries(post_final(ledger, OWNER, "0xaa"))] == ["final"]
    post(ledger, post_final(ledger, OWNER, "0xaa"))
    assert wallet(ledger, NATIVE) == (10**18, 0)


def test_what_comes_in_besides_the_path_is_foreign() -> None:
    ledger = post(opened(), post_included(OWNER, included(transfer(OTHER, 9, 0)), INTENT, PLAN))
    post(ledger, post_final(ledger, OWNER, "0xaa"))
    assert ledger.balance("external", "main", "rebalance", OTHER) == -9
    gift = post_foreign(OWNER, [transfer(QUOTE, 5, 4), Transfer(QUOTE, POOL, POOL, Amount(1), 5)], "0xbb")
    post(ledger, gift)
    assert wallet(ledger, QUOTE) == (1_005, 0)
    assert ledger.balance("external", "main", "rebalance", QUOTE) == -1_005


def test_transfers_to_oneself_and_of_others_move_nothing() -> None:
    idle = included(Transfer(QUOTE, ME, ME, Amount(7), 0), Transfer(QUOTE, POOL, POOL, Amount(7), 1))
    assert [entry.reason for entry in entries(post_included(OWNER, idle, INTENT, PLAN))] == ["gas"]


def test_the_same_entry_twice_counts_once_and_another_under_its_key_is_refused() -> None:
    ledger = opened()
    for _ in range(2):
        post(ledger, [post_opening(OPENED, OWNER)])
        post(ledger, post_included(OWNER, SWAP, INTENT, PLAN))
    assert wallet(ledger, QUOTE) == (1_000, -100)
    final = post_final(ledger, OWNER, "0xaa")
    post(ledger, final)
    post(ledger, final)
    assert wallet(ledger, QUOTE) == (900, 0)
    entry = entries(final)[0]
    more = replace(
        entry, postings=tuple(replace(one, quantity=Quantity(one.quantity * 2)) for one in entry.postings)
    )
    for wrong in (more, replace(entry, status="provisional"), replace(entry, status="void")):
        with pytest.raises(EntryConflict):
            evolve_ledger(ledger, wrong)
    assert wallet(ledger, QUOTE) == (900, 0)


def test_an_entry_that_does_not_sum_to_zero_is_refused() -> None:
    ledger = opened()
    lines = (
        Posting("wallet", QUOTE, "rebalance", Quantity(5)),
        Posting("trade", BASE, "rebalance", Quantity(-5)),
    )
    entry = JournalPosted(entry_key(OWNER, "x", 0), "main", "final", "free money", None, lines)
    with pytest.raises(Unbalanced, match="off by"):
        evolve_ledger(ledger, entry)
    assert wallet(ledger, QUOTE) == (1_000, 0)
    assert ledger.version("main") == 1


def test_a_paper_fill_is_final_at_once_gas_included() -> None:
    fill = Fill(INTENT, "swap-1", "uni", QUOTE, Amount(100), BASE, Amount(50), (), Amount(500), BLOCK, "")
    ledger = opened()
    for _ in range(2):
        post(ledger, post_paper(OWNER, fill))
    assert [wallet(ledger, asset) for asset in (QUOTE, BASE, NATIVE)] == [
        (900, 0),
        (50, 0),
        (10**18 - 500, 0),
    ]


def test_books_and_chain_are_compared_to_the_unit() -> None:
    ledger = opened()
    agree = {("main", QUOTE): Amount(1_000), ("main", NATIVE): Amount(10**18), ("main", OTHER): Amount(0)}
    assert check_books(ledger, agree) == ()
    assert check_books(ledger, agree | {("main", QUOTE): Amount(999)}) == (
        Mismatch("main", QUOTE, 1_000, 999),
    )
    post(ledger, post_included(OWNER, SWAP, INTENT, PLAN))
    assert check_books(ledger, agree) == ()
    head = agree | {("main", QUOTE): Amount(900), ("main", NATIVE): Amount(10**18 - 500)}
    assert check_books(ledger, head, include_provisional=True) == ()
    assert "difference -1" in str(Mismatch("main", QUOTE, 1_000, 999))


def test_cost_and_profit_of_a_round_trip() -> None:
    prices = PriceBook(
        QUOTE,
        (Price(BASE, Amount(50), Amount(100)), Price(NATIVE, Amount(100), Amount(1))),
        "0x",
    )
    ledger = post(Ledger(), [post_opening(OPENED, OWNER, prices)])
    buy = included(transfer(QUOTE, 102, 0, out=True), transfer(QUOTE, 2, 1), transfer(BASE, 50, 2))
    post(ledger, post_included(OWNER, buy, INTENT, PLAN, prices))
    post(ledger, post_final(ledger, OWNER, "0xaa"))
    held = ledger.position("main", "rebalance", BASE)
    assert (held.priced, held.unpriced, held.cost) == (50, 0, 100)
    higher = replace(prices, prices=(Price(BASE, Amount(50), Amount(150)), prices.prices[1]))
    now = profit(ledger.holdings(), higher)
    assert (now.realised, now.unrealised, now.expenses, now.unpriced) == (0, 50, 5, ())
    sell = replace(included(transfer(BASE, 20, 0, out=True), transfer(QUOTE, 60, 2)), hash="0xcc", nonce=4)
    post(ledger, post_included(OWNER, sell, INTENT, PLAN, higher))
    post(ledger, post_final(ledger, OWNER, "0xcc"))
    now = profit(ledger.holdings(), higher)
    assert (now.realised, now.unrealised, now.expenses) == (20, 30, 10)
    assert now.total == 40
    assert now.value == 1_000 - 100 + 60 + 90 + (10**18 - 1_000) // 100


def test_what_has_no_cost_or_price_is_said_so_and_left_out() -> None:
    ledger = post(opened(), post_included(OWNER, SWAP, INTENT, PLAN))
    post(ledger, post_final(ledger, OWNER, "0xaa"))
    now = profit(ledger.holdings(), price_book(2_000_000))
    assert (now.realised, now.unrealised, now.expenses) == (0, 0, 0)
    assert set(now.unpriced) == {QUOTE, BASE, NATIVE}
    assert ledger.position("main", "rebalance", BASE).unpriced == 50


def test_versions_count_each_stream() -> None:
    ledger = opened()
    assert (ledger.version("main"), ledger.version("cold")) == (1, 0)
    facts = entries([post_opening(OPENED, OWNER), *post_included(OWNER, SWAP, INTENT, PLAN)])
    assert fold_ledger(facts).version("main") == 4
