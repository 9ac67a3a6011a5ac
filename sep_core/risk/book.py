"""What open intents hold: money by account, strategy and asset, and claims on limits by metric and scope."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sep_hooks.errors import Permanent
from sep_hooks.types import Amount, AssetId, Charge, IntentId

from sep_core.events.facts import HoldConverted, HoldPlaced, HoldReleased
from sep_core.events.registry import Fact

type MoneyKey = tuple[str, str, AssetId]
"""Account, strategy, asset."""

type ChargeKey = tuple[str, str]
"""Metric, scope."""


class IllegalHold(Permanent):
    """A hold is placed twice, or one that does not stand is converted or released."""

    code = "illegal_hold"


@dataclass(frozen=True, slots=True)
class Hold:
    """What one intent holds from its approval until evidence frees it."""

    intent_id: IntentId
    account: str
    strategy: str
    money: tuple[tuple[AssetId, Amount], ...]
    charges: tuple[Charge, ...]


@dataclass(slots=True)
class RiskBook:
    """The fold of `risk:book`, kept up to date in constant time for each line of a hold.

    It is changed by `evolve_book` alone; after a refused append it is folded afresh from the log.
    `version` counts the facts of the stream.
    """

    version: int = 0
    _holds: dict[IntentId, Hold] = field(default_factory=dict)
    _money: dict[MoneyKey, int] = field(default_factory=dict)
    _charges: dict[ChargeKey, int] = field(default_factory=dict)

    def copy(self) -> "RiskBook":
        """The book as it is now, which goes on apart."""
        return RiskBook(self.version, dict(self._holds), dict(self._money), dict(self._charges))

    @property
    def holds(self) -> Mapping[IntentId, Hold]:
        """The holds that stand."""
        return MappingProxyType(self._holds)

    @property
    def charges(self) -> Mapping[ChargeKey, int]:
        """The sum of all claims by metric and scope; without an entry where it is zero."""
        return MappingProxyType(self._charges)

    def held(self, account: str, strategy: str, asset: AssetId, *, without: IntentId | None = None) -> int:
        """How much of an asset is held, leaving out one intent's own hold."""
        total = self._money.get((account, strategy, asset), 0)
        own = self._own(without)
        if own is not None and (own.account, own.strategy) == (account, strategy):
            total -= sum(amount for held, amount in own.money if held == asset)
        return total

    def charged(self, *, without: IntentId | None = None) -> Mapping[ChargeKey, int]:
        """The sums of all claims, leaving out one intent's own."""
        own = self._own(without)
        if own is None:
            return self.charges
        rest = dict(self._charges)
        for charge in own.charges:
            _change(rest, (charge.metric, charge.scope), -charge.amount)
        return rest

    def _own(self, intent_id: IntentId | None) -> Hold | None:
        return None if intent_id is None else self._holds.get(intent_id)

    def _add(self, hold: Hold, sign: int) -> None:
        for asset, amount in hold.money:
            _change(self._money, (hold.account, hold.strategy, asset), sign * amount)
        for charge in hold.charges:
            _change(self._charges, (charge.metric, charge.scope), sign * charge.amount)

    def _place(self, fact: HoldPlaced) -> None:
        if fact.intent_id in self._holds:
            raise IllegalHold(f"intent {fact.intent_id} already holds money and limits; nothing was changed")
        hold = Hold(fact.intent_id, fact.account, fact.strategy, fact.money, fact.charges)
        self._holds[hold.intent_id] = hold
        self._add(hold, 1)

    def _end(self, intent_id: IntentId, what: str) -> None:
        hold = self._holds.pop(intent_id, None)
        if hold is None:
            raise IllegalHold(f"intent {intent_id} holds nothing that could be {what}; nothing was changed")
        self._add(hold, -1)


def evolve_book(book: RiskBook, fact: Fact) -> RiskBook:
    """Takes one more fact of `risk:book` into the book and returns it. Raises `IllegalHold`."""
    match fact:
        case HoldPlaced():
            book._place(fact)
        case HoldConverted(intent_id):
            book._end(intent_id, "converted")
        case HoldReleased(intent_id, _):
            book._end(intent_id, "released")
        case _:
            raise TypeError(f"{type(fact).__name__} is no fact of the risk book")
    book.version += 1
    return book


def fold_book(facts: Iterable[Fact]) -> RiskBook:
    """A book from all facts of its stream."""
    book = RiskBook()
    for fact in facts:
        evolve_book(book, fact)
    return book


def _change[K](sums: dict[K, int], key: K, by: int) -> None:
    after = sums.get(key, 0) + by
    if after:
        sums[key] = after
    else:
        sums.pop(key, None)
