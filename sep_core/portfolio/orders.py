"""Posting rules of order venues: which entries trades there become."""

from uuid import UUID

from sep_hooks.types import Amount, AssetId, IntentId, OrderSide, PriceBook, Quantity

from sep_core.events.decided import Decided
from sep_core.events.facts import AccountClass, JournalPosted, Posting
from sep_core.events.streams import ledger_stream
from sep_core.portfolio.owner import Owner
from sep_core.portfolio.posting import entry_key


def post_order_opening(
    owner: Owner,
    venue: str,
    balances: tuple[tuple[AssetId, Amount], ...],
    evidence: str,
    prices: PriceBook | None,
) -> Decided:
    """What the account held at the venue when it, or some of its assets, joined the log: from outside."""
    postings = tuple(
        line
        for asset, amount in balances
        if amount
        for line in _pair(owner, asset, amount, "external", _worth(prices, asset, amount))
    )
    key = entry_key(owner, f"{venue}:{owner.account}:opened", evidence)
    return _entry(owner, key, f"held at {venue}", None, postings, prices)


def post_order_trade(
    owner: Owner,
    evidence: str,
    intent_id: IntentId,
    side: OrderSide,
    base: tuple[AssetId, int],
    quote: tuple[AssetId, int],
    fee: int,
    prices: PriceBook | None,
) -> tuple[Decided, ...]:
    """A trade, final at once, and its fee as an entry of its own; a rebate is a negative fee.

    `evidence` names venue, order and trade: the same trade never books twice.
    """
    sign = 1 if side is OrderSide.BUY else -1
    value = _trade_value(prices, base, quote)
    postings = (
        *_pair(owner, base[0], sign * base[1], "trade", value),
        *_pair(owner, quote[0], -sign * quote[1], "trade", value),
    )
    entries = [_entry(owner, entry_key(owner, evidence, 0), "trade", intent_id, postings, prices)]
    if fee:
        worth = _worth(prices, quote[0], fee)
        paid = _pair(owner, quote[0], -fee, "fee", worth)
        entries.append(_entry(owner, entry_key(owner, evidence, "fee"), "fee", intent_id, paid, prices))
    return tuple(entries)


def _trade_value(
    prices: PriceBook | None, base: tuple[AssetId, int], quote: tuple[AssetId, int]
) -> Amount | None:
    if prices is None:
        return None
    if quote[0] == prices.numeraire:
        return Amount(quote[1])
    value = prices.value(*quote)
    return value if value is not None else prices.value(*base)


def _worth(prices: PriceBook | None, asset: AssetId, amount: int) -> Amount | None:
    return None if prices is None else prices.value(asset, abs(amount))


def _pair(
    owner: Owner, asset: AssetId, change: int, against: AccountClass, value: Amount | None
) -> tuple[Posting, Posting]:
    return (
        Posting("wallet", asset, owner.strategy, Quantity(change), value),
        Posting(against, asset, owner.strategy, Quantity(-change), value),
    )


def _entry(
    owner: Owner,
    key: UUID,
    reason: str,
    intent_id: IntentId | None,
    postings: tuple[Posting, ...],
    prices: PriceBook | None,
) -> Decided:
    numeraire = None if prices is None else prices.numeraire
    entry = JournalPosted(key, owner.account, "final", reason, intent_id, postings, "", numeraire)
    return Decided(ledger_stream(owner.account), entry)
