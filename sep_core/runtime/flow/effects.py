"""From signature to settlement: execution, intents, books and risk together."""

from sep_hooks.types import Amount, IntentId, IntentStatus, IntentType

from sep_core import execution, intents, portfolio, risk
from sep_core.events.decided import Decided
from sep_core.events.facts import (
    AccountOpened,
    AccountReleased,
    AssetsAdopted,
    TransactionIncluded,
    TransactionReorged,
)
from sep_core.execution import EntryStatus, LaneState, NonceEntry, evolve_lane
from sep_core.execution.commands import (
    AdoptAssets,
    AdoptSigned,
    OpenAccount,
    RecordBroadcast,
    RecordChainReorg,
    RecordDoubt,
    RecordFinal,
    RecordLeak,
    RecordNonceConsumed,
    RecordPaperFill,
    RecordPublished,
    RecordReceipt,
    RecordRefused,
    RecordReorg,
    RecordReplaced,
    RecordSigned,
    ReleaseAccount,
)
from sep_core.execution.fills import fill_of_entry
from sep_core.intents import IntentState
from sep_core.runtime.flow.composition import Composition
from sep_core.runtime.world import World

type Facts = tuple[Decided, ...]
type Observation = (
    RecordBroadcast
    | RecordDoubt
    | RecordLeak
    | RecordPublished
    | RecordReceipt
    | RecordReorg
    | AdoptSigned
    | RecordReplaced
    | RecordRefused
)

MOST_REBALANCING_FILLS = 32
"""After how many transactions a rebalance is near enough to its weights."""

_VOID = frozenset({EntryStatus.REVERTED, EntryStatus.CANCELLED})
_SENT = frozenset({IntentStatus.EXECUTING, IntentStatus.PARTIALLY_FILLED, IntentStatus.IN_DOUBT})


def opened(world: World, command: OpenAccount | AdoptAssets, composition: Composition) -> Facts:
    """The account, or assets that are new to it, and the opening entry."""
    decided = execution.decide(world.lanes.get(command.lane), command)
    owner = composition.owner_of_lane(command.lane, command.name)
    entries = [
        portfolio.post_opening(one.fact, owner, command.prices)
        for one in decided
        if isinstance(one.fact, AccountOpened | AssetsAdopted) and any(held for _, held in one.fact.balances)
    ]
    return (*decided, *entries)


def released(world: World, command: ReleaseAccount, composition: Composition) -> Facts:
    """The account, and the entry that brings the books to what its chain says."""
    lane = world.lanes.get(command.lane)
    decided = execution.decide(lane, command)
    said: Facts = decided
    for one in decided:
        if lane is not None and isinstance(one.fact, AccountReleased):
            owner = composition.owner_of_lane(lane.key, lane.name)
            said += portfolio.post_release(world.ledger, one.fact, owner, command.prices)
    return said


def signed(world: World, command: RecordSigned, composition: Composition) -> Facts:
    """Nonces, sealed bytes and the start of execution: durable together, before a byte leaves."""
    lane = world.lanes.get(command.lane)
    state = world.intents[command.intent_id]
    decided = execution.decide(lane, command)
    if state.status is not IntentStatus.RISK_APPROVED:
        return decided
    steps = tuple(one.step.id for one in command.steps)
    hashes = tuple(one.signed.hash for one in command.steps)
    return decided + intents.execution_started(state, "testnet", steps, hashes)


def filled_on_paper(world: World, command: RecordPaperFill, composition: Composition) -> Facts:
    """The whole of execution at once, at the simulation's amounts."""
    state = world.intents[command.intent_id]
    if state.status is not IntentStatus.RISK_APPROVED or state.plan is None:
        return ()
    owner = composition.owner(state.intent.account)
    plan = state.plan
    said = intents.execution_started(state, "paper", tuple(step.id for step in plan.steps), ())
    for fill in command.fills:
        said += intents.fill_recorded(_of(state, said), fill, simulated=True)
    after = _of(state, said)
    waits = plan.later and not _near_enough(after)
    said += _rest(after, composition) if waits else intents.settled(after)
    entries = [one for fill in command.fills for one in portfolio.post_paper(owner, fill, state.prices)]
    return (*said, *entries, risk.convert_hold(state.id))


def observed(world: World, command: Observation, composition: Composition) -> Facts:
    """What the chain showed, in the lane, in the books (provisionally), and as doubt or its end for the intent."""
    lane = world.lanes.get(command.lane)
    decided = execution.decide(lane, command)
    if lane is None or not decided:
        return decided
    return decided + _booked(world, lane, decided, composition) + _doubts(world, lane, decided)


def finished(world: World, command: RecordFinal | RecordNonceConsumed, composition: Composition) -> Facts:
    """An effect is final: books move for good, and where it was the intent's last one, the intent ends with it."""
    lane = world.lanes.get(command.lane)
    decided = execution.decide(lane, command)
    if lane is None or not decided:
        return decided
    entry = lane.entries.get(command.nonce)
    entries: Facts = ()
    if isinstance(command, RecordFinal):
        owner = composition.owner_of_lane(lane.key, lane.name)
        entries = portfolio.post_final(world.ledger, owner, command.hash)
    elif entry is not None and entry.block is not None:
        owner = composition.owner_of_lane(lane.key, lane.name)
        entries = portfolio.post_reorged(world.ledger, owner, entry.hash)
    doubts = _doubts(world, lane, decided)
    if entry is None or entry.intent_id is None or entry.intent_id not in world.intents:
        return decided + entries + doubts
    return decided + entries + doubts + _concluded(world, lane, decided, doubts, entry.intent_id, composition)


def chain_reorganised(command: RecordChainReorg) -> Facts:
    """Blocks left a chain."""
    return execution.decide(None, command)


def _booked(world: World, lane: LaneState, decided: Facts, composition: Composition) -> Facts:
    owner = composition.owner_of_lane(lane.key, lane.name)
    entries: Facts = ()
    for one in decided:
        if isinstance(one.fact, TransactionReorged):
            entries += portfolio.post_reorged(world.ledger, owner, one.fact.hash)
        elif isinstance(one.fact, TransactionIncluded):
            entry = lane.entries[one.fact.nonce]
            state = None if entry.intent_id is None else world.intents.get(entry.intent_id)
            plan, prices = (None, None) if state is None else (state.plan, state.prices)
            entries += portfolio.post_included(owner, one.fact, entry.intent_id, plan, prices)
    return entries


def _doubts(world: World, lane: LaneState, decided: Facts) -> Facts:
    """Each step that came into doubt or out of it, as the lane has it before and after."""
    after = _lane_after(lane, decided)
    said: Facts = ()
    for nonce, entry in after.entries.items():
        before = lane.entries.get(nonce)
        if before is None or entry.intent_id is None or entry.status == before.status:
            continue
        state = world.intents.get(entry.intent_id)
        if state is None or state.status not in _SENT:
            continue
        if entry.status.in_doubt and entry.step_id not in state.doubted_steps:
            reason = entry.reason or "its block left the canonical chain"
            said += intents.doubted(_of(state, said), entry.step_id, entry.hash, reason)
        elif not entry.status.in_doubt and entry.step_id in state.doubted_steps:
            said += intents.resumed(_of(state, said), entry.step_id, _evidence(entry))
    return said


def _evidence(entry: NonceEntry) -> str:
    if entry.block is None:
        return f"nonce {entry.nonce}: {entry.evidence or entry.status}"
    return f"receipt of {entry.hash} in block {entry.block.number} {entry.block.hash}"


def _concluded(
    world: World,
    lane: LaneState,
    decided: Facts,
    doubts: Facts,
    intent_id: IntentId,
    composition: Composition,
) -> Facts:
    state = world.intents[intent_id]
    if state.status not in _SENT:
        return ()
    entries = {one.step_id: one for one in _lane_after(lane, decided).of_intent(intent_id)}
    own = [entries[step] for step in state.steps if step in entries]
    if len(own) < len(state.steps) or not all(one.status.finished for one in own):
        return ()
    state = _of(state, doubts)
    # What attempts that reverted and earlier transactions have cost is in the state already; of older logs the state
    # lacks what transactions cost besides their fills, which stands in the lane.
    spent = [one.gas_used * one.effective_gas_price for one in own]
    remembered = [one.gas_used * one.effective_gas_price for one in entries.values()]
    gas = max(state.gas_cost + sum(spent), sum(remembered))
    plan = world.intents[intent_id].plan
    swaps = {step.id: step for step in (plan.steps if plan else ()) if step.exchanges}
    done = [one for one in own if one.step_id in swaps and one.status is EntryStatus.FINAL]
    if len(done) < len(swaps):
        return _without_effect(state, own, composition)
    said: Facts = ()
    # So that the next transaction of several knows what of the fee is left.
    besides = sum(one.gas_used * one.effective_gas_price for one in own if one.step_id not in swaps)
    for entry in done:
        fill = fill_of_entry(entry, swaps[entry.step_id], lane.key.address, besides=besides)
        if fill is not None:
            besides = 0
            said += intents.fill_recorded(_of(state, said), fill, simulated=False)
    if plan is not None and plan.later and not _near_enough(_of(state, said)):
        return (*said, *_rest(_of(state, said), composition), risk.convert_hold(state.id))
    said += intents.settled(_of(state, said), gas_cost=Amount(gas))
    return (*said, risk.convert_hold(state.id))


def _near_enough(state: IntentState) -> bool:
    """Whether a rebalance ends with what it has done: each look at what is left finds less, and gas may be free."""
    return state.intent.type is IntentType.REBALANCE and len(state.fills) >= MOST_REBALANCING_FILLS


def _rest(state: IntentState, composition: Composition) -> Facts:
    """A part is exchanged and the rest waits for a plan of its own, unless the intent's end came meanwhile."""
    if state.cancel_requested:
        reason = "its end was asked for when a part of it was exchanged; the rest was not sent"
        return intents.failed(state, "cancelled_partially_filled", reason)
    if state.deadline is not None and composition.clock.now() >= state.deadline:
        return intents.expire(
            state, "the deadline passed when a part of it was exchanged; the rest was not sent"
        )
    return ()


def _without_effect(state: IntentState, own: list[NonceEntry], composition: Composition) -> Facts:
    """The swap is known to have had no effect: reverted or cancelled for good, or its nonce used by somebody else."""
    gas = Amount(sum(one.gas_used * one.effective_gas_price for one in own))
    consumed = [one for one in own if one.status is EntryStatus.CONSUMED]
    if consumed:
        nonces = ", ".join(str(one.nonce) for one in consumed)
        reason = (
            f"nonce {nonces} was used outside this log; the account is frozen, nothing of this step moved"
        )
        code = "nonce_consumed_externally"
        ended = intents.failed(state, code, reason, gas)
        return (*ended, risk.release_hold(state.id, consumed[0].evidence))
    void = next(one for one in own if one.status in _VOID)
    where = f"block {void.block.number}" if void.block is not None else "a final block"
    how = "was cancelled" if void.status is EntryStatus.CANCELLED else "reverted"
    reason = f"step {void.step_id} {how} in {where}, for good; only gas was spent"
    released = risk.release_hold(state.id, f"{void.hash} {how} in final {where}")
    late = state.deadline is not None and composition.clock.now() >= state.deadline
    if late or state.cancel_requested:
        return (*intents.expire(state, reason, gas), released)
    if state.tries < composition.rules.most_attempts and composition.gone(state.intent) is None:
        return (*intents.retry(state, reason, gas), released)
    after = f"{reason}; it was attempt {state.attempt} of {composition.rules.most_attempts}"
    code = "cancelled" if void.status is EntryStatus.CANCELLED else "reverted"
    return (*intents.failed(state, code, after, gas), released)


def _lane_after(lane: LaneState, decided: Facts) -> LaneState:
    after = lane
    for one in decided:
        if one.stream.startswith("account:"):
            after = evolve_lane(after, one.fact)
    return after


def _of(state: IntentState, decided: Facts) -> IntentState:
    """The intent after those of the facts that are its own."""
    own = [one.fact for one in decided if one.stream.endswith(str(state.id))]
    return intents.fold(own, state) or state
