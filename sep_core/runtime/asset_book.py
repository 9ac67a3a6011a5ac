"""Names and decimals of assets, for people."""

import re
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
_ASSET_ID = re.compile(r"eip155:[0-9]+/(?:erc20:0x[0-9a-f]{40}|slip44:[0-9]+)")
_AMOUNT_OF = re.compile(rf"\b([0-9]+) of ({_ASSET_ID.pattern})")


class AssetBook:
    """What is known of assets from the configuration and from the log's own intents."""

    def __init__(self, settings: Settings, world: World) -> None:
        self._by_address = {one.address: (one.symbol, one.decimals) for one in settings.assets.values()}
        self._by_symbol = {one.symbol: one.decimals for one in settings.assets.values()}
        self._named = world.assets
        self._guessed: dict[AssetId, Asset] = {}

    def asset(self, asset_id: AssetId) -> Asset:
        """The asset of an id; one that nobody named goes by a short form of its address, in base units."""
        known = self._named.get(asset_id) or self._guessed.get(asset_id)
        if known is None:
            known = self._guessed[asset_id] = self._guess(asset_id)
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

    def texts(self, amounts: Iterable[tuple[AssetId, int]]) -> str:
        """Several amounts, those of one asset together."""
        sums: dict[AssetId, int] = {}
        for asset, amount in amounts:
            sums[asset] = sums.get(asset, 0) + amount
        return " and ".join(self.text(asset, amount) for asset, amount in sums.items())

    def quantity(self, unit: str, number: int) -> str:
        """A number of a rule in the unit that it names: an asset by id or symbol, parts per million, or a count."""
        if unit == "ppm":
            return f"{decimal_text(number, 4)} %"
        if unit == "wei":
            return f"{decimal_text(number, NATIVE_DECIMALS)} {NATIVE_SYMBOL}"
        if unit in self._by_symbol:
            return f"{decimal_text(number, self._by_symbol[unit])} {unit}"
        if _ASSET_ID.fullmatch(unit):
            return self.text(AssetId(unit), number)
        return f"{number} {unit}".rstrip()

    def words(self, text: str) -> str:
        """A text with amounts and ids of assets as people write them."""
        text = _AMOUNT_OF.sub(lambda found: self.quantity(found[2], int(found[1])), text)
        return _ASSET_ID.sub(lambda found: self.asset(AssetId(found[0])).symbol, text)

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
