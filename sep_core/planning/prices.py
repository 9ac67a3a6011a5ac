"""Prices from a snapshot: marginal rates along the best path, and the book that risk is measured in."""

import hashlib
from collections.abc import Iterable

from sep_hooks.errors import SepError
from sep_hooks.types import Amount, AssetId, Price, PriceBook

from sep_core.events.codec import encode
from sep_core.events.values import value_codec
from sep_core.planning.native import Network, PathProblem

MOST_HOPS = 4
_LESS = 1_000
_encode_prices, _ = value_codec(tuple[Price, ...])


def value_of(network: Network, asset: AssetId, amount: int, in_asset: AssetId) -> Amount | None:
    """What an amount is worth in another asset at the marginal price of its best path, rounded up; None
    where nothing leads there. Of an amount that no path can take, a part shows the price.
    """
    if asset == in_asset or amount == 0:
        return Amount(amount)
    sample = amount
    while sample:
        try:
            solution = network.best_path(PathProblem(in_asset, sample, True, [asset], max_hops=MOST_HOPS))
        except SepError:
            sample //= _LESS
            continue
        numerator, denominator = solution.marginal
        return Amount(-(-amount * numerator // denominator))
    return None


def price_book(
    network: Network,
    numeraire: AssetId,
    amounts: Iterable[tuple[AssetId, int]],
    stand_ins: dict[AssetId, AssetId],
) -> PriceBook:
    """Prices of the given amounts; what cannot be priced is absent.

    `stand_ins` names assets that trade under another id at one to one: the chain's own coin and its wrapper.
    """
    prices: dict[AssetId, Price] = {}
    for asset, needed in amounts:
        amount = max(1, needed)
        value = value_of(network, stand_ins.get(asset, asset), amount, numeraire)
        if value is not None and asset != numeraire:
            prices[asset] = Price(asset, Amount(amount), value)
    listed = tuple(prices[asset] for asset in sorted(prices))
    body = encode({"numeraire": numeraire, "prices": _encode_prices(listed)})
    return PriceBook(numeraire, listed, "0x" + hashlib.sha256(body).hexdigest())
