"""What a start records: which engine runs, in which mode, with which plugins, on which chains."""

import hashlib
from collections.abc import Mapping, Sequence

from sep_hooks.context import Clock
from sep_hooks.errors import UnknownBlock
from sep_hooks.store import EventStore, StoreBusy
from sep_hooks.types import BlockRef, ChainRef, IntentType

from sep_core.chains.access import ChainAccess
from sep_core.events.decided import Decided
from sep_core.events.facts import BoundsInForce, ChainConnected, KernelStarted
from sep_core.events.registry import Fact
from sep_core.events.streams import KERNEL, chain_stream
from sep_core.intents import IntentRules
from sep_core.plugins.facts import PluginFact
from sep_core.plugins.reference import PluginRef
from sep_core.runtime.commands import KernelCommand, RecordFacts
from sep_core.runtime.desk import Desk
from sep_core.runtime.installation import Installation
from sep_core.runtime.settings import AccountSettings, Settings
from sep_core.runtime.world import World
from sep_core.telemetry.crashpoints import crossing


class PluginReports:
    """Takes facts about plugins: keeps them until the desk stands, then decides them at once."""

    def __init__(self) -> None:
        self.early: list[tuple[str, Fact]] = []
        self.desk: Desk | None = None

    def __call__(self, plugin: PluginRef, fact: PluginFact) -> None:
        """Records a fact without waiting; where the log has no room now, with the next one."""
        self.early.append((plugin.stream, fact))
        if self.desk is None:
            return
        try:
            self.desk.decide(RecordFacts(tuple(self.early)))
        except StoreBusy:
            return
        self.early.clear()


async def record_early(store: EventStore, world: World, reports: PluginReports, clock: Clock) -> None:
    """Records what became of plugins where the start ends before there is an engine."""
    if not reports.early:
        return
    desk = Desk(store, world, _facts_only, clock)
    await desk.record(RecordFacts(tuple(reports.early)))


def _facts_only(world: World, command: KernelCommand) -> Sequence[Decided]:
    return [Decided(*one) for one in command.facts] if isinstance(command, RecordFacts) else []


async def record_start(
    desk: Desk,
    reports: PluginReports,
    settings: Settings,
    installation: Installation,
    version: str,
    genesis: Mapping[ChainRef, str],
) -> None:
    """Records the run, its plugins and its chains in one append; from then on plugins report to the desk."""
    started = KernelStarted(
        desk.store.epoch,
        version,
        settings.mode.value,
        config_digest(settings, installation),
        bounds_in_force(installation.rules_of_intents),
    )
    connected: list[tuple[str, Fact]] = []
    for part in installation.chains.values():
        head = await crossing("start.connect", part.access.head())
        final = await crossing("start.final", _final(part.access))
        fact = ChainConnected(part.ref, part.name, head.ref, genesis.get(part.ref, ""), final)
        connected.append((chain_stream(part.ref), fact))
    await desk.record(RecordFacts(((KERNEL, started), *reports.early, *connected)))
    reports.early.clear()
    reports.desk = desk


def bounds_in_force(rules: IntentRules) -> tuple[BoundsInForce, ...]:
    """The bounds of every type of intent."""
    return tuple(
        BoundsInForce(
            kind,
            bounds.min_slippage,
            bounds.max_slippage,
            bounds.min_window_ms,
            bounds.max_window_ms,
            bounds.source,
        )
        for kind in IntentType
        for bounds in [rules.bounds(kind)]
    )


async def _final(access: ChainAccess) -> BlockRef | None:
    try:
        return (await access.final_block()).ref  # sep-ok: reads
    except UnknownBlock:
        return None  # a young chain has none yet


def config_digest(settings: Settings, installation: Installation) -> str:
    """What a run was configured with, without a trace of its secrets.

    Tables of plugins are in it by their own digests, which leave secrets out.
    """
    parts = [
        settings.mode,
        *sorted(f"{ref.stream}={ref.config_digest}" for ref in installation.refs.values()),
        *(_account_text(one) for one in settings.accounts.values()),
        *(repr(one) for one in settings.order_accounts.values()),
        repr(settings.assets),
        repr(settings.intents),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _account_text(account: AccountSettings) -> str:
    # The signer's own keys may hold a password as it stands in the file.
    use = "" if account.signer is None else account.signer.use
    return repr((account.name, account.chain, account.address, account.funding, use))
