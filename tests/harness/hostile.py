"""Plugins that misbehave in one of their calls, installed as distributions of their own."""

import importlib
import itertools
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from sep_hooks.testing.dists import manifest_text, write_dist

from .bench import second_account

_NUMBERS = itertools.count(1)

MISBEHAVE = '''
import asyncio
import os
import time

CALL, HOW = {call!r}, {how!r}
ANSWERS = {{
    "answers nothing": None,
    "answers text": "nonsense",
    "answers a negative number": -1,
    "answers a huge number": 10**80,
    "answers an endless list": [10**80] * 10,
    "answers an object": object(),
}}


def misbehave():
    """What the call does instead; an answer comes back."""
    if HOW == "raises":
        raise ValueError("hostile")
    if HOW == "exits":
        raise SystemExit(3)
    if HOW == "raises the worst":
        raise BaseException("hostile")
    if HOW == "ends the process":
        os._exit(7)
    if HOW == "blocks":
        time.sleep(600)
    return ANSWERS[HOW]


async def misbehave_async():
    if HOW == "waits for ever":
        await asyncio.Event().wait()
    await asyncio.sleep(0)
    return misbehave()
'''

VENUE = '''
from dataclasses import replace

from sep_core.adapters.sim_venue import SimulatedAmm


class Venue(SimulatedAmm):
    """The simulated pools, the first alone, but for one call."""

    def __init__(self, config, context):
        if CALL == "construct":
            misbehave()
        super().__init__(config, context)

    async def markets(self):
        found = list(await super().markets())[:1]
        return await misbehave_async() if CALL == "markets" else found

    async def states(self, markets, at):
        found = list(await super().states(markets, at))
        if CALL != "states":
            return found
        if HOW == "lies":
            return [replace(one, reserve0=-one.reserve0, reserve1=10**80) for one in found]
        return await misbehave_async()

    def apply(self, state, log, block):
        if CALL != "apply":
            return super().apply(state, log, block)
        return replace(state, reserve0=-5) if HOW == "lies" else misbehave()

    def spender(self, order):
        if CALL != "spender":
            return super().spender(order)
        return "0x" + "66" * 20 if HOW == "lies" else misbehave()

    def swap_call(self, order):
        if CALL != "swap_call":
            return super().swap_call(order)
        made = super().swap_call(order)
        return replace(made, to="0x" + "66" * 20, value=-1) if HOW == "lies" else misbehave()

    def quote_call(self, order):
        if CALL != "quote_call":
            return super().quote_call(order)
        return replace(super().quote_call(order), data=b"\\x01" * 100_000) if HOW == "lies" else misbehave()

    def quoted_amount(self, order, output):
        if CALL != "quoted_amount":
            return super().quoted_amount(order, output)
        return super().quoted_amount(order, output) * 2 if HOW == "lies" else misbehave()

    def fills(self, order, logs):
        if CALL != "fills":
            return super().fills(order, logs)
        found = super().fills(order, logs)
        return [replace(one, amount_out=10**60) for one in found] * 2 if HOW == "lies" else misbehave()
'''

RULE = '''
from dataclasses import replace

from sep_hooks.config import PluginConfig
from sep_hooks.risk import RiskRule
from sep_hooks.types import Charge


class Rule(RiskRule[PluginConfig]):
    """Allows everything, but for one call."""

    Config = PluginConfig
    version = "1"

    def __init__(self, config, context):
        if CALL == "construct":
            misbehave()
        super().__init__(config, context)

    def numeraire(self):
        return misbehave() if CALL == "numeraire" else None

    def charges(self, plan, view):
        if CALL == "charges":
            return [Charge("m", "s", -(10**80))] if HOW == "lies" else misbehave()
        return ()

    def assess(self, plan, view, stage):
        if CALL == "assess" or CALL == f"assess at {stage}":
            return [None] if HOW == "lies" else misbehave()
        return ()
'''

STRATEGY = '''
from dataclasses import dataclass
from datetime import timedelta

from decimal import Decimal

from sep_hooks.config import PluginConfig
from sep_hooks.strategy import Blocks, Quotes, Strategy
from sep_hooks.types import Amount, Constraints, ExecutionStyle, IntentAsset, IntentDraft, IntentType


@dataclass(frozen=True)
class State:
    blocks: int = 0


class Wild(Strategy[PluginConfig, State]):
    """Watches, but for one call."""

    Config = PluginConfig
    State = State

    def __init__(self, config, state):
        if CALL == "construct":
            misbehave()
        super().__init__(config, state)

    def subscriptions(self):
        return misbehave() if CALL == "subscriptions" else (Blocks("sim"), Quotes("WETH", "USDC"))

    async def on_start(self, ctx, resumed):
        ctx.timer("soon", timedelta(milliseconds=10))
        if CALL in ("on_intent", "on_fill"):
            wanted = (IntentAsset(ctx.asset("WETH"), Amount(10**15)),)
            bounds = Constraints(Decimal("0.05"), 600_000, ExecutionStyle.IMMEDIATE)
            ctx.submit(IntentDraft(IntentType.ACQUIRE, wanted, bounds))
        await self.maybe("on_start", ctx)

    async def on_stop(self, ctx):
        await self.maybe("on_stop", ctx)

    async def on_block(self, ctx, block):
        await self.maybe("on_block", ctx)

    async def on_quote(self, ctx, quote):
        await self.maybe("on_quote", ctx)

    async def on_timer(self, ctx, name):
        await self.maybe("on_timer", ctx)

    async def on_intent(self, ctx, update):
        await self.maybe("on_intent", ctx)

    async def on_fill(self, ctx, fill):
        await self.maybe("on_fill", ctx)

    async def maybe(self, call, ctx):
        if call != CALL:
            return
        if HOW == "lies":
            self.state = {"blocks": -1}
            ctx.submit("an intent")
            ctx.cancel(5)
        elif HOW == "keeps nonsense":
            self.state = State(blocks=object())
        else:
            await misbehave_async()
'''

HOOKS = """
from sep_hooks.markers import hookimpl

TOLD = []


async def maybe(call):
    TOLD.append(call)
    if call == CALL:
        return await misbehave_async()


@hookimpl
async def sep_kernel_started(ctx):
    return await maybe("sep_kernel_started")


@hookimpl
async def sep_kernel_stopping(ctx):
    return await maybe("sep_kernel_stopping")


@hookimpl
async def sep_intent_accepted(intent, ctx):
    return await maybe("sep_intent_accepted")


@hookimpl
async def sep_intent_rejected(intent_id, reason, ctx):
    return await maybe("sep_intent_rejected")


@hookimpl
async def sep_plan_chosen(plan, ctx):
    return await maybe("sep_plan_chosen")


@hookimpl
async def sep_risk_decided(intent_id, approved, verdicts, ctx):
    return await maybe("sep_risk_decided")


@hookimpl
async def sep_step_submitted(intent_id, step_id, transaction_hash, ctx):
    return await maybe("sep_step_submitted")


@hookimpl
async def sep_fill_recorded(fill, ctx):
    return await maybe("sep_fill_recorded")


@hookimpl
async def sep_intent_settled(intent_id, status, ctx):
    return await maybe("sep_intent_settled")


@hookimpl
async def sep_circuit_breaker_changed(breaker, scope, is_open, reason, ctx):
    return await maybe("sep_circuit_breaker_changed")


@hookimpl
async def sep_chain_reorged(chain, removed, head, ctx):
    return await maybe("sep_chain_reorged")


@hookimpl
async def sep_plugin_faulted(plugin, error, ctx):
    return await maybe("sep_plugin_faulted")


@hookimpl
async def sep_plugin_quarantined(plugin, reason, ctx):
    return await maybe("sep_plugin_quarantined")
"""

SOURCES = {
    "venue": ("sep_core.venues", "Venue", VENUE),
    "risk": ("sep_core.risk", "Rule", RULE),
    "strategy": ("sep_core.strategies", "Wild", STRATEGY),
    "hooks": ("sep_core.hooks", "", HOOKS),
}


@dataclass(frozen=True, slots=True)
class Hostile:
    """One misbehaving plugin: its kind, the call in which it misbehaves, and how."""

    kind: str
    call: str
    how: str

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.kind}.{self.call} {self.how}"

    def install(self, site: Path) -> str:
        """Puts the distribution into `site`; answers its name. The plugin is called `hostile`."""
        dist = f"acme-hostile-{next(_NUMBERS)}"
        package = dist.replace("-", "_")
        group, target, source = SOURCES[self.kind]
        text = MISBEHAVE.format(call=self.call, how=self.how) + dedent(source)
        write_dist(
            site,
            dist,
            entry_points={group: {"hostile": f"{package}:{target}" if target else package}},
            files={
                f"{package}/__init__.py": text,
                f"{package}/sep-plugin.toml": manifest_text(self.kind, "hostile"),
            },
        )
        importlib.invalidate_caches()
        return dist

    def tables(self, base: dict[str, Any], dist: str, folder: Path) -> dict[str, Any]:
        """A configuration with the plugin in its place beside good ones; a strategy has an account of its own."""
        changed = {**base, "plugins": {"enabled": [dist, *base["plugins"]["enabled"]]}}
        match self.kind:
            case "venue":
                changed["venues"] = {"evil": {"use": "hostile", "chain": "sim"}, **base["venues"]}
            case "risk":
                changed["risk"] = {**base["risk"], "evil": {"use": "hostile"}}
            case "strategy":
                changed["accounts"] = {**base["accounts"], "second": second_account(folder)}
                evil = {"use": "hostile", "account": "second"}
                changed["strategies"] = {**base["strategies"], "evil": evil}
        return changed
