"""Facts of one account's orders at an order venue; stream `orders:<venue>:<account>`."""

from datetime import datetime
from typing import Literal

from sep_hooks.types import (
    Amount,
    AssetId,
    ChainRef,
    IntentId,
    OrderSide,
    Quantity,
    TimeInForce,
)

from sep_core.events.registry import Fact, fact

type OrderOutcome = Literal["filled", "cancelled", "expired", "rejected", "not_placed"]
"""How an order ended: `rejected` and `not_placed` have never traded, the others may have in part."""


@fact("OrderAccountOpened")
class OrderAccountOpened(Fact):
    """The account joins this log; `balances` are the venue's at `at`. `chain` is where its assets are from."""

    name: str
    venue: str
    chain: ChainRef
    balances: tuple[tuple[AssetId, Amount], ...]
    at: datetime


@fact("OrderAssetsAdopted")
class OrderAssetsAdopted(Fact):
    """Assets that the configuration names since the account was opened; `balances` are the venue's at `at`."""

    name: str
    venue: str
    balances: tuple[tuple[AssetId, Amount], ...]
    at: datetime


@fact("OrderReserved")
class OrderReserved(Fact):
    """The order exists from now on, under an id that no other order will ever have; nothing of it has left yet.

    A lot is `lot` base units of `base`; at one tick it costs `tick` base units of `quote`. The venue takes the request
    in until `expires_at`, never later.
    """

    client_order_id: str
    intent_id: IntentId
    step_id: str
    market: str
    side: OrderSide
    price: int
    size: int
    time_in_force: TimeInForce
    base: AssetId
    quote: AssetId
    lot: Amount
    tick: Amount
    plan_digest: str
    expires_at: datetime


@fact("OrderSubmitted")
class OrderSubmitted(Fact):
    """The venue has the order, under an id of its own."""

    client_order_id: str
    venue_order_id: str


@fact("OrderDoubted")
class OrderDoubted(Fact):
    """No answer tells whether the venue has the order; only its own word, asked by our id, leads on."""

    client_order_id: str
    reason: str


@fact("OrderFilled")
class OrderFilled(Fact):
    """One trade, counted once by the venue's own id. `fee` is in base units of `fee_asset`; negative: a rebate."""

    client_order_id: str
    trade_id: str
    price: int
    size: int
    fee_asset: AssetId
    fee: Quantity
    maker: bool
    at: datetime


@fact("OrderCancelRequested")
class OrderCancelRequested(Fact):
    """The venue will be asked to end the order; a trade may win."""

    client_order_id: str
    reason: str


@fact("OrderClosed")
class OrderClosed(Fact):
    """Nothing of the order trades any more, and all its trades are known. `filled` in lots."""

    client_order_id: str
    outcome: OrderOutcome
    filled: int
    evidence: str
