"""From submission to approval: intents and risk together."""

from sep_hooks.types import (
    Amount,
    Constraints,
    IntentId,
    IntentStatus,
    IntentType,
    Plan,
    PriceBook,
    RiskStage,
)

from sep_core import intents, risk
from sep_core.events.decided import Decided
from sep_core.intents import IntentState
from sep_core.intents.slice_decisions import EXPIRED
from sep_core.risk import RiskDecision
from sep_core.runtime.commands import (
    CancelIntent,
    ExpireIntent,
    RecordPlan,
    RecordPlanFailure,
    SubmitIntent,
    WithdrawPlan,
)
from sep_core.runtime.flow.composition import Composition
from sep_core.runtime.world import World

type Facts = tuple[Decided, ...]

NOTHING_TO_DO = "nothing_to_do"
"""What planning answers where no trade is worth its cost."""


def submit(world: World, command: SubmitIntent, composition: Composition) -> Facts:
    """Accepts a validated intent; the same one again says nothing new. Raises `IntentConflict`."""
    if intents.is_duplicate(world.intents.get(command.intent.id), command.intent):
        return ()
    now, value = composition.clock.now(), composition.value(command.intent)
    return intents.receive(
        command.intent, command.source, command.request, now, composition.rules, value=value
    )


def planned(world: World, command: RecordPlan, composition: Composition) -> Facts:
    """Chooses the plan and lets risk speak at once: approval and hold, or rejection, in one append."""
    state = world.intents[command.intent_id]
    if not state.plannable:
        return ()
    if _late(state, composition):
        return intents.expire(state, "the deadline passed while it was planned; nothing was sent")
    gone = composition.gone(state.intent)
    if gone is not None:
        return intents.plan_failed(state, *gone)
    chosen = intents.plan_chosen(state, command.plan, command.prices)
    after = _after(state, chosen)
    decision = assess(world, after, command.plan, command.prices, composition, RiskStage.PLAN)
    if not decision.approved:
        rejected = intents.risk_rejected(after, decision.code, decision.reason, decision.verdicts)
        return chosen + rejected
    approved = intents.risk_approved(
        after, decision.money, decision.charges, decision.verdicts, composition.engine.limits_version
    )
    # Held of whom it would be taken from: of a shared account that is nobody in particular.
    owner = composition.owner(state.intent.account)
    return (*chosen, *approved, risk.hold(state.id, owner.account, owner.strategy, decision))


def assess(
    world: World,
    state: IntentState,
    plan: Plan,
    prices: PriceBook | None,
    composition: Composition,
    stage: RiskStage,
) -> RiskDecision:
    """What the rules say of a plan against the books and all other holds."""
    return assess_as(world, state.id, state.intent.constraints, plan, prices, composition, stage)


def assess_as(
    world: World,
    intent_id: IntentId,
    constraints: Constraints,
    plan: Plan,
    prices: PriceBook | None,
    composition: Composition,
    stage: RiskStage,
) -> RiskDecision:
    """The same for an intent that the log does not hold."""
    owner = composition.owner(plan.account)
    view = risk.build_view(
        world.book,
        account=owner.account,
        strategy=owner.strategy,
        final=world.ledger.finals(owner.account, owner.strategy),
        doubt=world.ledger.doubts(owner.account, owner.strategy),
        prices=prices,
        limits_version=composition.engine.limits_version,
        breakers=risk.concerning(world.breakers, owner.strategy),
        without=intent_id,
    )
    return composition.engine.decide(plan, constraints, view, stage)


def why_unfit(world: World, plan: Plan, composition: Composition) -> tuple[str, str] | None:
    """Why an approved plan may not be signed or sent, as code and reason: a breaker has opened, a venue of it is no
    longer used, or its bundle is another executor's than the account's. None where it may.
    """
    account = composition.roster.accounts.get(plan.account)
    if account is not None:
        strategy = composition.owner(plan.account).strategy
        stopped = risk.why_stopped(world.breakers, strategy, plan, composition.numeraire)
        if stopped is not None:
            return stopped
    for venue in dict.fromkeys([*(step.venue for step in plan.steps), *plan.venues]):
        if not venue:
            continue  # a bundle belongs to no venue; its trades name theirs
        why, known = composition.why_unasked(venue), world.venues.get(venue)
        if not why and known is not None and known.standing == "disabled":
            why = f"an operator disabled it: {known.reason}"
        if why:
            return "venue_not_used", f"venue {venue} is not used now: {why}"
    for step in plan.steps:
        if step.bundle is None:
            continue
        executor = None if account is None else account.executor
        if step.bundle.executor != executor:
            now = "it has none" if executor is None else f"it is {executor}"
            reason = (
                f"the plan calls executor {step.bundle.executor}, but of account {plan.account} {now} now"
            )
            return "executor_changed", reason
    return None


def plan_failed(world: World, command: RecordPlanFailure) -> Facts:
    """No plan meets the intent, or what is left of one in slices; of that, open children run on."""
    state = world.intents[command.intent_id]
    if state.slices is not None:
        return intents.close_slicing(state, command.code, command.reason) if state.open else ()
    if not state.plannable:
        return ()
    if state.intent.type is IntentType.REBALANCE and state.fills and command.code == NOTHING_TO_DO:
        # Of several transactions the weights are looked at afresh after each: now they are reached.
        lane = world.lane(state.intent.account)
        entries = () if lane is None else lane.of_intent(state.id)
        gas = sum(one.gas_used * one.effective_gas_price for one in entries)
        return intents.settled(state, gas_cost=Amount(max(state.gas_cost, gas)))
    return intents.plan_failed(state, command.code, command.reason)


def withdrawn(world: World, command: WithdrawPlan, composition: Composition) -> Facts:
    """The plan went stale before anything was sent: planned again, or rejected where that went on for too long."""
    state = world.intents[command.intent_id]
    if state.status is not IntentStatus.RISK_APPROVED:
        return ()
    released = risk.release_hold(state.id, f"nothing of the plan was sent: {command.reason}")
    if state.cancel_requested:
        return (*intents.expire(state, f"cancelled before anything was sent: {command.reason}"), released)
    if not command.retryable:
        return (*intents.risk_rejected(state, command.code, command.reason, (), "pre_sign"), released)
    if state.tries >= composition.rules.most_attempts:
        reason = f"{state.tries} plans went stale one after another, the last because {command.reason}"
        return (*intents.risk_rejected(state, "plans_went_stale", reason, (), "pre_sign"), released)
    return (*intents.withdraw_plan(state, command.reason), released)


def cancelled(world: World, command: CancelIntent, composition: Composition) -> Facts:
    """Ends the intent where nothing was signed; else notes the wish, and what was sent runs to its evidence."""
    state = world.intents[command.intent_id]
    decided = intents.request_cancel(state, command.by, signing=composition.is_signing(state.id))
    return decided + _released(state, decided, "cancelled before anything was sent")


def expired(world: World, command: ExpireIntent, composition: Composition) -> Facts:
    """The deadline passed; of what was signed only evidence speaks."""
    state = world.intents[command.intent_id]
    if not state.expires:
        return ()
    if state.slices is not None:
        return intents.close_slicing(state, EXPIRED, "the deadline passed")
    if composition.is_signing(state.id):
        return ()
    decided = intents.expire(state, command.reason)
    return decided + _released(state, decided, "expired before anything was sent")


def _released(state: IntentState, decided: Facts, evidence: str) -> Facts:
    ended = bool(decided) and _after(state, decided).status.terminal
    if ended and state.status is IntentStatus.RISK_APPROVED:
        return (risk.release_hold(state.id, evidence),)
    return ()


def _late(state: IntentState, composition: Composition) -> bool:
    return state.deadline is not None and composition.clock.now() >= state.deadline


def _after(state: IntentState, decided: Facts) -> IntentState:
    after = intents.fold((one.fact for one in decided), state)
    return state if after is None else after
