"""The last look before signing: what the simulation on the latest state says about an approved plan."""

from collections.abc import Sequence

from sep_hooks.types import Address, CallResult, FeeSuggestion, Plan, Step

from sep_core.events.facts import Transfer
from sep_core.execution.fills import exchanged

PARTS = 1_000_000


def fee_trouble(plan: Plan, fees: FeeSuggestion) -> str | None:
    """Why the plan's fee no longer carries it into the next block; None where it does."""
    needed = fees.base_fee_high + fees.max_priority_fee_per_gas
    if needed > plan.max_fee_per_gas:
        return f"the next block may ask {needed} wei per gas, the plan allows {plan.max_fee_per_gas}"
    return None


def call_trouble(steps: Sequence[Step], results: Sequence[CallResult]) -> str | None:
    """Why a simulated step would not go through; None where all would."""
    for step, result in zip(steps, results, strict=True):
        if not result.ok:
            return f"step {step.id} reverts in simulation on the latest state: {result.error or 'no reason given'}"
        if result.gas_used > step.gas_limit:
            return f"step {step.id} uses {result.gas_used} gas in simulation, its limit is {step.gas_limit}"
    return None


def price_trouble(
    plan: Plan, step: Step, owner: Address, transfers: Sequence[Transfer], tolerance_ppm: int
) -> str | None:
    """Why the simulated amounts are worse than the plan by more than the tolerance, or not the account's."""
    spent, received = exchanged(step, owner, transfers)
    if spent <= 0 or received <= 0:
        return f"step {step.id} moves {spent} out of the account and {received} into it in simulation"
    if plan.exact_in:
        least = max(plan.limit_out, plan.expected_out * (PARTS - tolerance_ppm) // PARTS)
        if received < least or spent > plan.expected_in:
            return (
                f"the market moved: {received} would come for {spent}, the plan expects {plan.expected_out}"
            )
        return None
    most = min(plan.limit_in, plan.expected_in * (PARTS + tolerance_ppm) // PARTS)
    if spent > most or received < plan.expected_out:
        return f"the market moved: {received} would cost {spent}, the plan expects {plan.expected_in}"
    return None
