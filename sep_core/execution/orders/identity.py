"""Identities of orders and trades: the same again for the same thing, never the same for another."""

from uuid import UUID, uuid5

from sep_hooks.types import IntentId

ORDERS = UUID("2f6a1d9e-5b0c-5e7a-9d14-7c3e8b2a6f05")
TRADES = UUID("8c1e4b72-0d3f-5a96-b8e5-1f7a2c9d4e60")


def client_order_id(store_id: UUID, intent_id: IntentId, step_id: str) -> str:
    """The order's own name, in 32 letters and digits; another log never makes the same.

    The step's id says the attempt: a new plan's order has a new name, and there is one only when this one is closed.
    """
    return uuid5(ORDERS, f"{store_id}|{intent_id}|{step_id}").hex


def trade_fact_id(venue: str, account: str, name: str, trade_id: str) -> UUID:
    """The id of the fact that a trade is: however often it is seen, it is one fact."""
    return uuid5(TRADES, f"{venue}|{account}|{name}|{trade_id}")
