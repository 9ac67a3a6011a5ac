"""The last look before signing: what the simulation on the latest state says about an approved plan."""

from collections.abc import Sequence

from sep_hooks.types import Address, Amount, CallResult, FeeSuggestion, Plan, Step

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
    if min(spent, default=0) <= 0 or min(received, default=0) <= 0:
        return f"step {step.id} moves {_list(spent)} out of the account and {_list(received)} into it in simulation"
    for flow, amount in zip(plan.spends, spent, strict=True):
        most = flow.expected
        if not plan.exact_in:
            most = Amount(min(flow.limit, flow.expected * (PARTS + tolerance_ppm) // PARTS))
        if amount > most:
            return (
                f"the market moved: {amount} of {flow.asset} would be spent, the plan expects {flow.expected}"
            )
    for flow, amount in zip(plan.receives, received, strict=True):
        least = flow.expected
        if plan.exact_in:
            least = Amount(max(flow.limit, flow.expected * (PARTS - tolerance_ppm) // PARTS))
        if amount < least:
            return f"the market moved: {amount} of {flow.asset} would come, the plan expects {flow.expected}"
    return None


def _list(amounts: Sequence[int]) -> str:
    return " + ".join(str(amount) for amount in amounts) or "nothing"
