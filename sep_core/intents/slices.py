"""Where an intent in slices stands: what is scheduled, which children are open, what they have done."""

from collections.abc import Iterable
from uuid import uuid5

from sep_hooks.types import AssetId, ExecutionStyle, IntentId, IntentStatus
from sep_hooks.types.amount import Amount

from sep_core.events.facts import Amounts, ReferenceFixed, Slice
from sep_core.events.state import State


class Child(State, frozen=True):
    """One released slice. `status` is None while its intent is open."""

    id: IntentId
    ordinal: int
    amount: Amount
    max_fee: Amount | None
    status: IntentStatus | None = None
    done: Amount = Amount(0)
    spent: Amounts = ()
    received: Amounts = ()
    gas_cost: Amount = Amount(0)
    code: str = ""
    reason: str = ""

    @property
    def open(self) -> bool:
        """Whether anything can still happen to it."""
        return self.status is None

    @property
    def fell_short(self) -> bool:
        """Whether it ended with part of its slice not done, and nobody wanted that."""
        return self.status not in (None, IntentStatus.CANCELLED) and self.done < self.amount


class Slices(State, frozen=True):
    """`total` is `done` by ended children, `in_flight` in open ones, and `rest`, of which `pending` is scheduled."""

    style: ExecutionStyle
    total: Amount
    seed: str
    revision: int
    reason: str
    pending: tuple[Slice, ...]
    children: tuple[Child, ...] = ()
    references: tuple[ReferenceFixed, ...] = ()
    closed: str = ""
    closed_reason: str = ""

    @property
    def done(self) -> Amount:
        """How much ended children have done."""
        return Amount(sum(one.done for one in self.children))

    @property
    def in_flight(self) -> Amount:
        """How much open children are about."""
        return Amount(sum(one.amount for one in self.children if one.open))

    @property
    def rest(self) -> Amount:
        """How much no child is about any more or yet."""
        return Amount(self.total - self.done - self.in_flight)

    @property
    def missing(self) -> Amount:
        """What is left of the rest besides what is scheduled: slices that fell short."""
        return Amount(self.rest - sum(one.amount for one in self.pending))

    @property
    def open_children(self) -> tuple[Child, ...]:
        """Those that have not ended."""
        return tuple(one for one in self.children if one.open)

    @property
    def complete(self) -> bool:
        """Whether all of it is done."""
        return self.done >= self.total

    @property
    def next_ordinal(self) -> int:
        """An ordinal that no slice has had."""
        used = [one.ordinal for one in self.pending] + [one.ordinal for one in self.children]
        return max(used, default=-1) + 1

    @property
    def gas_cost(self) -> Amount:
        """What gas the ended children cost, in wei."""
        return Amount(sum(one.gas_cost for one in self.children))

    @property
    def spent(self) -> Amounts:
        """What the ended children spent, by asset."""
        return summed(one.spent for one in self.children)

    @property
    def received(self) -> Amounts:
        """What the ended children received, by asset."""
        return summed(one.received for one in self.children)

    def child(self, ordinal: int) -> Child | None:
        """The child of a slice, None where it is not released."""
        return next((one for one in self.children if one.ordinal == ordinal), None)

    def fee_share(self, most: Amount | None) -> Amount | None:
        """What gas the next slice may cost, so that all of them keep below `most` whatever the others do."""
        if most is None:
            return None
        bound = sum(one.max_fee or 0 for one in self.children if one.open)
        return Amount(max(0, most - self.gas_cost - bound) // max(1, len(self.pending)))


def child_id(parent: IntentId, ordinal: int) -> IntentId:
    """The id of a child: the same for ever, whoever computes it."""
    return IntentId(uuid5(parent, str(ordinal)))


def summed(parts: Iterable[Amounts]) -> Amounts:
    """Sums by asset, in the order in which assets first appear."""
    sums: dict[AssetId, int] = {}
    for part in parts:
        for asset, amount in part:
            sums[asset] = sums.get(asset, 0) + amount
    return tuple((asset, Amount(amount)) for asset, amount in sums.items())
