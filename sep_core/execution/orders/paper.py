"""What a plan's order would have exchanged, on paper: the book as it was planned on."""

from sep_hooks.types import Amount, Fill, MarketId, SwapFill

from sep_core.execution.orders.ports import PlannedOrder


def paper_fill(work: PlannedOrder, venue: str) -> Fill:
    """The plan's own prediction as a fill."""
    (spent,), (got,) = work.plan.spends, work.plan.receives
    book = work.step.book
    market = MarketId(f"{venue}/{book.market if book is not None else ''}")
    one = SwapFill(market, spent.asset, spent.expected, got.asset, got.expected, 0)
    return Fill(
        work.intent_id,
        work.step.id,
        venue,
        spent.asset,
        spent.expected,
        got.asset,
        got.expected,
        (one,),
        Amount(0),
        work.plan.snapshot.block,
        "",
    )
