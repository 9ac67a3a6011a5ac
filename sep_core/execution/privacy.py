"""Which steps may be seen before a block holds them: those that nobody can earn anything by knowing."""

from sep_hooks.types import FeeSuggestion, Plan, Step, chain_id_of, chain_of, erc20


def attack_pays(plan: Plan, wrapped_native: str, fees: FeeSuggestion) -> bool:
    """Whether knowing the plan's exchange beforehand could earn more than the gas of an attack costs at the least.

    By the plan's own bound of a sandwich. Where that is missing, or is in an asset whose worth in the chain's own the
    plan does not know, it could.
    """
    bound = plan.sandwich
    if bound is None:
        return True
    worth = _worth_in_wei(plan, wrapped_native)
    return worth is None or worth > bound.attack_gas * fees.base_fee_low


def is_secret(plan: Plan, step: Step, wrapped_native: str, fees: FeeSuggestion) -> bool:
    """Whether the step goes through a relay, where the chain has one. Allowances tell nobody anything."""
    return step.exchanges and attack_pays(plan, wrapped_native, fees)


def _worth_in_wei(plan: Plan, wrapped_native: str) -> int | None:
    """What the bound is worth at the plan's price at no size, rounded up; None where that is not known."""
    bound = plan.sandwich
    if bound is None or not bound.amount:
        return 0
    native = erc20(chain_id_of(chain_of(bound.asset)), wrapped_native)
    received, spent = plan.marginal
    if bound.asset == native:
        return bound.amount
    if (plan.asset_in, plan.asset_out) == (native, bound.asset) and received:
        return -(-bound.amount * spent // received)
    if (plan.asset_in, plan.asset_out) == (bound.asset, native) and spent:
        return -(-bound.amount * received // spent)
    return None
