"""What an intent is about, in the numéraire, for its place in the queue."""

from sep_hooks.errors import SepError
from sep_hooks.types import Asset, AssetId, Intent

from sep_core.markets.board import MarketBoard
from sep_core.runtime.native import Network, marginal_price


class Worth:
    """Base units of the numéraire at the latest snapshot's marginal prices; 0 where that is not known.

    It decides about order alone, never about money.
    """

    def __init__(self, board: MarketBoard, numeraire: AssetId | None) -> None:
        self._board = board
        self._numeraire = numeraire
        self._rates: dict[AssetId, tuple[Network, tuple[int, int] | None]] = {}

    def of(self, intent: Intent) -> int:
        """The sum over all assets of the intent."""
        if self._numeraire is None:
            return 0
        total = 0
        for part in intent.assets:
            if part.amount is None:
                return 0
            if part.asset.id == self._numeraire:
                total += part.amount
                continue
            rate = self._rate(part.asset, self._numeraire)
            if rate is None:
                return 0
            total += part.amount * rate[0] // rate[1]
        return total

    def _rate(self, asset: Asset, numeraire: AssetId) -> tuple[int, int] | None:
        """Output per input; looked for once in each snapshot."""
        try:
            network = self._board.snapshot(asset.chain).network
        except SepError:
            return None
        known = self._rates.get(asset.id)
        if known is None or known[0] is not network:
            known = self._rates[asset.id] = network, _found(network, asset, numeraire)
        return known[1]


def _found(network: Network, asset: Asset, numeraire: AssetId) -> tuple[int, int] | None:
    try:
        return marginal_price(network, asset.id, numeraire, 10**asset.decimals)
    except (SepError, KeyError, ValueError):
        return None
