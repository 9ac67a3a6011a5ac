"""Fees for the next blocks, from what the last ones paid."""

from collections.abc import Mapping, Sequence

from sep_hooks.types import FeeSuggestion

from .header import Header
from .parse import quantity, sequence

ELASTICITY = 2
CHANGE_DENOMINATOR = 8
HISTORY_BLOCKS = 10
TIP_PERCENTILES = (20, 50, 90)
_MIDDLE = 1


def next_base_fee(parent: Header) -> int:
    """The base fee of the block after `parent`, by EIP-1559."""
    base_fee = parent.block.base_fee
    target = parent.block.gas_limit // ELASTICITY
    if target == 0 or parent.gas_used == target:
        return base_fee
    difference = abs(parent.gas_used - target)
    change = base_fee * difference // target // CHANGE_DENOMINATOR
    return base_fee + max(change, 1) if parent.gas_used > target else base_fee - change


def suggestion(latest: Header, history: Mapping[str, object], minimum_tip: int) -> FeeSuggestion:
    """Fees that stay valid while the base fee doubles.

    The interval joins the rule's answer and the node's own, which differ on chains that set their fee otherwise.
    """
    computed = next_base_fee(latest)
    announced = _announced(history, computed)
    low, high = min(computed, announced), max(computed, announced)
    tip = max(_usual_tip(history), minimum_tip, 1)
    return FeeSuggestion(
        base_fee_low=low,
        base_fee_high=high,
        max_fee_per_gas=2 * high + tip,
        max_priority_fee_per_gas=tip,
    )


def _announced(history: Mapping[str, object], computed: int) -> int:
    """What the node expects next: the entry after its newest block."""
    fees = history.get("baseFeePerGas")
    return quantity(fees[-1]) if isinstance(fees, Sequence) and fees else computed


def _usual_tip(history: Mapping[str, object]) -> int:
    """The median over recent blocks of what the middle transaction paid; blocks without any do not count."""
    rewards = history.get("reward")
    if not isinstance(rewards, Sequence) or isinstance(rewards, str):
        return 0
    middles = sorted(
        tip
        for block in rewards
        if isinstance(block, list) and len(block) == len(TIP_PERCENTILES)
        for tip in [quantity(sequence(block)[_MIDDLE])]
        if tip > 0
    )
    return middles[len(middles) // 2] if middles else 0
