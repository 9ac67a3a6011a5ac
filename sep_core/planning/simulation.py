"""Whether a simulated plan does what was predicted: for the account, to the unit, and nothing else."""

from collections.abc import Sequence

from sep_hooks.types import Address, CallResult

from sep_core.events.facts import Transfer
from sep_core.events.facts.account import net_flow
from sep_core.planning.draft import Draft
from sep_core.planning.terms import Terms

GAS_MARGIN = (3, 2)
"""Over simulated gas: refunds hide up to a fifth of what is needed while running, the rest is for a moved state."""

APPROVAL_GAS = 100_000
"""The limit of an approval that could not be simulated."""


def failing_approval(draft: Draft, results: Sequence[CallResult]) -> str | None:
    """Why an approval before the exchange does not go through; None where all do."""
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
    exchange = results[draft.exchange_at]
    if not exchange.ok:
        return f"{draft.what} reverts: {exchange.error or 'without a reason'}"
    for result in results[draft.exchange_at + 1 :]:
        if not result.ok:
            return f"taking the allowance back reverts: {result.error or 'without a reason'}"
    return None


def disagreement(terms: Terms, owner: Address, transfers: Sequence[Transfer]) -> str | None:
    """What the account's own transfers say against the prediction; None where they are equal to the unit.

    Exact out, a venue that cannot be asked for exactly so much may bring a little more; it may never spend more.
    """
    spent = [-net_flow(transfers, flow.asset, owner) for flow in terms.spends]
    received = [net_flow(transfers, flow.asset, owner) for flow in terms.receives]
    given = [flow.expected for flow in terms.spends]
    got = [flow.expected for flow in terms.receives]
    more = not terms.choice.exact_in and all(one >= least for one, least in zip(received, got, strict=True))
    if spent != given or (received != got and not more):
        return (
            f"simulation moves {_sum(spent)} out of the account and {_sum(received)} into it,"
            f" predicted were {_sum(given)} and {_sum(got)}"
        )
    planned = {flow.asset for flow in (*terms.spends, *terms.receives)}
    touched = {one.asset for one in transfers if owner in (one.sender, one.recipient)}
    for asset in sorted(touched - planned):
        if net_flow(transfers, asset, owner) < 0:
            return f"simulation moves {asset} out of the account, which the plan does not speak of"
    return None


def gas_limits(results: Sequence[CallResult]) -> tuple[int, ...]:
    """A limit for each call, with margin."""
    above, below = GAS_MARGIN
    return tuple(result.gas_used * above // below for result in results)


def assumed_gas_limits(draft: Draft, gas: int) -> tuple[int, ...]:
    """Limits where nothing could be simulated: twice what the exchange is said to cost."""
    return (
        *(APPROVAL_GAS for _ in draft.before),
        2 * gas + APPROVAL_GAS,
        *(APPROVAL_GAS for _ in draft.after),
    )


def _sum(amounts: Sequence[int]) -> str:
    return " + ".join(str(amount) for amount in amounts)
