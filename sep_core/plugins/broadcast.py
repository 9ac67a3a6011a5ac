"""From recorded facts to hooks: what observers are told, and with which values."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sep_hooks.context import Clock, Log
from sep_hooks.specs import ObserverContext
from sep_hooks.store import Recorded
from sep_hooks.types import Intent, IntentId, IntentStatus

from sep_core.events.facts import (
    BreakerClosed,
    BreakerOpened,
    ChainReorged,
    FillRecorded,
    IntentAccepted,
    IntentCancelled,
    IntentExpired,
    IntentFailed,
    IntentPlanned,
    IntentReceived,
    IntentRejected,
    IntentSettled,
    OrderReserved,
    OrderSubmitted,
    RiskApproved,
    TransactionBroadcast,
    TransactionSigned,
)
from sep_core.events.facts.plugin import PluginFaulted, PluginQuarantined
from sep_core.events.registry import Fact, fact_of
from sep_core.plugins.dispatch import Dispatcher

_REMEMBERED: Final = 10_000
_ENDED: Final[Mapping[type[Fact], IntentStatus]] = {
    IntentSettled: IntentStatus.SETTLED,
    IntentFailed: IntentStatus.FAILED,
    IntentExpired: IntentStatus.EXPIRED,
    IntentCancelled: IntentStatus.CANCELLED,
}


class Broadcaster:
    """Shows committed facts to observers, one after the other; feed it from a subscription that starts at the head.

    It remembers of open intents and unsent transactions what later facts only name; what began before the
    subscription is told without.
    """

    def __init__(self, dispatcher: Dispatcher, clock: Clock, log: Log) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._log = log
        self._intents: OrderedDict[UUID, Intent] = OrderedDict()
        self._signed: OrderedDict[str, tuple[IntentId, str]] = OrderedDict()

    async def show(self, recorded: Recorded) -> None:
        """Tells observers of one fact, each within its budget."""
        if not self._dispatcher.anybody:
            return
        fact = fact_of(recorded)
        for hook, arguments in self._calls(recorded, fact):
            if self._dispatcher.listens(hook):
                await self._dispatcher.broadcast(hook, {**arguments, "ctx": self._context(recorded.pos)})

    async def moment(self, hook: str, position: int) -> None:
        """Tells observers that the kernel started or is stopping."""
        await self._dispatcher.broadcast(hook, {"ctx": self._context(position)})

    def _context(self, position: int) -> ObserverContext:
        return ObserverContext(position, self._clock, self._log)

    def _calls(self, recorded: Recorded, fact: Fact) -> list[tuple[str, Mapping[str, object]]]:
        if recorded.stream.startswith("intent:"):
            return self._intent_calls(IntentId(UUID(recorded.stream.removeprefix("intent:"))), fact)
        match fact:
            case TransactionSigned():
                _remember(self._signed, fact.hash, (fact.intent_id, fact.step_id))
            case TransactionBroadcast() if fact.hash in self._signed:
                intent_id, step_id = self._signed.pop(fact.hash)
                sent = {"intent_id": intent_id, "step_id": step_id, "transaction_hash": fact.hash}
                return [("sep_step_submitted", sent)]
            case OrderReserved():
                _remember(self._signed, fact.client_order_id, (fact.intent_id, fact.step_id))
            case OrderSubmitted() if fact.client_order_id in self._signed:
                intent_id, step_id = self._signed.pop(fact.client_order_id)
                order = {"intent_id": intent_id, "step_id": step_id, "transaction_hash": fact.client_order_id}
                return [("sep_step_submitted", order)]
            case ChainReorged():
                gone = {"chain": fact.chain, "removed": fact.removed, "head": fact.head}
                return [("sep_chain_reorged", gone)]
            case BreakerOpened() | BreakerClosed():
                changed = {
                    "breaker": fact.breaker,
                    "scope": fact.scope,
                    "is_open": isinstance(fact, BreakerOpened),
                    "reason": fact.reason,
                }
                return [("sep_circuit_breaker_changed", changed)]
            case PluginFaulted() if fact.kind != "hooks":
                return [("sep_plugin_faulted", {"plugin": _label(fact), "error": fact.error})]
            case PluginQuarantined():
                return [("sep_plugin_quarantined", {"plugin": _label(fact), "reason": fact.reason})]
            case _:
                pass
        return []

    def _intent_calls(self, intent_id: IntentId, fact: Fact) -> list[tuple[str, Mapping[str, object]]]:
        match fact:
            case IntentReceived():
                _remember(self._intents, intent_id, fact.intent)
            case IntentAccepted() if intent_id in self._intents:
                return [("sep_intent_accepted", {"intent": self._intents.pop(intent_id)})]
            case IntentPlanned():
                return [("sep_plan_chosen", {"plan": fact.plan})]
            case RiskApproved():
                decided = {"intent_id": intent_id, "approved": True, "verdicts": fact.verdicts}
                return [("sep_risk_decided", decided)]
            case IntentRejected():
                self._intents.pop(intent_id, None)
                calls: list[tuple[str, Mapping[str, object]]] = []
                if fact.stage in ("risk", "pre_sign"):
                    decided = {"intent_id": intent_id, "approved": False, "verdicts": fact.verdicts}
                    calls.append(("sep_risk_decided", decided))
                return [*calls, ("sep_intent_rejected", {"intent_id": intent_id, "reason": fact.reason})]
            case FillRecorded():
                return [("sep_fill_recorded", {"fill": fact.fill})]
            case _ if type(fact) in _ENDED:
                return [("sep_intent_settled", {"intent_id": intent_id, "status": _ENDED[type(fact)]})]
            case _:
                pass
        return []


def _label(fact: PluginFaulted | PluginQuarantined) -> str:
    return f"{fact.kind}:{fact.name}:{fact.instance}"


def _remember[K, V](memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
