"""The ledger beside a chain that includes, reorganises and finalises: the books equal it to the unit."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sep_hooks.testing.risk import BASE, INTENT, OTHER, QUOTE, price_book, swap_plan
from sep_hooks.types import Amount, AssetId, BlockRef, Fill, address, evm_chain, native_asset

from sep_core.events.decided import Decided
from sep_core.events.facts import AccountOpened, TransactionIncluded, Transfer
from sep_core.events.registry import Fact
from sep_core.portfolio import (
    Ledger,
    Owner,
    check_books,
    evolve_ledger,
    fold_ledger,
    post_final,
    post_foreign,
    post_included,
    post_opening,
    post_paper,
    post_reorged,
)
from tests.harness.facts import as_read

NATIVE = native_asset(1)
ASSETS = (QUOTE, BASE, OTHER)
ME, POOL = address("0x" + "ee" * 20), address("0x" + "bb" * 20)
OWNER = Owner("main", evm_chain(1), ME, "rebalance")
PLAN = swap_plan()
START = 10**30
amounts = st.integers(0, 10**24)


class Books(RuleBasedStateMachine):
    """Keeps balances of the chain at its finalised block and at its head."""

    @initialize()
    def opened(self) -> None:
        self.ledger = Ledger()
        self.facts: list[Fact] = []
        self.final: dict[AssetId, int] = dict.fromkeys((*ASSETS, NATIVE), START)
        self.included: dict[str, TransactionIncluded] = {}
        self.mempool: list[TransactionIncluded] = []
        self.count = 0
        balances = tuple((asset, Amount(START)) for asset in self.final)
        self._post(
            [post_opening(AccountOpened("main", evm_chain(1), ME, 0, BlockRef(1, "0x01"), balances), OWNER)]
        )

    def _post(self, decided: Sequence[Decided], *, twice: bool = False) -> None:
        for one in decided:
            for _ in range(2 if twice else 1):
                evolve_ledger(self.ledger, one.fact)
                self.facts.append(one.fact)

    def _new_hash(self) -> str:
        self.count += 1
        return f"0x{self.count:04x}"

    @rule(
        moves=st.lists(st.tuples(st.sampled_from(ASSETS), amounts, st.booleans()), max_size=4),
        gas=st.integers(0, 10**6),
        ok=st.booleans(),
    )
    def send(self, moves: list[tuple[AssetId, int, bool]], gas: int, ok: bool) -> None:
        transfers = tuple(
            Transfer(asset, ME if out else POOL, POOL if out else ME, Amount(amount), ordinal)
            for ordinal, (asset, amount, out) in enumerate(moves)
        )
        self.mempool.append(
            TransactionIncluded(
                self.count, self._new_hash(), BlockRef(2, "0x02"), ok, gas, Amount(3), transfers, (), 0
            )
        )

    @precondition(lambda self: self.mempool)
    @rule(data=st.data(), priced=st.booleans(), twice=st.booleans())
    def include(self, data: st.DataObject, priced: bool, twice: bool) -> None:
        index = data.draw(st.integers(0, len(self.mempool) - 1))
        fact = self.mempool.pop(index)
        prices = price_book(3_000_000) if priced else None
        self._post(post_included(OWNER, fact, INTENT, PLAN, prices), twice=twice)
        self.included[fact.hash] = fact

    @precondition(lambda self: self.included)
    @rule(data=st.data(), twice=st.booleans(), scale=st.integers(1, 3))
    def reorganise(self, data: st.DataObject, twice: bool, scale: int) -> None:
        fact = self.included.pop(data.draw(st.sampled_from(sorted(self.included))))
        self._post(post_reorged(self.ledger, OWNER, fact.hash), twice=twice)
        moved = tuple(replace(one, amount=Amount(one.amount * scale)) for one in fact.transfers)
        self.mempool.append(replace(fact, transfers=moved, occurrence=fact.occurrence + 1))

    @precondition(lambda self: self.included)
    @rule(data=st.data(), twice=st.booleans())
    def finalise(self, data: st.DataObject, twice: bool) -> None:
        fact = self.included.pop(data.draw(st.sampled_from(sorted(self.included))))
        if self.ledger.pending("main", fact.hash):
            self._post(post_final(self.ledger, OWNER, fact.hash), twice=twice)
        self._move(self.final, fact)

    @rule(asset=st.sampled_from(ASSETS), amount=amounts)
    def gift(self, asset: AssetId, amount: int) -> None:
        one = Transfer(asset, POOL, ME, Amount(amount), 0)
        self._post(post_foreign(OWNER, [one], self._new_hash()))
        self.final[asset] += amount

    @rule(amount_in=amounts, amount_out=amounts, gas=st.integers(0, 10**6))
    def paper(self, amount_in: int, amount_out: int, gas: int) -> None:
        fill = Fill(
            INTENT,
            self._new_hash(),
            "uni",
            QUOTE,
            Amount(amount_in),
            BASE,
            Amount(amount_out),
            (),
            Amount(gas),
            BlockRef(1, "0x01"),
            "",
        )
        self._post(post_paper(OWNER, fill, price_book(2_000_000)))
        self.final[QUOTE] -= amount_in
        self.final[BASE] += amount_out
        self.final[NATIVE] -= gas

    @staticmethod
    def _move(balances: dict[AssetId, int], fact: TransactionIncluded) -> None:
        balances[NATIVE] -= fact.gas_used * fact.effective_gas_price
        for one in fact.transfers if fact.ok else ():
            balances[one.asset] += one.amount if one.recipient == ME else -one.amount

    @invariant()
    def the_books_equal_the_chain(self) -> None:
        final = {("main", asset): Amount(balance) for asset, balance in self.final.items()}
        assert check_books(self.ledger, final) == ()
        head = dict(self.final)
        for fact in self.included.values():
            self._move(head, fact)
        at_head = {("main", asset): Amount(balance) for asset, balance in head.items()}
        assert check_books(self.ledger, at_head, include_provisional=True) == ()

    @invariant()
    def each_asset_sums_to_zero_over_all_classes(self) -> None:
        sums: dict[AssetId, int] = {}
        for _, _, _, asset, quantity in self.ledger.accounts():
            sums[asset] = sums.get(asset, 0) + quantity
        assert not any(sums.values())

    @invariant()
    def positions_hold_what_the_wallet_holds(self) -> None:
        for holding in self.ledger.holdings():
            assert holding.position.quantity == holding.final
            assert holding.position.cost >= 0

    def teardown(self) -> None:
        if not hasattr(self, "ledger"):
            return
        again = fold_ledger(as_read(one) for one in self.facts)
        assert list(again.holdings()) == list(self.ledger.holdings())
        assert sorted(again.accounts()) == sorted(self.ledger.accounts())
        assert again.version("main") == self.ledger.version("main") == len(self.facts)


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
