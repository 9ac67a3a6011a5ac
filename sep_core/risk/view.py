"""What rules get to see: balances less all that others hold, and prices pinned."""

from collections.abc import Mapping
from types import MappingProxyType

from sep_hooks.types import Amount, AssetId, BreakerAction, IntentId, PriceBook, RiskView

from sep_core.risk.book import RiskBook

_NONE: Mapping[str, BreakerAction] = MappingProxyType({})


def build_view(
    book: RiskBook,
    *,
    account: str,
    strategy: str,
    final: Mapping[AssetId, int],
    doubt: Mapping[AssetId, int],
    prices: PriceBook | None,
    limits_version: int = 1,
    breakers: Mapping[str, BreakerAction] = _NONE,
    without: IntentId | None = None,
) -> RiskView:
    """The view of one account and strategy on its worst side, read-only so that no rule changes what another sees.

    `final` are settled balances, `doubt` what the ledger keeps apart as not known; inflow that is not final
    counts nowhere. `without` leaves out the hold of the intent that is looked at, before signing.
    """
    free: dict[AssetId, Amount] = {}
    total: dict[AssetId, Amount] = {}
    for asset, amount in final.items():
        total[asset] = Amount(max(0, amount))
        held = book.held(account, strategy, asset, without=without)
        free[asset] = Amount(max(0, amount - held - max(0, doubt.get(asset, 0))))
    return RiskView(
        account=account,
        strategy=strategy,
        prices=prices,
        free=MappingProxyType(free),
        total=MappingProxyType(total),
        held=MappingProxyType(dict(book.charged(without=without))),
        limits_version=limits_version,
        breakers=MappingProxyType(dict(breakers)),
    )
