"""The books: what every account of the ledger holds, folded from journal entries."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

from sep_hooks.types import AssetId

from sep_core.events.facts import AccountClass, JournalPosted, Posting
from sep_core.events.registry import Fact
from sep_core.portfolio.errors import EntryConflict, Unbalanced
from sep_core.portfolio.position import Position

type _Book = dict[AssetId, int]
type _BookKey = tuple[AccountClass, str, str]

_EMPTY: Mapping[AssetId, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Holding:
    """What one strategy has of one asset in one account: settled, and the change that is not final yet."""

    account: str
    strategy: str
    asset: AssetId
    final: int
    provisional: int
    position: Position


class Ledger:
    """Balances per class, account, asset and strategy, final and provisional apart, with average cost.

    Changed by `apply` alone, in constant time for each posting; the same entry twice counts once. After
    a refused append it is folded afresh from the log.
    """

    def __init__(self) -> None:
        self._final: dict[_BookKey, _Book] = {}
        self._provisional: dict[_BookKey, _Book] = {}
        self._positions: dict[tuple[str, str, AssetId], Position] = {}
        self._status: dict[tuple[str, UUID], Literal["provisional", "final", "void"]] = {}
        self._pending: dict[tuple[str, str], dict[UUID, JournalPosted]] = {}
        self._pending_keys: dict[tuple[str, UUID], JournalPosted] = {}
        self._settled: dict[tuple[str, UUID], bytes] = {}
        self._versions: dict[str, int] = {}

    def contents(self) -> dict[str, dict[Any, Any]]:
        """All that it holds, by name, for those who compare or keep whole states."""
        return vars(self)

    @classmethod
    def of_contents(cls, contents: Mapping[str, dict[Any, Any]]) -> "Ledger":
        """The books that hold that."""
        ledger = cls()
        vars(ledger).update(contents)
        return ledger

    def copy(self) -> "Ledger":
        """The books as they are now, which go on apart."""
        return Ledger.of_contents(
            {
                name: {key: dict(one) if isinstance(one, dict) else one for key, one in book.items()}
                for name, book in vars(self).items()
            }
        )

    def version(self, account: str) -> int:
        """How many entries the account's stream holds."""
        return self._versions.get(account, 0)

    def balance(self, account_class: AccountClass, account: str, strategy: str, asset: AssetId) -> int:
        """The settled balance of one account of the ledger; expenses are positive in `gas` and `fee`."""
        return self._final.get((account_class, account, strategy), _EMPTY).get(asset, 0)

    def final(self, account: str, strategy: str, asset: AssetId) -> int:
        """What is settled in the wallet."""
        return self.balance("wallet", account, strategy, asset)

    def provisional(self, account: str, strategy: str, asset: AssetId) -> int:
        """The change of the wallet by what is included and not final; an inflow of it is not spendable."""
        return self._provisional.get(("wallet", account, strategy), _EMPTY).get(asset, 0)

    def doubt(self, account: str, strategy: str, asset: AssetId) -> int:
        """What stands apart because its whereabouts are not known."""
        return self.balance("doubt", account, strategy, asset)

    def free(self, account: str, strategy: str, asset: AssetId, held: int) -> int:
        """What may be spent now: final, less what open intents hold, less doubt; never below zero."""
        doubt = max(0, self.doubt(account, strategy, asset))
        return max(0, self.final(account, strategy, asset) - held - doubt)

    def finals(self, account: str, strategy: str) -> Mapping[AssetId, int]:
        """The settled wallet of one strategy in one account, by asset."""
        return MappingProxyType(self._final.get(("wallet", account, strategy), {}))

    def doubts(self, account: str, strategy: str) -> Mapping[AssetId, int]:
        """What is in doubt of one strategy in one account, by asset."""
        return MappingProxyType(self._final.get(("doubt", account, strategy), {}))

    def position(self, account: str, strategy: str, asset: AssetId) -> Position:
        """Cost and profit of one asset."""
        return self._positions.get((account, strategy, asset), Position())

    def holdings(self) -> Iterator[Holding]:
        """Every asset that a wallet has or had, by account, strategy and asset."""
        keys = {
            (account, strategy, asset)
            for books in (self._final, self._provisional)
            for (kind, account, strategy), book in books.items()
            if kind == "wallet"
            for asset in book
        }
        for account, strategy, asset in sorted(keys):
            yield Holding(
                account,
                strategy,
                asset,
                self.final(account, strategy, asset),
                self.provisional(account, strategy, asset),
                self.position(account, strategy, asset),
            )

    def totals(self, account_class: AccountClass) -> Mapping[tuple[str, AssetId], int]:
        """What stands in a class of accounts, final and provisional together, by strategy and asset."""
        sums: dict[tuple[str, AssetId], int] = {}
        for books in (self._final, self._provisional):
            for (kind, _, strategy), book in books.items():
                if kind == account_class:
                    for asset, quantity in book.items():
                        key = strategy, asset
                        sums[key] = sums.get(key, 0) + quantity
        return sums

    def accounts(self) -> Iterator[tuple[AccountClass, str, str, AssetId, int]]:
        """Every settled balance: class, account, strategy, asset, quantity."""
        for (kind, account, strategy), book in self._final.items():
            for asset, quantity in book.items():
                yield kind, account, strategy, asset, quantity

    def pending(self, account: str, transaction_hash: str) -> tuple[JournalPosted, ...]:
        """The provisional entries of a transaction, in the order they came."""
        return tuple(self._pending.get((account, transaction_hash), {}).values())

    def apply(self, entry: JournalPosted) -> "Ledger":
        """Takes one more entry into the books. Raises `LedgerError`, the books then unchanged."""
        self._post(entry)
        return self

    def _post(self, entry: JournalPosted) -> None:
        _check_zero_sum(entry)
        key = entry.account, entry.key
        status = self._status.get(key)
        if entry.status == "provisional":
            self._post_provisional(entry, key, status)
        elif entry.status == "void":
            self._post_void(entry, key, status)
        else:
            self._post_final(entry, key, status)
        self._versions[entry.account] = self._versions.get(entry.account, 0) + 1

    def _post_provisional(self, entry: JournalPosted, key: tuple[str, UUID], status: str | None) -> None:
        if status == "provisional":
            self._same(entry, self._pending_keys[key].postings)
            return
        if status == "final":
            raise EntryConflict(
                f"entry {entry.key} of {entry.account} is final and cannot become provisional"
            )
        self._apply(self._provisional, entry.account, entry.postings, 1)
        self._pending_keys[key] = entry
        self._pending.setdefault((entry.account, entry.transaction_hash), {})[entry.key] = entry
        self._status[key] = "provisional"

    def _post_void(self, entry: JournalPosted, key: tuple[str, UUID], status: str | None) -> None:
        if status == "void":
            return
        if status != "provisional":
            raise EntryConflict(
                f"entry {entry.key} of {entry.account} is {status or 'unknown'}: nothing to void"
            )
        original = self._pending_keys[key]
        self._same(entry, reversed_postings(original.postings))
        self._forget(original, key)
        self._status[key] = "void"

    def _post_final(self, entry: JournalPosted, key: tuple[str, UUID], status: str | None) -> None:
        if status == "final":
            if self._settled[key] != _digest(entry.postings):
                raise EntryConflict(f"entry {entry.key} of {entry.account} is final with other amounts")
            return
        if status == "void":
            raise EntryConflict(f"entry {entry.key} of {entry.account} was voided: include it again first")
        if status == "provisional":
            self._forget(self._pending_keys[key], key)
        self._apply(self._final, entry.account, entry.postings, 1)
        self._book_cost(entry)
        self._settled[key] = _digest(entry.postings)
        self._status[key] = "final"

    def _same(self, entry: JournalPosted, expected: tuple[Posting, ...]) -> None:
        if entry.postings != expected:
            raise EntryConflict(
                f"entry {entry.key} of {entry.account} ({entry.status}) contradicts the one known"
            )

    def _forget(self, entry: JournalPosted, key: tuple[str, UUID]) -> None:
        self._apply(self._provisional, entry.account, entry.postings, -1)
        del self._pending_keys[key]
        of_transaction = self._pending[entry.account, entry.transaction_hash]
        del of_transaction[entry.key]
        if not of_transaction:
            del self._pending[entry.account, entry.transaction_hash]

    def _apply(
        self, books: dict[_BookKey, _Book], account: str, postings: tuple[Posting, ...], sign: int
    ) -> None:
        for posting in postings:
            book = books.setdefault((posting.account_class, account, posting.strategy), {})
            book[posting.asset] = book.get(posting.asset, 0) + sign * posting.quantity

    def _book_cost(self, entry: JournalPosted) -> None:
        for posting in entry.postings:
            if posting.account_class != "wallet" or posting.quantity == 0:
                continue
            key = entry.account, posting.strategy, posting.asset
            before = self._positions.get(key, Position())
            self._positions[key] = _after(before, posting, entry)


def evolve_ledger(ledger: Ledger, fact: Fact) -> Ledger:
    """Takes one more entry into the books and returns them. Raises `LedgerError`, the books then unchanged."""
    if not isinstance(fact, JournalPosted):
        raise TypeError(f"{type(fact).__name__} is no fact of the ledger")
    return ledger.apply(fact)


def fold_ledger(facts: Iterable[Fact]) -> Ledger:
    """Books from all entries of all accounts."""
    ledger = Ledger()
    for fact in facts:
        evolve_ledger(ledger, fact)
    return ledger


def reversed_postings(postings: tuple[Posting, ...]) -> tuple[Posting, ...]:
    """The same lines in the other direction."""
    return tuple(
        Posting(one.account_class, one.asset, one.strategy, type(one.quantity)(-one.quantity), one.value)
        for one in postings
    )


def _after(position: Position, posting: Posting, entry: JournalPosted) -> Position:
    quantity, value = abs(posting.quantity), posting.value
    if posting.quantity > 0:
        return position.acquire(quantity, value, entry.numeraire)
    against = {
        other.account_class
        for other in entry.postings
        if other.asset == posting.asset and other.account_class != "wallet"
    }
    if against <= {"gas", "fee"} and against:
        return position.spend(quantity, value, entry.numeraire)
    if against == {"trade"}:
        return position.sell(quantity, value, entry.numeraire)
    return position.withdraw(quantity)


def _digest(postings: tuple[Posting, ...]) -> bytes:
    """What tells the amounts of two entries of one key apart, in every process and for ever."""
    text = "|".join(
        [f"{one.account_class} {one.asset} {one.strategy} {one.quantity} {one.value}" for one in postings]
    )
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _check_zero_sum(entry: JournalPosted) -> None:
    sums: dict[AssetId, int] = {}
    for posting in entry.postings:
        sums[posting.asset] = sums.get(posting.asset, 0) + posting.quantity
    for asset, total in sums.items():
        if total:
            raise Unbalanced(
                f"entry {entry.key} of {entry.account} is off by {total} of {asset}; nothing was booked"
            )
