"""The most that whoever sees a step before it is included can take from it.

An attack moves the price before the step and back after it. What it earns it takes from the account, which still gets
its limit: so it is at most what lies between expectation and limit, counted at the price after the step. That holds
for one step of any number of pools whose curves are convex; liquidity that is added just in time is outside of it.
"""

from typing import Final

from sep_hooks.types import Amount, Flow, SandwichBound

ATTACK_GAS: Final = 193_000
"""What the two trades of an attack on one pool cost at least."""


def sandwich_bound(spends: tuple[Flow, ...], receives: tuple[Flow, ...], *, exact_in: bool) -> SandwichBound:
    """The bound for the step's main flow, in base units of it: of what comes (exact in) or of what is spent."""
    if exact_in:
        flow = max(receives, key=lambda one: one.expected - one.limit)
        lost = max(flow.expected, flow.quoted) - flow.limit
    else:
        flow = max(spends, key=lambda one: one.limit - one.expected)
        lost = flow.limit - min(flow.expected, flow.quoted)
    return SandwichBound(flow.asset, Amount(max(0, lost)), ATTACK_GAS)
