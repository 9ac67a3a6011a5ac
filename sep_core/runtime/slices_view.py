"""Intents in slices as answers show them: the schedule, the children, and what they have done."""

from collections.abc import Mapping
from datetime import datetime

from sep_hooks.types import AssetId, Constraints, IntentId

from sep_core.events.facts import Amounts
from sep_core.intents import Child, IntentState, flows
from sep_core.runtime.asset_book import AssetBook
from sep_core.runtime.views import AmountView, ChangeView, ParentView, SlicesView, SliceView, SlicingView

SCHEDULED = "SCHEDULED"
"""What a slice is until it is released."""


def parent_view(state: IntentState) -> ParentView | None:
    """What a child is a part of."""
    link = state.intent.parent
    return None if link is None else ParentView(intent_id=link.intent_id, ordinal=link.ordinal)


def changes_view(state: IntentState, assets: AssetBook) -> list[ChangeView]:
    """What final fills have moved, of the intent itself or of its children together."""
    spent, received = flows(state) if state.slices is None else (state.slices.spent, state.slices.received)
    changes = [(asset, -amount) for asset, amount in spent] + list(received)
    return [
        ChangeView(asset=assets.view(asset), quantity=str(amount), text=assets.text(asset, amount))
        for asset, amount in changes
    ]


def slicing_view(constraints: Constraints) -> SlicingView | None:
    """How the author wants the amount cut."""
    said = constraints.slicing
    if said is None:
        return None
    return SlicingView(
        slices=said.slices,
        profile=[format(one, "f") for one in said.profile],
        time_jitter=format(said.time_jitter, "f"),
        size_jitter=format(said.size_jitter, "f"),
    )


def slices_view(
    state: IntentState, known: Mapping[IntentId, IntentState], assets: AssetBook
) -> SlicesView | None:
    """The schedule with its children; None for an intent that is executed as a whole."""
    slices = state.slices
    if slices is None:
        return None
    asset = state.intent.assets[0].asset.id
    items = [_child(one, known.get(one.id), asset, assets) for one in slices.children]
    items += [
        _slice(one.ordinal, one.at, assets.amount(asset, one.amount), assets.amount(asset, 0))
        for one in slices.pending
    ]
    return SlicesView(
        style=slices.style,
        total=assets.amount(asset, slices.total),
        done=assets.amount(asset, slices.done),
        in_flight=assets.amount(asset, slices.in_flight),
        rest=assets.amount(asset, slices.rest),
        pending=len(slices.pending),
        revision=slices.revision,
        seed=slices.seed,
        reason=slices.reason,
        closed=f"{slices.closed}: {slices.closed_reason}" if slices.closed else None,
        spent=_amounts(slices.spent, assets),
        received=_amounts(slices.received, assets),
        items=sorted(items, key=lambda one: one.ordinal),
    )


def _child(child: Child, state: IntentState | None, asset: AssetId, assets: AssetBook) -> SliceView:
    return SliceView(
        ordinal=child.ordinal,
        at=None if state is None else state.accepted_at,
        amount=assets.amount(asset, child.amount),
        id=child.id,
        status=child.status or (state.status if state is not None else SCHEDULED),
        done=assets.amount(asset, child.done),
        gas_cost=str(child.gas_cost),
        transaction_hashes=[] if state is None else list(state.transaction_hashes),
        reason=child.reason or None,
    )


def _slice(ordinal: int, at: datetime, amount: AmountView, nothing: AmountView) -> SliceView:
    return SliceView(
        ordinal=ordinal,
        at=at,
        amount=amount,
        id=None,
        status=SCHEDULED,
        done=nothing,
        gas_cost="0",
        transaction_hashes=[],
        reason=None,
    )


def _amounts(amounts: Amounts, assets: AssetBook) -> list[AmountView]:
    return [assets.amount(asset, amount) for asset, amount in amounts]
