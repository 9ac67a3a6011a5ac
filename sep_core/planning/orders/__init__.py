"""How an intent becomes an order in a book."""

from sep_core.planning.orders.book import BookView
from sep_core.planning.orders.planner import Books, Done, OrderAccount, OrderPlanner

__all__ = ["BookView", "Books", "Done", "OrderAccount", "OrderPlanner"]
