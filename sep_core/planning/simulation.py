"""Whether a simulated plan does what was predicted: for the account, to the unit, and nothing else."""

from collections.abc import Sequence

from sep_hooks.types import Address, CallResult

from sep_core.events.facts import Transfer
from sep_core.events.facts.account import net_flow
from sep_core.planning.candidate import Candidate
from sep_core.planning.draft import Draft

GAS_MARGIN = (3, 2)
"""Over simulated gas: refunds hide up to a fifth of what is needed while running, the rest is for a moved state."""

APPROVAL_GAS = 100_000
"""The limit of an approval that could not be simulated."""


def failing_approval(draft: Draft, results: Sequence[CallResult]) -> str | None:
    """Why an approval before the swap does not go through; None where all do."""
    for approval, result in zip(draft.before, results, strict=False):
        refused = result.output != b"" and int.from_bytes(result.output) == 0
        if not result.ok or refused:
            why = "it answers false" if result.ok else result.error or "it reverts without a reason"
            return f"{approval.token} refuses approve({approval.amount}): {why}"
    return None


def failing_call(draft: Draft, results: Sequence[CallResult]) -> str | None:
    """Why one of the calls would not go through; None where all would."""
    approval = failing_approval(draft, results)
    if approval is not None:
        return approval
    swap = results[draft.swap_at]
    if not swap.ok:
        return f"the swap reverts: {swap.error or 'without a reason'}"
    for result in results[draft.swap_at + 1 :]:
        if not result.ok:
            return f"taking the allowance back reverts: {result.error or 'without a reason'}"
    return None


def disagreement(candidate: Candidate, owner: Address, transfers: Sequence[Transfer]) -> str | None:
    """What the account's own transfers say against the prediction; None where they are equal to the unit."""
    spent = -net_flow(transfers, candidate.asset_in, owner)
    received = net_flow(transfers, candidate.asset_out, owner)
    if (spent, received) != (candidate.amount_in, candidate.amount_out):
        return (
            f"simulation moves {spent} out of the account and {received} into it,"
            f" predicted were {candidate.amount_in} and {candidate.amount_out}"
        )
    touched = {one.asset for one in transfers if owner in (one.sender, one.recipient)}
    for asset in sorted(touched - {candidate.asset_in, candidate.asset_out}):
        if net_flow(transfers, asset, owner) < 0:
            return f"simulation moves {asset} out of the account, which the plan does not speak of"
    return None


def gas_limits(results: Sequence[CallResult]) -> tuple[int, ...]:
    """A limit for each call, with margin."""
    above, below = GAS_MARGIN
    return tuple(result.gas_used * above // below for result in results)


def assumed_gas_limits(draft: Draft, candidate: Candidate) -> tuple[int, ...]:
    """Limits where nothing could be simulated: twice what the markets are said to cost."""
    return (
        *(APPROVAL_GAS for _ in draft.before),
        2 * candidate.gas + APPROVAL_GAS,
        *(APPROVAL_GAS for _ in draft.after),
    )
