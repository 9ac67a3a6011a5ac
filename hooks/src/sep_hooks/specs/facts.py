"""Hooks that broadcast facts after they are durable; `ctx` comes last."""

from collections.abc import Sequence

from sep_hooks.markers import hookspec
from sep_hooks.specs.observer import ObserverContext
from sep_hooks.types import BlockRef, ChainRef, Fill, Intent, IntentId, IntentStatus, Plan, Verdict


@hookspec
async def sep_intent_accepted(intent: Intent, ctx: ObserverContext) -> None:
    """An intent was accepted."""


@hookspec
async def sep_intent_rejected(intent_id: IntentId, reason: str, ctx: ObserverContext) -> None:
    """An intent was rejected."""


@hookspec
async def sep_plan_chosen(plan: Plan, ctx: ObserverContext) -> None:
    """A plan was chosen."""


@hookspec
async def sep_risk_decided(
    intent_id: IntentId, approved: bool, verdicts: Sequence[Verdict], ctx: ObserverContext
) -> None:
    """The rules have spoken."""


@hookspec
async def sep_step_submitted(
    intent_id: IntentId, step_id: str, transaction_hash: str, ctx: ObserverContext
) -> None:
    """A signed step left for the chain."""


@hookspec
async def sep_fill_recorded(fill: Fill, ctx: ObserverContext) -> None:
    """A final fill stands in the log."""


@hookspec
async def sep_intent_settled(intent_id: IntentId, status: IntentStatus, ctx: ObserverContext) -> None:
    """An intent ended."""


@hookspec
async def sep_circuit_breaker_changed(
    breaker: str, scope: str, is_open: bool, reason: str, ctx: ObserverContext
) -> None:
    """A breaker opened, or closed again."""


@hookspec
async def sep_chain_reorged(
    chain: ChainRef, removed: Sequence[BlockRef], head: BlockRef, ctx: ObserverContext
) -> None:
    """Blocks left the canonical chain."""
