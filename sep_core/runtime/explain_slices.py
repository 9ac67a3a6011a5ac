"""The words for what is wanted of several assets, and for intents in slices."""

from sep_hooks.types import AssetId, IntentStatus, IntentType

from sep_core.events.facts import (
    ChildEnded,
    ReferenceFixed,
    SliceReleased,
    SlicesScheduled,
    SlicingClosed,
)
from sep_core.events.registry import Fact
from sep_core.intents import IntentState, Slices, flows
from sep_core.runtime.asset_book import AssetBook, decimal_text


def wanted(state: IntentState, assets: AssetBook) -> str:
    """What an intent is about."""
    intent = state.intent
    if intent.type is IntentType.REBALANCE:
        weights = ", ".join(
            f"{part.asset.symbol} {format(part.percentage, 'f')}"
            for part in intent.assets
            if part.percentage is not None
        )
        return f"rebalance {intent.account} to {weights}"
    part = intent.assets[0]
    verb = "acquire" if intent.type is IntentType.ACQUIRE else "dispose of"
    in_slices = "" if state.slices is None else f" in slices ({state.slices.style})"
    if part.amount is not None:
        return f"{verb} {assets.text(part.asset.id, part.amount)}{in_slices}"
    return f"{verb} {part.percentage} of the holding of {part.asset.symbol}{in_slices}"


def exchanged(state: IntentState, ends: tuple[AssetId, AssetId], assets: AssetBook) -> str:
    """What a settled intent has exchanged; of a rebalance every asset that moved."""
    if state.intent.type is not IntentType.REBALANCE:
        return (
            f"{assets.text(ends[0], state.spent)} were exchanged for {assets.text(ends[1], state.received)}"
        )
    spent, received = flows(state)
    sold = " and ".join(assets.text(asset, amount) for asset, amount in spent)
    bought = " and ".join(assets.text(asset, amount) for asset, amount in received)
    return f"{sold} were exchanged for {bought}"


def summary(state: IntentState, slices: Slices, assets: AssetBook) -> str:
    """How far an intent in slices came, or how it ended."""
    done, total = (assets.text(state.intent.assets[0].asset.id, one) for one in (slices.done, slices.total))
    settled = sum(one.status is IntentStatus.SETTLED for one in slices.children)
    to_come = f", {len(slices.pending)} are to come" if slices.pending else ""
    so_far = (
        f"{settled} of {len(slices.children)} released slices settled{to_come};"
        f" {done} of {total} done{_exchanged(slices, assets)}"
    )
    if state.status is IntentStatus.SETTLED:
        return f"Settled: {so_far}."
    if state.open:
        return f"It is {state.status}: {so_far}."
    why = assets.words(slices.closed_reason or state.reason).rstrip(".")
    return f"{state.status.capitalize()} with what was done, as {why}: {so_far}."


def money(state: IntentState, slices: Slices) -> str:
    """Where the money of an intent in slices is."""
    if slices.open_children:
        children = ", ".join(str(one.id)[:8] for one in slices.open_children)
        return f"What open slices may move is held for each of them: sep explain {children}."
    if slices.done:
        how = "On paper only" if state.mode == "paper" else "In the books, final"
        return f"{how}: what the slices exchanged; of the rest nothing was sent."
    return "Nothing was exchanged." if slices.children else "Nothing was sent yet."


def told(fact: Fact, assets: AssetBook, asset: str) -> str | None:
    """A fact of schedule or children in words; None for any other. `asset` is what the intent is about."""
    match fact:
        case SlicesScheduled():
            when = ", ".join(
                f"{assets.quantity(asset, one.amount)} at {one.at:%H:%M:%S}" for one in fact.slices[:4]
            )
            more = f" and {len(fact.slices) - 4} more" if len(fact.slices) > 4 else ""
            seed = f", drawn from seed {fact.seed}" if fact.seed else ""
            return f"schedule {fact.revision}: {assets.words(fact.reason)}: {when}{more}{seed}"
        case SliceReleased():
            amount = assets.quantity(asset, fact.amount)
            return f"slice {fact.ordinal} of {amount} released as intent {fact.child}"
        case ReferenceFixed():
            paid, got = (
                assets.text(fact.asset_in, fact.amount_in),
                assets.text(fact.asset_out, fact.amount_out),
            )
            return f"the slippage of the whole is measured from {paid} for {got}"
        case ChildEnded():
            why = f" ({fact.code}: {assets.words(fact.reason)})" if fact.code else ""
            gas = f"; gas {decimal_text(fact.gas_cost, 18)}" if fact.gas_cost else ""
            return f"slice {fact.ordinal} {fact.status}{why}: {assets.quantity(asset, fact.done)} done{gas}"
        case SlicingClosed():
            return f"no further slice: {fact.code}: {assets.words(fact.reason)}"
        case _:
            return None


def _exchanged(slices: Slices, assets: AssetBook) -> str:
    spent = " and ".join(assets.text(asset, amount) for asset, amount in slices.spent)
    received = " and ".join(assets.text(asset, amount) for asset, amount in slices.received)
    return f": {spent} for {received}" if spent and received else ""
