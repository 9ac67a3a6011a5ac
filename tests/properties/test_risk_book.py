"""The book against a plain recount, under every order of holds and evidence."""

from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sep_hooks.testing.risk import BASE, QUOTE
from sep_hooks.types import Amount, AssetId, Charge, IntentId, Quantity

from sep_core.events.facts import HoldConverted, HoldPlaced, HoldReleased
from sep_core.events.registry import Fact
from sep_core.risk import IllegalHold, RiskBook, evolve_book, fold_book
from tests.harness.facts import as_read

ids = st.integers(0, 5).map(lambda number: IntentId(UUID(int=number)))
accounts = st.sampled_from(["main", "cold"])
strategies = st.sampled_from(["rebalance", "quickstart"])
money = st.lists(
    st.tuples(st.sampled_from([QUOTE, BASE]), st.integers(0, 2**200).map(Amount)), max_size=3
).map(tuple)
charges = st.lists(
    st.builds(
        Charge,
        st.sampled_from(["notional", "orders"]),
        st.sampled_from(["global", "account:main"]),
        st.integers(0, 2**200).map(Quantity),
    ),
    max_size=3,
).map(tuple)


class BookOfHolds(RuleBasedStateMachine):
    """Keeps the open holds in a dictionary beside the book."""

    def __init__(self) -> None:
        super().__init__()
        self.book = RiskBook()
        self.facts: list[Fact] = []
        self.open: dict[IntentId, HoldPlaced] = {}

    def _say(self, fact: Fact, legal: bool) -> None:
        if legal:
            assert evolve_book(self.book, fact) is self.book
            self.facts.append(fact)
        else:
            with pytest.raises(IllegalHold):
                evolve_book(self.book, fact)

    @rule(
        intent=ids,
        account=accounts,
        strategy=strategies,
        money=money,
        charges=charges,
    )
    def place(
        self,
        intent: IntentId,
        account: str,
        strategy: str,
        money: tuple[tuple[AssetId, Amount], ...],
        charges: tuple[Charge, ...],
    ) -> None:
        fact = HoldPlaced(intent, account, strategy, money, charges)
        legal = intent not in self.open
        self._say(fact, legal)
        self.open.setdefault(intent, fact)

    @rule(intent=ids, settled=st.booleans())
    def end(self, intent: IntentId, settled: bool) -> None:
        fact = HoldConverted(intent) if settled else HoldReleased(intent, "reverted")
        self._say(fact, intent in self.open)
        self.open.pop(intent, None)

    @rule(intent=ids)
    def without_one(self, intent: IntentId) -> None:
        rest = fold_book(fact for key, fact in self.open.items() if key != intent)
        for account in ("main", "cold"):
            for strategy in ("rebalance", "quickstart"):
                for asset in (QUOTE, BASE):
                    assert self.book.held(account, strategy, asset, without=intent) == rest.held(
                        account, strategy, asset
                    )
        left = {key: amount for key, amount in self.book.charged(without=intent).items() if amount}
        assert left == dict(rest.charges)

    @invariant()
    def sums_equal_a_recount(self) -> None:
        spent: dict[tuple[str, str, AssetId], int] = {}
        claims: dict[tuple[str, str], int] = {}
        for fact in self.open.values():
            for asset, amount in fact.money:
                key = fact.account, fact.strategy, asset
                spent[key] = spent.get(key, 0) + amount
            for charge in fact.charges:
                claims[charge.metric, charge.scope] = (
                    claims.get((charge.metric, charge.scope), 0) + charge.amount
                )
        for account in ("main", "cold"):
            for strategy in ("rebalance", "quickstart"):
                for asset in (QUOTE, BASE):
                    assert self.book.held(account, strategy, asset) == spent.get(
                        (account, strategy, asset), 0
                    )
        assert dict(self.book.charges) == {key: amount for key, amount in claims.items() if amount}
        assert set(self.book.holds) == set(self.open)

    @invariant()
    def the_log_folds_to_the_same(self) -> None:
        stored = [as_read(one) for one in self.facts]
        assert fold_book(stored) == self.book
        assert self.book.version == len(self.facts)


TestBookOfHolds = BookOfHolds.TestCase
TestBookOfHolds.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_a_claim_of_nothing_is_left_out_like_any_other() -> None:
    nothing = (Charge("notional", "global", Quantity(0)),)
    intent = IntentId(UUID(int=1))
    book = fold_book([HoldPlaced(intent, "main", "rebalance", (), nothing)])
    assert dict(book.charged(without=intent)) == {}
    assert dict(book.charges) == {}
