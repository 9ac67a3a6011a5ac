"""Everything that one plan is made from, read once."""

from dataclasses import dataclass

from sep_hooks.types import (
    AssetId,
    Block,
    ChainRef,
    Constraints,
    FeeSuggestion,
    LiquidityFamily,
    MarketId,
)

from sep_core.planning.ports import MarketSnapshot, PlanningChain
from sep_core.planning.rebalance import Rebalance
from sep_core.planning.request import NoPlan, PlanRequest
from sep_core.planning.size import Size


@dataclass(frozen=True, slots=True)
class Scene:
    """One request with the chain and the markets as they are. `deadline` is in chain seconds.

    With a `rebalance` the size is only the measure; what is traded follows from holdings and weights.
    """

    request: PlanRequest
    chain: PlanningChain
    name: ChainRef
    snapshot: MarketSnapshot
    head: Block
    fees: FeeSuggestion
    size: Size
    wrapped: AssetId | None
    deadline: int
    rebalance: Rebalance | None = None

    @property
    def constraints(self) -> Constraints:
        """The intent's own bounds."""
        return self.request.intent.constraints

    @property
    def expected_fee(self) -> int:
        """What a unit of gas is likely to cost, in wei."""
        return min(self.fees.max_fee_per_gas, self.fees.base_fee_high + self.fees.max_priority_fee_per_gas)

    def venue_of(self, market: MarketId) -> str:
        """The venue that a market belongs to."""
        return self.snapshot.markets[market].venue

    def sampled(self, market: MarketId) -> bool:
        """Whether a market is known by samples alone, so that its exact amounts are the chain's to say."""
        return self.snapshot.markets[market].family is LiquidityFamily.SAMPLED


def chain_deadline(request: PlanRequest, head: Block, seconds_left: float) -> int:
    """The intent's remaining time, counted from the latest block by the chain's own clock. Raises `NoPlan`."""
    if seconds_left < 1:
        raise NoPlan("deadline_passed", "the intent's deadline has passed; nothing was sent")
    return head.timestamp + int(seconds_left)
