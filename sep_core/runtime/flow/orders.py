"""From an order's reservation to settlement: execution, intents, books and risk together."""

from sep_hooks.types import Address, Amount, IntentStatus

from sep_core import intents, risk
from sep_core.events.decided import Decided
from sep_core.events.facts import (
    HoldPlaced,
    OrderAccountOpened,
    OrderAssetsAdopted,
    OrderFilled,
)
from sep_core.events.streams import RISK_BOOK
from sep_core.execution.orders import (
    OpenOrderAccount,
    OrderEntry,
    OrderLane,
    OrderLaneKey,
    OrderStatus,
    RecordOrder,
    RecordOrderAbsent,
    RecordOrderCancel,
    RecordOrderDoubt,
    ReserveOrder,
    decide_order,
    evolve_orders,
    fill_of_order,
)
from sep_core.execution.orders.identity import trade_fact_id
from sep_core.intents import IntentState
from sep_core.portfolio import Owner, owner_of
from sep_core.portfolio.orders import post_order_opening, post_order_trade
from sep_core.runtime.flow.composition import Composition
from sep_core.runtime.world import World

type Facts = tuple[Decided, ...]
type Observation = RecordOrder | RecordOrderAbsent | RecordOrderCancel | RecordOrderDoubt

_NOWHERE = Address("")
_SENT = frozenset({IntentStatus.EXECUTING, IntentStatus.PARTIALLY_FILLED, IntentStatus.IN_DOUBT})


def opened(world: World, command: OpenOrderAccount, composition: Composition) -> Facts:
    """The account, or assets that are new to it, and the opening entry."""
    lane = world.orders.get(command.lane)
    decided = decide_order(lane, command)
    entries: Facts = ()
    for one in decided:
        if isinstance(one.fact, OrderAccountOpened | OrderAssetsAdopted) and any(
            held for _, held in one.fact.balances
        ):
            # Named by the assets: what was opened once is not opened again.
            evidence = ",".join(asset for asset, _ in one.fact.balances)
            owner = _owner(composition, command.lane, lane, command)
            entry = post_order_opening(owner, command.lane.venue, one.fact.balances, evidence, command.prices)
            entries += (entry,)
    return decided + entries


def reserved(world: World, command: ReserveOrder) -> Facts:
    """The order's identity and the start of execution: durable together, before anything leaves.

    Nothing where the plan is not the approved one any more: what was decided in between has won.
    """
    state = world.intents[command.intent_id]
    if state.status is not IntentStatus.RISK_APPROVED or state.plan is None:
        return ()
    if state.plan.digest != command.plan_digest:
        return ()
    decided = decide_order(world.orders.get(command.lane), command)
    if not decided:
        return ()
    return decided + intents.execution_started(state, "testnet", (command.step.id,), ())


def observed(world: World, command: Observation, composition: Composition) -> Facts:
    """What the venue said: in the orders, in the books, and for the intent as doubt, its end, or its outcome."""
    lane = world.orders.get(command.lane)
    decided = decide_order(lane, command)
    if lane is None or not decided:
        return decided
    after = lane
    for one in decided:
        after = evolve_orders(after, one.fact)
    said: Facts = ()
    for name, entry in after.entries.items():
        before = lane.entries.get(name)
        if before is None or before == entry:
            continue
        said += _booked(world, lane, decided, entry, composition)
        said += _held(world, before, entry)
        said += _for_intent(world, lane.key, before, entry, composition)
    return decided + said


def _booked(
    world: World, lane: OrderLane, decided: Facts, entry: OrderEntry, composition: Composition
) -> Facts:
    state = world.intents.get(entry.intent_id)
    prices = None if state is None else state.prices
    owner = _owner(composition, lane.key, lane, None)
    entries: Facts = ()
    for one in decided:
        fact = one.fact
        if not isinstance(fact, OrderFilled) or fact.client_order_id != entry.client_order_id:
            continue
        units = entry.units
        evidence = trade_fact_id(lane.key.venue, lane.key.account, entry.client_order_id, fact.trade_id)
        entries += post_order_trade(
            owner,
            f"order:{evidence}",
            entry.intent_id,
            entry.side,
            (units.base, fact.size * units.lot),
            (units.quote, fact.price * fact.size * units.tick),
            fact.fee,
            prices,
        )
    return entries


def _held(world: World, before: OrderEntry, entry: OrderEntry) -> Facts:
    """While an order is open, what is held is for its rest: what traded stands in the books."""
    hold = world.book.holds.get(entry.intent_id)
    if hold is None or entry.filled == before.filled or not entry.open:
        return ()
    left, asked = entry.size - entry.filled, entry.size - before.filled
    money = tuple((asset, Amount(-(-amount * left // asked))) for asset, amount in hold.money)
    rest = HoldPlaced(hold.intent_id, hold.account, hold.strategy, money, hold.charges)
    return (risk.convert_hold(hold.intent_id), Decided(RISK_BOOK, rest))


def _for_intent(
    world: World,
    key: OrderLaneKey,
    before: OrderEntry,
    entry: OrderEntry,
    composition: Composition,
) -> Facts:
    state = world.intents.get(entry.intent_id)
    if state is None or state.status not in _SENT:
        return ()
    told: Facts = ()
    doubtful = entry.status is OrderStatus.IN_DOUBT
    if doubtful and entry.step_id not in state.doubted_steps:
        told += intents.doubted(state, entry.step_id, entry.client_order_id, entry.reasons[-1])
    elif not doubtful and entry.step_id in state.doubted_steps:
        told += intents.resumed(state, entry.step_id, _evidence(key, entry))
    if entry.status is OrderStatus.CLOSED and before.status is not OrderStatus.CLOSED:
        told += _concluded(_of(state, told), key, entry, composition)
    return told


def _evidence(key: OrderLaneKey, entry: OrderEntry) -> str:
    if entry.status is OrderStatus.CLOSED:
        return entry.evidence
    return f"{key.venue} has it as order {entry.venue_order_id}"


def _concluded(state: IntentState, key: OrderLaneKey, entry: OrderEntry, composition: Composition) -> Facts:
    """The order is closed: the intent settles, goes on with what is left, or ends with what it has."""
    said: Facts = ()
    fill = fill_of_order(entry, key.venue)
    if fill is not None:
        said += intents.fill_recorded(state, fill, simulated=False)
    if entry.filled == entry.size:
        said += intents.settled(_of(state, said))
        return (*said, risk.convert_hold(state.id))
    freed = risk.convert_hold(state.id) if fill is not None else risk.release_hold(state.id, entry.evidence)
    after = _of(state, said)
    reason = f"order {entry.client_order_id} filled {entry.filled} of {entry.size} lots: {entry.evidence}"
    late = state.deadline is not None and composition.clock.now() >= state.deadline
    if late or state.cancel_requested:
        return (*said, *intents.expire(after, reason), freed)
    if state.attempt < composition.rules.most_attempts and composition.gone(state.intent) is None:
        return (*said, *intents.retry(after, reason, Amount(0)), freed)
    last = f"{reason}; it was attempt {state.attempt} of {composition.rules.most_attempts}"
    code = "partially_filled" if after.fills else "order_not_filled"
    return (*said, *intents.failed(after, code, last), freed)


def _owner(
    composition: Composition, key: OrderLaneKey, lane: OrderLane | None, command: OpenOrderAccount | None
) -> Owner:
    """Who owns what the account holds; it has no address, its name and venue tell its entries apart."""
    chain = lane.chain if lane is not None else command.chain if command is not None else None
    assert chain is not None
    name = key.account
    users = tuple(one for one, used in composition.roster.strategies.items() if used == name)
    owners = (composition.booked[name],) if name in composition.booked else users
    return owner_of(name, chain, _NOWHERE, owners)


def _of(state: IntentState, decided: Facts) -> IntentState:
    own = [one.fact for one in decided if one.stream.endswith(str(state.id))]
    return intents.fold(own, state) or state
