"""Fills from evidence: what a receipt's or a simulation's transfers say that a swap exchanged."""

from collections.abc import Sequence

from sep_hooks.types import Address, Amount, BlockRef, Fill, IntentId, Step, SwapFill

from sep_core.events.facts import Transfer
from sep_core.events.facts.account import net_flow
from sep_core.execution.lane import NonceEntry


def exchanged(step: Step, owner: Address, transfers: Sequence[Transfer]) -> tuple[int, int]:
    """What left the account and what came, by the transfers of the step's own assets."""
    if step.order is None:
        return 0, 0
    spent = -net_flow(transfers, step.order.asset_in, owner)
    return spent, net_flow(transfers, step.order.asset_out, owner)


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
    """The fill of a swap step; None for a step that exchanges nothing."""
    if step.order is None:
        return None
    spent, received = exchanged(step, owner, transfers)
    return Fill(
        intent_id,
        step.id,
        step.venue,
        step.order.asset_in,
        Amount(max(0, spent)),
        step.order.asset_out,
        Amount(max(0, received)),
        passes,
        Amount(gas_cost),
        block,
        transaction_hash,
    )


def fill_of_entry(entry: NonceEntry, step: Step, owner: Address) -> Fill | None:
    """The fill that an included, successful transaction of the lane stands for; None where there is none."""
    if entry.block is None or not entry.ok or entry.intent_id is None:
        return None
    return fill(
        entry.intent_id,
        step,
        owner,
        entry.transfers,
        entry.passes,
        gas_cost=entry.gas_used * entry.effective_gas_price,
        block=entry.block,
        transaction_hash=entry.hash,
    )
