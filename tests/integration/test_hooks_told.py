"""Observers are told every fact that a hook stands for, with its values, in the order of the log."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
from sep_hooks import hookimpl
from sep_hooks.capabilities import PluginKind
from sep_hooks.manifest import PluginManifest
from sep_hooks.specs import ObserverContext, boot
from sep_hooks.store import Recorded
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.testing.records import recorded_as
from sep_hooks.types import (
    Amount,
    AnswerKind,
    BlockRef,
    BreakerAction,
    BroadcastAnswer,
    Fill,
    Intent,
    IntentId,
    IntentStatus,
    Plan,
    Quantity,
    evm_chain,
)

from sep_core.events.facts import (
    BreakerClosed,
    BreakerOpened,
    ChainReorged,
    TransactionBroadcast,
    TransactionSigned,
)
from sep_core.events.facts.plugin import PluginFaulted, PluginQuarantined
from sep_core.events.registry import Fact, encode_fact, fact_type
from sep_core.plugins.broadcast import Broadcaster
from sep_core.plugins.dispatch import Dispatcher, hook_names
from sep_core.plugins.distribution import Installed
from sep_core.plugins.guard import Guard
from sep_core.plugins.registry import LoadedHooks

from .api_engine import engine, intent

pytestmark = pytest.mark.anyio
MANIFEST = PluginManifest(name="observer", kind=PluginKind.HOOKS, api=">=0.1")
BLOCK = BlockRef(7, "0x" + "07" * 32)

type Told = list[tuple[str, dict[str, Any]]]


def observer(told: Told) -> LoadedHooks:
    """A module that listens to everything and notes what it is told."""
    made = ModuleType("observer")

    def note(name: str, **values: Any) -> None:
        told.append((name, values))

    async def sep_kernel_started(ctx: ObserverContext) -> None:
        note("sep_kernel_started", ctx=ctx)

    async def sep_kernel_stopping(ctx: ObserverContext) -> None:
        note("sep_kernel_stopping", ctx=ctx)

    async def sep_plugin_faulted(plugin: str, error: str) -> None:
        note("sep_plugin_faulted", plugin=plugin, error=error)

    async def sep_plugin_quarantined(plugin: str, reason: str) -> None:
        note("sep_plugin_quarantined", plugin=plugin, reason=reason)

    async def sep_intent_accepted(intent: Intent) -> None:
        note("sep_intent_accepted", intent=intent)

    async def sep_intent_rejected(intent_id: IntentId, reason: str) -> None:
        note("sep_intent_rejected", intent_id=intent_id, reason=reason)

    async def sep_plan_chosen(plan: Plan) -> None:
        note("sep_plan_chosen", plan=plan)

    async def sep_risk_decided(intent_id: IntentId, approved: bool) -> None:
        note("sep_risk_decided", intent_id=intent_id, approved=approved)

    async def sep_step_submitted(intent_id: IntentId, step_id: str, transaction_hash: str) -> None:
        note("sep_step_submitted", intent_id=intent_id, step_id=step_id, hash=transaction_hash)

    async def sep_fill_recorded(fill: Fill) -> None:
        note("sep_fill_recorded", fill=fill)

    async def sep_intent_settled(intent_id: IntentId, status: IntentStatus) -> None:
        note("sep_intent_settled", intent_id=intent_id, status=status)

    async def sep_circuit_breaker_changed(breaker: str, scope: str, is_open: bool, reason: str) -> None:
        note("sep_circuit_breaker_changed", breaker=breaker, scope=scope, is_open=is_open, reason=reason)

    async def sep_chain_reorged(removed: tuple[BlockRef, ...], head: BlockRef) -> None:
        note("sep_chain_reorged", removed=removed, head=head)

    for name, function in list(locals().items()):
        if name.startswith("sep_"):
            setattr(made, name, hookimpl(function))
    return LoadedHooks("observer", made, Installed("observer", "1.0", None, True), MANIFEST)


def broadcaster(told: Told) -> Broadcaster:
    dispatcher = Dispatcher([observer(told)], Guard(lambda _plugin, _fact: None), budget_seconds=5)
    assert not dispatcher.rejected
    return Broadcaster(dispatcher, FakeClock(), FakeLog())


def recorded(stream: str, fact: Fact) -> Recorded:
    name, version = fact_type(fact)
    return recorded_as(encode_fact(fact), pos=1, stream=stream, type=name, schema_version=version)


async def test_the_life_of_intents_is_told(tmp_path: Path) -> None:
    told: Told = []
    async with engine(tmp_path) as one:
        small = (await one.send(intent(), prefer="wait=20")).json()
        large = intent()
        large["assets"][0]["amount"] = str(10**21)  # more than the account can pay for
        large["constraints"]["execution_style"] = "IMMEDIATE"
        refused = (await one.send(large, prefer="wait=20")).json()
        assert (small["status"], refused["status"]) == ("SETTLED", "REJECTED")
        show = broadcaster(told)
        async for event in one.kernel.store.read_all(after=0):
            await show.show(event)
        await show.moment("sep_kernel_started", 1)
        await show.moment("sep_kernel_stopping", 2)
    counts = Counter(name for name, _ in told)
    assert counts == {
        "sep_intent_accepted": 2,
        "sep_plan_chosen": 1,
        "sep_risk_decided": 1,
        "sep_fill_recorded": 1,
        "sep_intent_settled": 1,
        "sep_intent_rejected": 1,
        "sep_kernel_started": 1,
        "sep_kernel_stopping": 1,
    }
    values = dict(told)
    assert str(values["sep_intent_settled"]["intent_id"]) == small["intent_id"]
    assert values["sep_intent_settled"]["status"] is IntentStatus.SETTLED
    assert str(values["sep_intent_rejected"]["intent_id"]) == refused["intent_id"]
    assert values["sep_risk_decided"]["approved"] is True
    fill, plan = values["sep_fill_recorded"]["fill"], values["sep_plan_chosen"]["plan"]
    assert (fill.amount_in, fill.amount_out) == (plan.expected_in, plan.expected_out)


async def test_what_happens_outside_intents_is_told() -> None:
    told: Told = []
    show = broadcaster(told)
    who, hash_ = IntentId(uuid4()), "0x" + "ab" * 32
    signed = TransactionSigned(3, who, "1.1-swap", hash_, "sealed", 1, Amount(1), Amount(1), "digest")
    answers = (BroadcastAnswer("node", AnswerKind.ACCEPTED, "ok"),)
    account = "account:1:0x" + "11" * 20
    plugin = ("venue", "uni", "uni", "sep-venue-uni")
    moment, said = datetime(2026, 1, 1, tzinfo=UTC), {"breaker": "b", "scope": "global"}
    stopped = BreakerAction.BLOCK, True, "ppm", Quantity(9), Quantity(5)
    for stream, fact in (
        (account, signed),
        (account, TransactionBroadcast(3, hash_, answers)),
        ("chain:1", ChainReorged(evm_chain(1), (BLOCK,), BLOCK)),
        ("risk:breakers", BreakerOpened("b", "global", *stopped, "it fell", moment)),
        ("risk:breakers", BreakerClosed("b", "global", "looked at", "api", moment)),
        ("plugin:venue:uni:uni", PluginFaulted(*plugin, "states", "raised", "no", 1)),
        ("plugin:venue:uni:uni", PluginQuarantined(*plugin, "1.0", "", "circuit_open", "three faults")),
    ):
        await show.show(recorded(stream, fact))
    assert told == [
        ("sep_step_submitted", {"intent_id": who, "step_id": "1.1-swap", "hash": hash_}),
        ("sep_chain_reorged", {"removed": (BLOCK,), "head": BLOCK}),
        ("sep_circuit_breaker_changed", {**said, "is_open": True, "reason": "it fell"}),
        ("sep_circuit_breaker_changed", {**said, "is_open": False, "reason": "looked at"}),
        ("sep_plugin_faulted", {"plugin": "venue:uni:uni", "error": "no"}),
        ("sep_plugin_quarantined", {"plugin": "venue:uni:uni", "reason": "three faults"}),
    ]


def test_the_observer_listens_to_every_hook_but_those_of_the_start() -> None:
    heard = {name for name in dir(observer([]).module) if name.startswith("sep_")}
    assert heard == set(hook_names()) - vars(boot).keys()
