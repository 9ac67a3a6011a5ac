"""Names and decimals of assets, for people."""

from collections.abc import Iterable
from decimal import Decimal, localcontext

from sep_hooks.errors import InvalidAsset
from sep_hooks.types import Asset, AssetId, chain_id_of, chain_of, token_address

from sep_core.runtime.native import checksum_address
from sep_core.runtime.settings import Settings
from sep_core.runtime.views import AmountView, AssetView
from sep_core.runtime.world import World

NATIVE_SYMBOL = "ETH"
NATIVE_DECIMALS = 18


class AssetBook:
    """What is known of assets from the configuration and from the log's own intents."""

    def __init__(self, settings: Settings, world: World) -> None:
        self._by_address = {one.address: (one.symbol, one.decimals) for one in settings.assets.values()}
        self._known: dict[AssetId, Asset] = {}
        self._learn(part.asset for state in world.intents.values() for part in state.intent.assets)

    def asset(self, asset_id: AssetId) -> Asset:
        """The asset of an id; one that nobody named goes by a short form of its address, in base units."""
        known = self._known.get(asset_id)
        if known is None:
            known = self._known[asset_id] = self._guess(asset_id)
        return known

    def view(self, asset_id: AssetId) -> AssetView:
        """The asset as answers show it."""
        asset = self.asset(asset_id)
        return AssetView(
            id=asset.id,
            chain_id=chain_id_of(chain_of(asset.id)),
            address=_address(asset.id),
            symbol=asset.symbol,
            decimals=asset.decimals,
        )

    def amount(self, asset_id: AssetId, amount: int) -> AmountView:
        """An amount as answers show it."""
        return AmountView(asset=self.view(asset_id), amount=str(amount), text=self.text(asset_id, amount))

    def text(self, asset_id: AssetId, amount: int) -> str:
        """An amount as people write it, exact, with its symbol."""
        asset = self.asset(asset_id)
        return f"{decimal_text(amount, asset.decimals)} {asset.symbol}"

    def _learn(self, assets: Iterable[Asset]) -> None:
        for asset in assets:
            self._known.setdefault(asset.id, asset)

    def _guess(self, asset_id: AssetId) -> Asset:
        try:
            token = token_address(asset_id)
        except InvalidAsset:
            return Asset(asset_id, NATIVE_SYMBOL, NATIVE_DECIMALS)
        symbol, decimals = self._by_address.get(token, (f"{token[:6]}…{token[-4:]}", 0))
        return Asset(asset_id, symbol, decimals)


def decimal_text(amount: int, decimals: int) -> str:
    """Base units as an exact decimal number without trailing zeros."""
    with localcontext() as context:
        context.prec = 100
        text = format(Decimal(amount).scaleb(-decimals), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _address(asset_id: AssetId) -> str | None:
    try:
        return checksum_address(token_address(asset_id))
    except InvalidAsset:
        return None
