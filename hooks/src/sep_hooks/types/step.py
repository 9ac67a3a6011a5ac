"""Steps: the transactions of a plan, and what each exchanges."""

from dataclasses import dataclass
from enum import StrEnum

from sep_hooks.types.amount import Amount
from sep_hooks.types.asset import Address, AssetId, ChainRef
from sep_hooks.types.chain import Call
from sep_hooks.types.leg import Leg
from sep_hooks.types.order import BookOrder


@dataclass(frozen=True, slots=True)
class SwapOrder:
    """A path through the markets of one venue, one call.

    Exact in: `amount_in` is spent, at least `amount_out` must come. Exact out: `amount_out` comes, at most
    `amount_in` may be spent. `deadline` is in chain seconds and stands in the call itself.
    """

    legs: tuple[Leg, ...]
    exact_in: bool
    amount_in: Amount
    amount_out: Amount
    recipient: Address
    deadline: int

    @property
    def asset_in(self) -> AssetId:
        """What is spent."""
        return self.legs[0].asset_in

    @property
    def asset_out(self) -> AssetId:
        """What is received."""
        return self.legs[-1].asset_out


@dataclass(frozen=True, slots=True)
class Flow:
    """An asset that leaves the account or comes into it. `expected` is exact for the snapshot, `limit` holds on
    chain (the most that may be spent, the least that must come), `quoted` is the chain's own answer at the
    latest block.
    """

    asset: AssetId
    expected: Amount
    limit: Amount
    quoted: Amount


@dataclass(frozen=True, slots=True)
class Trade:
    """One venue's part of a bundle. `takes_rest`: its input is all that the bundle holds of the asset by then, so
    that what trades before it brought more or less goes on; else it is the order's exact amount.
    """

    venue: str
    order: SwapOrder
    takes_rest: bool


@dataclass(frozen=True, slots=True)
class Bundle:
    """Several trades in one transaction of the account's own executor contract: all of it or nothing.

    The executor takes at most each `spends` limit from the account, runs the trades in order, and reverts
    unless at least each `receives` limit comes back; what is left over goes back too.
    """

    executor: Address
    trades: tuple[Trade, ...]
    spends: tuple[Flow, ...]
    receives: tuple[Flow, ...]
    deadline: int


class StepKind(StrEnum):
    """What a step does."""

    APPROVE = "APPROVE"
    SWAP = "SWAP"
    BUNDLE = "BUNDLE"
    ORDER = "ORDER"


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of a plan; steps of an account take consecutive nonces in plan order.

    An approval names `spender`, `token` and the exact `allowance`; a swap carries its `order`, a bundle its
    `bundle`. An order is sent to the book of an order venue and is no transaction: `book` is what it asks there,
    `order` what that comes to in assets, its call is empty.
    """

    id: str
    kind: StepKind
    chain: ChainRef
    call: Call
    gas_limit: int
    venue: str = ""
    order: SwapOrder | None = None
    token: AssetId | None = None
    spender: Address | None = None
    allowance: Amount | None = None
    bundle: Bundle | None = None
    book: BookOrder | None = None

    @property
    def exchanges(self) -> bool:
        """Whether assets change hands in it, so that it ends in a fill."""
        return self.order is not None or self.bundle is not None

    @property
    def trades(self) -> tuple[Trade, ...]:
        """What it asks of each venue, in order; none for an approval."""
        if self.bundle is not None:
            return self.bundle.trades
        return () if self.order is None else (Trade(self.venue, self.order, takes_rest=False),)

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Its passes through markets, in order."""
        return tuple(leg for trade in self.trades for leg in trade.order.legs)

    @property
    def most_spent(self) -> tuple[tuple[AssetId, Amount], ...]:
        """Each asset that leaves the account, and the most of it."""
        if self.bundle is not None:
            return tuple((flow.asset, flow.limit) for flow in self.bundle.spends)
        return () if self.order is None else ((self.order.asset_in, self.order.amount_in),)

    @property
    def least_received(self) -> tuple[tuple[AssetId, Amount], ...]:
        """Each asset that must come into the account, and the least of it."""
        if self.bundle is not None:
            return tuple((flow.asset, flow.limit) for flow in self.bundle.receives)
        return () if self.order is None else ((self.order.asset_out, self.order.amount_out),)

    @property
    def deadline(self) -> int | None:
        """Until when, in chain seconds, the call itself can take effect; None where it says nothing of time."""
        if self.bundle is not None:
            return self.bundle.deadline
        return None if self.order is None else self.order.deadline
