"""The answer to a quote: a priced route with its certificate, and all that it takes to check it."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from sep_core.runtime.views import AmountText, AmountView, LeftOutView, View

QUOTE_FORMAT = "sep-quote"
QUOTE_VERSION = 1


def _finite(text: str) -> str:
    if not math.isfinite(float(text)):
        raise ValueError("it is too large for a double")
    return text


RealText = Annotated[
    str,
    Field(pattern=r"^-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$", max_length=40),
    AfterValidator(_finite),
]
"""A finite double as the shortest decimal text that reads back to the same bits."""

FractionText = tuple[AmountText, AmountText]


class QuoteSpend(View):
    """An asset that may be spent: exactly `amount` (exact in), or any amount at `worth` a base unit (exact out)."""

    asset: str
    amount: AmountText | None
    worth: FractionText | None


class QuoteRequestView(View):
    """What was asked for, complete: the same question gives the same answer on the same snapshot, time aside.

    `gas_price` is the worth of one unit of gas in what is measured; 0 where gas has no price here.
    """

    kind: Literal["exact_in", "exact_out"]
    spend: list[QuoteSpend]
    want: str
    amount: AmountText | None
    max_legs: int | None
    max_hops: int | None
    time_ms: int | None
    arbitrage: bool
    exclude: list[str]
    gas_price: FractionText


class QuoteChainView(View):
    """A chain at the block of the snapshot."""

    chain: str
    block_number: int
    block_hash: str
    block_time: int


class QuoteLegView(View):
    """One pass through one market, with exact amounts in base units."""

    market: str
    venue: str
    asset_in: str
    asset_out: str
    amount_in: AmountText
    amount_out: AmountText
    gas: int
    text: str


class PriceView(View):
    """The price of one base unit in what is measured."""

    asset: str
    price: RealText


class QuoteCertificateView(View):
    """How far from the best possible the route can be at most, over the snapshot's markets but those left out.

    Measured are base units of what comes out (exact in) or worth of what is spent (exact out). `bound` is what no
    route can better; gaps are shares of it. `unlimited_gap` is that of the search before legs were limited by gas
    and number. Loops excluded, it holds for the `order` of the assets.
    """

    prices: list[PriceView]
    order: list[str]
    objective: RealText
    bound: RealText
    gap_before_gas: RealText
    net_gap: RealText
    unlimited_gap: RealText


class QuotePathView(View):
    """The best route that is not split, on the same snapshot."""

    legs: list[QuoteLegView]
    amount_in: AmountText
    amount_out: AmountText
    gas: int
    gas_worth: AmountText


class QuoteView(View):
    """A priced route. `snapshot` is what it was computed from, where that was asked for."""

    format: Literal["sep-quote"]
    version: Literal[1]
    request: QuoteRequestView
    snapshot_digest: str
    chains: list[QuoteChainView]
    markets: int
    spends: list[AmountView]
    receives: list[AmountView]
    legs: list[QuoteLegView]
    gas: int
    gas_worth: AmountText
    gas_priced: bool
    certificate: QuoteCertificateView
    single_path: QuotePathView | None
    method: str
    iterations: int
    evaluations: int
    elapsed_microseconds: int
    timed_out: bool
    left_out: list[LeftOutView]
    snapshot: dict[str, Any] | None
