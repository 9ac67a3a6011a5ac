"""How far an order is from the best that the venue's books could give, all of them together: a certificate."""

from collections.abc import Sequence

from sep_hooks.errors import SepError
from sep_hooks.types import Amount, Certificate, Flow

from sep_core.planning.native import Network, OrderBook
from sep_core.planning.orders.book import BookView
from sep_core.planning.size import Size
from sep_core.planning.split import split

NO_GAS = (0, 1)


def proof_of(
    books: Sequence[BookView], flows: tuple[Flow, Flow], *, exact_in: bool, method: str
) -> Certificate | None:
    """The bound over every route through the books, and the order's gap below it; None where there is no bound.

    What is measured is what the order comes to on these books: what it brings of its other side, or costs.
    """
    spends, receives = flows
    network = Network()
    for book in books:
        market = book.market
        state = OrderBook(
            book.bids, book.asks, market.lot, market.tick, market.taker_fee_ppm, market.least_notional
        )
        network.set(f"{book.venue}/{market.name}", [book.base, book.quote], state)
    exact, other = (spends, receives) if exact_in else (receives, spends)
    size = Size(exact.asset, Amount(exact.expected), exact_in, (other.asset,))
    try:
        found = split(network, size, [(1, 1)], NO_GAS, ())
    except (SepError, ValueError, OverflowError):
        return None  # an order may rest beyond what the books offer: then there is nothing to compare it with
    return found.judged(method, other.expected, 0)
