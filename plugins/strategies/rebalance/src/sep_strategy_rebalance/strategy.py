"""The strategy: looks at each price, and trades where a share has left its band."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from sep_hooks.strategy import (
    Accepted,
    IntentUpdate,
    Quotes,
    QuoteTick,
    Strategy,
    StrategyContext,
    Subscription,
)
from sep_hooks.types import Constraints, IntentAsset, IntentDraft, IntentStatus, IntentType

from sep_strategy_rebalance.config import RebalanceConfig
from sep_strategy_rebalance.sizing import Holdings, largest_drift, trade

_CAME_TO_NOTHING = frozenset({IntentStatus.REJECTED, IntentStatus.EXPIRED, IntentStatus.FAILED})


@dataclass(frozen=True, slots=True)
class SeenPrice:
    """The latest price of an asset in the quote asset: base units of quote for one of it."""

    symbol: str
    numerator: str
    denominator: str


@dataclass(frozen=True, slots=True)
class RebalanceState:
    """How often it traded, until when it waits after an intent that came to nothing, and the prices of many assets."""

    trades: int = 0
    paused_until: datetime | None = None
    prices: tuple[SeenPrice, ...] = ()


class Rebalance(Strategy[RebalanceConfig, RebalanceState]):
    """One intent at a time: while one is open, prices pass by."""

    Config = RebalanceConfig
    State = RebalanceState

    def subscriptions(self) -> Sequence[Subscription]:
        """The price in quote of each asset but the quote itself."""
        config = self.config
        if config.weights is None:
            return () if config.base is None else (Quotes(config.base, config.quote),)
        return tuple(Quotes(symbol, config.quote) for symbol in config.weights if symbol != config.quote)

    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        """Submits what brings the shares back to their weights, if one has left its band."""
        weights = self.config.weights
        if weights is not None:
            self._remember(quote)
        if ctx.open_intents or self._paused(ctx.now):
            return
        draft = self._of_two(ctx, quote) if weights is None else self._of_many(ctx, weights)
        if draft is None:
            return
        answer = ctx.submit(draft)
        if isinstance(answer, Accepted):
            self.state = replace(self.state, trades=self.state.trades + 1)
        else:
            ctx.log.warning("rebalance_refused", code=answer.code, reason=answer.reason)
            self._pause(ctx.now)

    async def on_intent(self, ctx: StrategyContext, update: IntentUpdate) -> None:
        """Waits a while after an intent that came to nothing; the same would come to nothing again."""
        if update.status in _CAME_TO_NOTHING:
            ctx.log.info("rebalance_paused", status=update.status.value, reason=update.reason)
            self._pause(ctx.now)

    def _of_two(self, ctx: StrategyContext, quote: QuoteTick) -> IntentDraft | None:
        """Two assets need one trade, whose size is known: an ACQUIRE or a DISPOSE of base."""
        config, portfolio = self.config, ctx.portfolio
        base, other = quote.base.id, quote.quote.id
        due = trade(
            Holdings(
                portfolio.total(base), portfolio.total(other), portfolio.free(base), portfolio.free(other)
            ),
            (quote.numerator, quote.denominator),
            config.weight,
            config.band,
            config.max_slippage,
            config.minimum_trade,
        )
        if due is None:
            return None
        return IntentDraft(due.type, (IntentAsset(quote.base, due.amount),), self._constraints())

    def _of_many(self, ctx: StrategyContext, weights: Mapping[str, Decimal]) -> IntentDraft | None:
        """Of many assets planning knows best what to trade for what: a REBALANCE says where they shall stand."""
        config = self.config
        prices = {one.symbol: Fraction(int(one.numerator), int(one.denominator)) for one in self.state.prices}
        prices[config.quote] = Fraction(1)
        if any(symbol not in prices for symbol in weights):
            return None
        assets = {symbol: ctx.asset(symbol) for symbol in weights}
        worths = {symbol: ctx.portfolio.total(asset.id) * prices[symbol] for symbol, asset in assets.items()}
        share, worth = largest_drift(worths, weights)
        if share <= Fraction(config.band) or worth < config.minimum_trade:
            return None
        wanted = tuple(IntentAsset(assets[symbol], None, weight) for symbol, weight in weights.items())
        return IntentDraft(IntentType.REBALANCE, wanted, self._constraints())

    def _constraints(self) -> Constraints:
        config = self.config
        return Constraints(config.max_slippage, config.time_window_ms, config.execution_style)

    def _remember(self, quote: QuoteTick) -> None:
        seen = SeenPrice(quote.base.symbol, str(quote.numerator), str(quote.denominator))
        others = tuple(one for one in self.state.prices if one.symbol != seen.symbol)
        self.state = replace(self.state, prices=(*others, seen))

    def _paused(self, now: datetime) -> bool:
        until = self.state.paused_until
        return until is not None and now < until

    def _pause(self, now: datetime) -> None:
        until = now + timedelta(seconds=self.config.pause_seconds)
        self.state = replace(self.state, paused_until=until)
