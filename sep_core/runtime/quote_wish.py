"""What somebody wants a route for, in their own words, and what it means on a snapshot."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sep_hooks.errors import Permanent
from sep_hooks.types import MAX_AMOUNT, Amount, Asset, AssetId

from sep_core.markets.snapshot_data import SnapshotData
from sep_core.markets.strict_json import printable
from sep_core.planning.gas_worth import gas_price_in
from sep_core.planning.prices import value_of
from sep_core.planning.question import Question, Spend

MOST_LEGS: Final = 64
MOST_HOPS: Final = 8
LONGEST_TIME_MS: Final = 10_000
DEFAULT_TIME_MS: Final = 1_000
_DECIMAL: Final = re.compile(r"[0-9]{1,78}(\.[0-9]{1,78})?")


class QuoteRefused(Permanent):
    """A question that cannot be put to this snapshot. `place` is that of a request (JSON pointer)."""

    code = "quote_refused"

    def __init__(self, message: str, place: str = "", *, next_step: str = "") -> None:
        super().__init__(
            message, next_step=next_step or "correct the question and ask again; nothing was sent"
        )
        self.place = place


@dataclass(frozen=True, slots=True)
class Wish:
    """Assets by id: what is spent (exact in: each with its amount), what is wanted (exact out: with its amount)."""

    spends: tuple[tuple[AssetId, Amount | None], ...]
    want: AssetId
    amount: Amount | None = None
    max_legs: int | None = None
    max_hops: int | None = None
    time_ms: int | None = DEFAULT_TIME_MS
    arbitrage: bool = False
    venues: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


def named_asset(assets: Sequence[Asset], word: str) -> Asset:
    """The asset that a symbol (in whatever case) or an id means. Raises `QuoteRefused` for none, and for several."""
    exact = [one for one in assets if one.id == word.lower() or one.symbol == word]
    found = exact or [one for one in assets if one.symbol.lower() == word.lower()]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(one.id for one in found[:4])
        raise QuoteRefused(
            f"{printable(word)} may be any of {ids}", next_step="name the one that is meant by its id"
        )
    known = sorted({one.symbol for one in assets})
    told = ", ".join(known[:12]) + (" …" if len(known) > 12 else "")
    raise QuoteRefused(
        f"there is no asset {printable(word)[:80]!r} here; there are {told or 'none at all'}",
        next_step="name an asset by its symbol or its id",
    )


def amount_in_units(text: str, asset: Asset) -> Amount:
    """A decimal number of whole units as base units. Raises `QuoteRefused` for what is no exact amount above zero."""
    if _DECIMAL.fullmatch(text) is None:
        raise QuoteRefused(
            f"{printable(text)[:64]!r} is no amount: write digits with at most one point, like 0.25; it is in units of"
            f" {asset.symbol}"
        )
    whole, _, part = text.partition(".")
    part = part.rstrip("0")
    if len(part) > asset.decimals:
        raise QuoteRefused(
            f"{text} {asset.symbol} is not whole in base units: it has {asset.decimals} decimals"
        )
    amount = int(whole + part.ljust(asset.decimals, "0"))
    if amount == 0:
        raise QuoteRefused("the amount is zero, so there is nothing to quote")
    if amount > MAX_AMOUNT:
        raise QuoteRefused(f"{text[:64]} {asset.symbol} is more than 2^256 - 1 base units")
    return Amount(amount)


def question_of(wish: Wish, data: SnapshotData) -> tuple[Question, bool]:
    """The question with everything filled in, and whether gas has a price in it. Raises `QuoteRefused`."""
    _check(wish, data)
    measure = wish.want if wish.amount is None else wish.spends[0][0]
    price = None
    for at in data.chains:
        price = price or gas_price_in(data.network, at.fee_per_gas, at.gas_asset, measure)
    question = Question(
        spends=tuple(_spend(asset, amount, wish, data) for asset, amount in wish.spends),
        want=wish.want,
        amount=wish.amount,
        max_legs=wish.max_legs,
        max_hops=wish.max_hops,
        time_ms=wish.time_ms,
        arbitrage=wish.arbitrage,
        exclude=tuple(
            market.id
            for market in sorted(data.markets.values(), key=lambda one: one.id)
            if market.id in wish.exclude or (wish.venues and market.venue not in wish.venues)
        ),
        gas_price=price or (0, 1),
    )
    return question, price is not None


def _check(wish: Wish, data: SnapshotData) -> None:
    venues = {market.venue for market in data.markets.values()}
    known = {asset.id for asset in data.assets}
    for place, (asset, amount) in enumerate(wish.spends):
        if asset == wish.want:
            raise QuoteRefused("what is spent and what is wanted are the same asset", "/receive/asset")
        if asset not in known:
            raise QuoteRefused(f"no market here trades {asset}", f"/spend/{place}/asset")
        if (amount is None) is (wish.amount is None):
            raise QuoteRefused(
                "give amounts for what is spent, or one for what is wanted, and not for both",
                f"/spend/{place}/amount",
            )
        if amount == 0:
            raise QuoteRefused("the amount is zero, so there is nothing to quote", f"/spend/{place}/amount")
    if len({asset for asset, _ in wish.spends}) < len(wish.spends):
        raise QuoteRefused("an asset is named twice in what is spent", "/spend")
    if wish.want not in known:
        raise QuoteRefused(f"no market here trades {wish.want}", "/receive/asset")
    if wish.amount == 0:
        raise QuoteRefused("the amount is zero, so there is nothing to quote", "/receive/amount")
    for place, venue in enumerate(wish.venues):
        if venue not in venues:
            raise QuoteRefused(
                f"no market here is of venue {printable(venue)!r}; there are {', '.join(sorted(venues)) or 'none'}",
                f"/venues/{place}",
            )
    for place, market in enumerate(wish.exclude):
        if market not in data.markets:
            raise QuoteRefused(f"there is no market {printable(market)!r}", f"/exclude/{place}")


def _spend(asset: AssetId, amount: Amount | None, wish: Wish, data: SnapshotData) -> Spend:
    if amount is not None:
        return Spend(asset, amount)
    first = wish.spends[0][0]
    if asset == first:
        return Spend(asset, worth=(1, 1))
    known = data.asset(asset)
    unit = 10 ** (known.decimals if known is not None else 0)
    value = value_of(data.network, asset, unit, first)
    if not value:
        raise QuoteRefused(
            f"nothing tells what {asset} is worth in {first}, so they cannot be mixed", "/spend"
        )
    return Spend(asset, worth=(value, unit))
