"""The strategy: looks at each price, and trades where the share has left its band."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sep_hooks.strategy import (
    Accepted,
    IntentUpdate,
    Quotes,
    QuoteTick,
    Strategy,
    StrategyContext,
    Subscription,
)
from sep_hooks.types import Constraints, IntentAsset, IntentDraft, IntentStatus

from sep_strategy_rebalance.config import RebalanceConfig
from sep_strategy_rebalance.sizing import Holdings, trade

_CAME_TO_NOTHING = frozenset({IntentStatus.REJECTED, IntentStatus.EXPIRED, IntentStatus.FAILED})


@dataclass(frozen=True, slots=True)
class RebalanceState:
    """How often it traded, and until when it waits after an intent that came to nothing."""

    trades: int = 0
    paused_until: datetime | None = None


class Rebalance(Strategy[RebalanceConfig, RebalanceState]):
    """One intent at a time: while one is open, prices pass by."""

    Config = RebalanceConfig
    State = RebalanceState

    def subscriptions(self) -> Sequence[Subscription]:
        """The price of base in quote."""
        return (Quotes(self.config.base, self.config.quote),)

    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        """Submits what brings the share back to its weight, if it has left its band."""
        if ctx.open_intents or self._paused(ctx.now):
            return
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
            return
        constraints = Constraints(config.max_slippage, config.time_window_ms, config.execution_style)
        draft = IntentDraft(due.type, (IntentAsset(quote.base, due.amount),), constraints)
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

    def _paused(self, now: datetime) -> bool:
        until = self.state.paused_until
        return until is not None and now < until

    def _pause(self, now: datetime) -> None:
        until = now + timedelta(seconds=self.config.pause_seconds)
        self.state = replace(self.state, paused_until=until)
