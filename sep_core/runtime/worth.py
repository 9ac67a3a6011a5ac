"""What intents and holdings are worth in the numéraire, by the latest snapshot's marginal prices."""

import hashlib
from collections.abc import Iterable, Mapping

from sep_hooks.errors import ConfigurationError, SepError
from sep_hooks.types import Amount, Asset, AssetId, Intent, Price, PriceBook

from sep_core.markets.board import MarketBoard
from sep_core.risk import RiskEngine
from sep_core.runtime.native import Network, marginal_price


class Worth:
    """Marginal prices, looked for once in each snapshot. They order intents and cost openings, and move no money."""

    def __init__(self, board: MarketBoard, numeraire: AssetId | None) -> None:
        self._board = board
        self._numeraire = numeraire
        self._rates: dict[AssetId, tuple[Network, tuple[int, int] | None]] = {}

    def of(self, intent: Intent) -> int:
        """What an intent is about, in base units of the numéraire; 0 where that is not known."""
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

    def value(self, asset: Asset, quantity: int) -> int | None:
        """What a quantity is worth in base units of the numéraire, rounded down; None where that is not known."""
        if asset.id == self._numeraire:
            return quantity
        rate = None if self._numeraire is None else self._rate(asset, self._numeraire)
        return None if rate is None else quantity * rate[0] // rate[1]

    def prices(self, assets: Iterable[Asset]) -> PriceBook | None:
        """What holdings cost at present; an asset without a path to the numéraire has no price. None without one."""
        if self._numeraire is None:
            return None
        prices: list[Price] = []
        for asset in assets:
            if asset.id == self._numeraire:
                continue
            rate = self._rate(asset, self._numeraire)
            if rate is not None:
                unit = 10**asset.decimals
                prices.append(Price(asset.id, Amount(unit), Amount(unit * rate[0] // rate[1])))
        said = "|".join(f"{one.asset}={one.value}/{one.amount}" for one in prices)
        digest = hashlib.sha256(f"{self._numeraire}|{said}".encode()).hexdigest()
        return PriceBook(self._numeraire, tuple(prices), digest)

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


def numeraire_of(engine: RiskEngine, assets: Mapping[str, Asset]) -> AssetId | None:
    """The asset that the risk rules want prices in, None where they want none. Raises `ConfigurationError` where the
    configuration does not have it.
    """
    if engine.numeraire is None:
        return None
    asset = assets.get(engine.numeraire)
    if asset is None:
        raise ConfigurationError(
            f"the risk rules want prices in {engine.numeraire!r}, which [assets] does not have",
            pointer="risk",
            next_step=f"add a table [assets.{engine.numeraire}], or let the rules name an asset that is there",
        )
    return asset.id
