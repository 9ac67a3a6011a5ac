"""What an intent is about, in the numéraire, for its place in the queue."""

from sep_hooks.errors import SepError
from sep_hooks.types import AssetId, Intent

from sep_core.markets.board import MarketBoard
from sep_core.runtime.native import marginal_price


def worth(intent: Intent, board: MarketBoard, numeraire: AssetId | None) -> int:
    """Base units of the numéraire at the latest snapshot's marginal prices; 0 where that is not known.

    It decides about order alone, never about money.
    """
    if numeraire is None:
        return 0
    total = 0
    for part in intent.assets:
        if part.amount is None:
            return 0
        if part.asset.id == numeraire:
            total += part.amount
            continue
        try:
            network = board.snapshot(part.asset.chain).network
            over, under = marginal_price(network, part.asset.id, numeraire, 10**part.asset.decimals)
        except (SepError, KeyError, ValueError):
            return 0
        total += part.amount * over // under
    return total
