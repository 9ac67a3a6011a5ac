"""Fills from evidence: what a receipt's or a simulation's transfers say that a swap exchanged."""

from collections.abc import Sequence

from sep_hooks.types import Address, Amount, BlockRef, Fill, IntentId, Quantity, Step, SwapFill

from sep_core.events.facts import Transfer
from sep_core.events.facts.account import net_flow
from sep_core.execution.lane import NonceEntry


def exchanged(step: Step, owner: Address, transfers: Sequence[Transfer]) -> tuple[list[int], list[int]]:
    """What left the account and what came, by the transfers of the step's own assets, in their order."""
    spent = [-net_flow(transfers, asset, owner) for asset, _ in step.most_spent]
    return spent, [net_flow(transfers, asset, owner) for asset, _ in step.least_received]


def fill(
    intent_id: IntentId,
    step: Step,
    owner: Address,
    transfers: Sequence[Transfer],
    passes: tuple[SwapFill, ...],
    *,
    gas_cost: int,
    block: BlockRef,
    transaction_hash: str = "",
) -> Fill | None:
    """The fill of a step; None for one that exchanges nothing."""
    if not step.exchanges:
        return None
    spent, received = exchanged(step, owner, transfers)
    given, got = step.most_spent, step.least_received
    others = [(asset, Quantity(-amount)) for (asset, _), amount in zip(given[1:], spent[1:], strict=True)]
    others += [(asset, Quantity(amount)) for (asset, _), amount in zip(got[1:], received[1:], strict=True)]
    return Fill(
        intent_id,
        step.id,
        " + ".join(dict.fromkeys(trade.venue for trade in step.trades)),
        given[0][0],
        Amount(max(0, spent[0])),
        got[0][0],
        Amount(max(0, received[0])),
        passes,
        Amount(gas_cost),
        block,
        transaction_hash,
        tuple(others),
    )


def fill_of_entry(entry: NonceEntry, step: Step, owner: Address, *, besides: int = 0) -> Fill | None:
    """The fill that an included, successful transaction of the lane stands for; None where there is none.

    `besides` in wei is what the plan's other transactions cost, its approvals: they were sent for this one.
    """
    if entry.block is None or not entry.ok or entry.intent_id is None:
        return None
    return fill(
        entry.intent_id,
        step,
        owner,
        entry.transfers,
        entry.passes,
        gas_cost=entry.gas_used * entry.effective_gas_price + besides,
        block=entry.block,
        transaction_hash=entry.hash,
    )
