"""Priced routes over a snapshot, as the command line and the HTTP interface answer them."""

import math
from collections.abc import Iterable, Sequence

from sep_hooks.types import Asset, AssetId, MarketId, chain_id_of, chain_of, token_address

from sep_core.markets.snapshot_data import SnapshotData
from sep_core.markets.snapshot_writer import snapshot_document
from sep_core.planning.native import NativeLeg, Solution
from sep_core.planning.question import Question
from sep_core.runtime.asset_book import decimal_text
from sep_core.runtime.native import checksum_address
from sep_core.runtime.quote_view import (
    PriceView,
    QuoteCertificateView,
    QuoteChainView,
    QuoteLegView,
    QuotePathView,
    QuoteRequestView,
    QuoteSpend,
    QuoteView,
)
from sep_core.runtime.quote_wish import QuoteRefused, Wish, question_of
from sep_core.runtime.views import AmountView, AssetView, LeftOutView

_ROUNDING = 1e-9
"""How far a route may lie beyond its bound: where it lies farther, the bound is none."""


def quote(data: SnapshotData, wish: Wish, *, with_snapshot: bool) -> QuoteView:
    """The best route that is found in time, with its certificate.

    Raises `QuoteRefused`, `NoRoute`, or what the solver raises; nothing is recorded or sent either way.
    """
    question, gas_priced = question_of(wish, data)
    try:
        solution = data.network.solve(question.problem())
    except (ValueError, KeyError, OverflowError) as error:
        raise QuoteRefused(str(error.args[0] if error.args else error)) from error
    told = (solution.objective, solution.bound, solution.gap, solution.net_gap, solution.unlimited_gap)
    if not all(math.isfinite(one) for one in told) or solution.gap < -_ROUNDING:
        raise QuoteRefused("no bound can be given for this question on this snapshot")
    return quote_view(data, question, solution, gas_priced=gas_priced, with_snapshot=with_snapshot)


def quote_view(
    data: SnapshotData, question: Question, solution: Solution, *, gas_priced: bool, with_snapshot: bool
) -> QuoteView:
    """A solution as it is answered. All of it but times and counts follows from snapshot, question, legs and prices."""
    told = Told(data)
    path = solution.best_path
    return QuoteView(
        format="sep-quote",
        version=1,
        request=request_view(question),
        snapshot_digest=data.digest,
        chains=chain_views(data),
        markets=len(data.markets),
        spends=told.amounts(solution.inputs),
        receives=told.amounts(solution.outputs),
        legs=told.legs(solution.legs),
        gas=solution.gas,
        gas_worth=str(solution.gas_worth),
        gas_priced=gas_priced,
        certificate=QuoteCertificateView(
            prices=[PriceView(asset=asset, price=repr(price)) for asset, price in solution.prices],
            order=list(solution.order),
            objective=repr(solution.objective),
            bound=repr(solution.bound),
            gap_before_gas=repr(solution.gap),
            net_gap=repr(solution.net_gap),
            unlimited_gap=repr(solution.unlimited_gap),
        ),
        single_path=None
        if path is None
        else QuotePathView(
            legs=told.legs(path.legs),
            amount_in=str(path.amount_in),
            amount_out=str(path.amount_out),
            gas=path.gas,
            gas_worth=str(path.gas_worth),
        ),
        method=solution.method,
        iterations=solution.iterations,
        evaluations=solution.evaluations,
        elapsed_microseconds=solution.elapsed_ns // 1000,
        timed_out=solution.is_timed_out,
        left_out=[
            *(LeftOutView(name=one.name, reason=one.reason) for one in data.left_out),
            *(LeftOutView(name=name, reason=reason) for name, reason in solution.left_out),
        ],
        snapshot=snapshot_document(data) if with_snapshot else None,
    )


def request_view(question: Question) -> QuoteRequestView:
    """The question as it stands in the answer."""
    return QuoteRequestView(
        kind="exact_in" if question.exact_in else "exact_out",
        spend=[
            QuoteSpend(
                asset=one.asset,
                amount=None if one.amount is None else str(one.amount),
                worth=None if one.worth is None else (str(one.worth[0]), str(one.worth[1])),
            )
            for one in question.spends
        ],
        want=question.want,
        amount=None if question.amount is None else str(question.amount),
        max_legs=question.max_legs,
        max_hops=question.max_hops,
        time_ms=question.time_ms,
        arbitrage=question.arbitrage,
        exclude=list(question.exclude),
        gas_price=(str(question.gas_price[0]), str(question.gas_price[1])),
    )


def chain_views(data: SnapshotData) -> list[QuoteChainView]:
    """The chains of a snapshot as they stand in an answer."""
    return [
        QuoteChainView(
            chain=at.chain, block_number=at.block.number, block_hash=at.block.hash, block_time=at.timestamp
        )
        for at in data.chains
    ]


class Told:
    """Amounts and legs as people read them."""

    def __init__(self, data: SnapshotData) -> None:
        self._data = data
        self._assets = {asset.id: asset for asset in data.assets}

    def amounts(self, amounts: Iterable[tuple[str, int]]) -> list[AmountView]:
        """Amounts of assets."""
        return [self.amount(asset, amount) for asset, amount in amounts]

    def legs(self, legs: Sequence[NativeLeg]) -> list[QuoteLegView]:
        """Passes through markets."""
        return [self.leg(leg) for leg in legs]

    def leg(self, leg: NativeLeg) -> QuoteLegView:
        """One pass through one market."""
        market = self._data.markets.get(MarketId(leg.market))
        paid = self._text(leg.asset_in, leg.amount_in)
        return QuoteLegView(
            market=leg.market,
            venue="" if market is None else market.venue,
            asset_in=leg.asset_in,
            asset_out=leg.asset_out,
            amount_in=str(leg.amount_in),
            amount_out=str(leg.amount_out),
            gas=leg.gas,
            text=f"{paid} for {self._text(leg.asset_out, leg.amount_out)}",
        )

    def amount(self, asset: str, amount: int) -> AmountView:
        """An amount of an asset."""
        known = self._asset(asset)
        view = AssetView(
            id=known.id,
            chain_id=chain_id_of(chain_of(known.id)),
            address=checksum_address(token_address(known.id)),
            symbol=known.symbol,
            decimals=known.decimals,
        )
        return AmountView(asset=view, amount=str(amount), text=self._text(asset, amount))

    def _text(self, asset: str, amount: int) -> str:
        known = self._asset(asset)
        return f"{decimal_text(amount, known.decimals)} {known.symbol}"

    def _asset(self, asset: str) -> Asset:
        known = self._assets.get(AssetId(asset))
        return Asset(AssetId(asset), asset, 0) if known is None else known
