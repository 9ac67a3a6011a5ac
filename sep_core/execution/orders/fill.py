"""The fill that a closed order stands for."""

import hashlib

from sep_hooks.types import Amount, BlockRef, Fill, MarketId, OrderSide, SwapFill

from sep_core.execution.orders.lane import OrderEntry


def fill_of_order(entry: OrderEntry, venue: str) -> Fill | None:
    """All trades of an order together, fees on what is paid and out of what is got; None where nothing traded.

    It is named by the order and its trades, where a fill on a chain is named by block and transaction.
    """
    if not entry.trades:
        return None
    units, market = entry.units, MarketId(f"{venue}/{entry.market}")
    passes = []
    for place, one in enumerate(entry.trades):
        base, quote = one.size * units.lot, one.price * one.size * units.tick
        if entry.side is OrderSide.BUY:
            passes.append(
                SwapFill(market, units.quote, Amount(quote + one.fee), units.base, Amount(base), place)
            )
        else:
            passes.append(
                SwapFill(market, units.base, Amount(base), units.quote, Amount(quote - one.fee), place)
            )
    names = "|".join(one.trade_id for one in entry.trades)
    digest = "0x" + hashlib.sha256(f"{venue}|{entry.client_order_id}|{names}".encode()).hexdigest()
    return Fill(
        entry.intent_id,
        entry.step_id,
        venue,
        passes[0].asset_in,
        Amount(sum(one.amount_in for one in passes)),
        passes[0].asset_out,
        Amount(sum(one.amount_out for one in passes)),
        tuple(passes),
        Amount(0),
        BlockRef(0, digest),
        entry.client_order_id,
    )
