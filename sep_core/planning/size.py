"""How much an intent is about, and in which direction."""

from dataclasses import dataclass

from sep_hooks.types import (
    Amount,
    AssetId,
    IntentType,
    floor_fraction,
    ratio_parts,
)

from sep_core.planning.ports import Holdings
from sep_core.planning.progress import Progress
from sep_core.planning.request import NoPlan, PlanRequest


@dataclass(frozen=True, slots=True)
class Size:
    """The exact side of a trade: what comes out (ACQUIRE) or what goes in (DISPOSE), and what pays or is got.

    `carried` is spent besides: what earlier transactions of the intent left on the way.
    """

    asset: AssetId
    amount: Amount
    exact_in: bool
    others: tuple[AssetId, ...]
    carried: tuple[tuple[AssetId, Amount], ...] = ()

    @property
    def spends(self) -> tuple[tuple[AssetId, Amount], ...]:
        """All that goes in, exact in."""
        own = ((self.asset, self.amount),) if self.amount else ()
        return (*own, *self.carried)


def size_of(request: PlanRequest, holdings: Holdings) -> Size:
    """The amount in base units. Raises `NoPlan` for what no single plan can do."""
    intent = request.intent
    if intent.type not in (IntentType.ACQUIRE, IntentType.DISPOSE) or len(intent.assets) != 1:
        raise NoPlan(
            "unsupported_intent", "only ACQUIRE and DISPOSE of one asset can be planned; nothing was sent"
        )
    exact_in = intent.type is IntentType.DISPOSE
    if request.progress is not None:
        return _rest(request.progress, exact_in)
    (wanted,) = intent.assets
    asset = wanted.asset.id
    others = tuple(dict.fromkeys(other for other in request.funding if other != asset))
    if not others:
        raise NoPlan(
            "no_funding",
            f"account {request.account_name} has no funding asset besides {wanted.asset.symbol};"
            " name one under `funding`; nothing was sent",
        )
    amount = wanted.amount
    if amount is None:
        amount = holdings.holding(intent.account, intent.strategy, asset)
    if wanted.percentage is not None:
        amount = floor_fraction(amount, *ratio_parts(wanted.percentage))
    if amount <= 0:
        raise NoPlan(
            "nothing_to_do", f"the intent comes to 0 base units of {wanted.asset.symbol}; nothing was sent"
        )
    return Size(asset, amount, exact_in, others[:1] if exact_in else others)


def _rest(done: Progress, exact_in: bool) -> Size:
    """What is left of an intent of which a part is exchanged. Raises `NoPlan` where that is nothing."""
    sold, bought = done.spends, done.receives
    if exact_in:
        rest = Amount(max(0, sold.expected - done.spent))
        size = Size(sold.asset, rest, exact_in, (bought.asset,), done.carried)
    else:
        rest = Amount(max(0, bought.expected - done.received))
        size = Size(bought.asset, rest, exact_in, (sold.asset,))
    if not rest and not size.carried:
        raise NoPlan("nothing_to_do", "nothing is left of the intent to exchange")
    return size
