"""Start and stop of an engine: fold, install, record who runs, recover, go on. The only place that wires all rooms."""

import hashlib
import importlib.metadata
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup
from sep_hooks.context import Clock
from sep_hooks.errors import ConfigurationError, PluginError
from sep_hooks.store import CaughtUp, EventStore, StoreBusy
from sep_hooks.types import (
    Amount,
    Asset,
    AssetId,
    ChainLog,
    ChainUpdate,
    IntentId,
    SwapFill,
    SwapOrder,
    native_asset,
)

from sep_core.adapters.store_sqlite import SqliteStore, open_store
from sep_core.chains.heads import HeadFollower, patience_for
from sep_core.chains.tracker import Gap
from sep_core.events.decided import Decided
from sep_core.events.facts import ChainConnected, KernelStarted, KernelStopped
from sep_core.events.registry import Fact
from sep_core.events.streams import KERNEL, chain_stream
from sep_core.execution import LaneKey
from sep_core.execution.commands import AdoptAssets, OpenAccount
from sep_core.execution.prepare import SigningDesk
from sep_core.execution.reading import ReceiptReader, transfers_of
from sep_core.execution.worker import LaneWorker
from sep_core.markets.board import MarketBoard
from sep_core.markets.board_venue import BoardVenue
from sep_core.planning import Planner, Venues
from sep_core.plugins.broadcast import Broadcaster
from sep_core.plugins.dispatch import Dispatcher
from sep_core.plugins.facts import PluginFact, activated, rejected
from sep_core.plugins.guard import Guard
from sep_core.plugins.holding import Holding
from sep_core.plugins.notes import FOLDER, SLOT_FILE, remove_notes
from sep_core.plugins.quarantine import Quarantine, evolve, start_findings
from sep_core.plugins.reference import PluginRef
from sep_core.plugins.tripwire import tripwire
from sep_core.plugins.watchdog import Watchdog
from sep_core.risk import RiskEngine
from sep_core.runtime import flow
from sep_core.runtime.asset_book import NATIVE_DECIMALS
from sep_core.runtime.chain_watch import ChainWatch
from sep_core.runtime.commands import KernelCommand, RecordFacts
from sep_core.runtime.deadlines import Deadlines
from sep_core.runtime.desk import Desk, fold
from sep_core.runtime.flow import Composition
from sep_core.runtime.guards import BoardGuard, RuleGuard, VenueGuardOfGuard
from sep_core.runtime.installation import ChainPart, Installation, Installer
from sep_core.runtime.intake import Intake
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.lane_desk import LaneWork
from sep_core.runtime.plan_queue import PlanQueue
from sep_core.runtime.settings import Mode, Settings
from sep_core.runtime.settings_secrets import Secrets
from sep_core.runtime.strategies import run_strategies, specs_of
from sep_core.runtime.strategy_desk import KernelStrategyDesk
from sep_core.runtime.witnesses import EndpointWitnesses
from sep_core.runtime.world import World
from sep_core.runtime.worth import Worth
from sep_core.telemetry.crashpoints import crossing
from sep_core.telemetry.log import NamedLog

STOP_SECONDS = 20.0

FIRST_LOOK_SECONDS = 15.0
"""How long a start waits for the first look at every chain; one that stays silent is followed all the same."""


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


@asynccontextmanager
async def running_kernel(
    settings: Settings, environ: Mapping[str, str], clock: Clock
) -> AsyncIterator[Kernel]:
    """An engine that works while the context lasts, and stops cleanly at its end.

    Raises `ConfigurationError`, `PluginError`, `StoreLocked`, `StoreUnavailable`, `WrongChain` or `RpcUnavailable`
    before anything is recorded or sent.
    """
    async with AsyncExitStack() as stack:  # sep-ok: only closes
        folder = settings.store.path
        opening = anyio.to_thread.run_sync(partial(_store, settings, clock))
        store = await crossing("start.store", opening)
        stack.push_async_callback(store.close)
        holding = Holding(folder / SLOT_FILE)
        stack.callback(holding.close)
        stack.enter_context(tripwire(holding))
        world = await crossing("start.fold", fold(store))
        quarantine = Quarantine()
        for facts in world.plugins.values():
            for fact in facts:
                quarantine = evolve(quarantine, fact)
        findings = start_findings(quarantine, holding.death, folder / FOLDER)
        reports = PluginReports()
        for plugin, found in findings.facts:
            quarantine = evolve(quarantine, found)
            reports(plugin, found)
        secrets = Secrets(environ, settings.folder)
        guard = Guard(reports, holding=holding, redact=secrets.redact)
        installer = Installer(settings, secrets, guard, quarantine, clock, holding, reports)
        try:
            installation = await crossing("start.install", installer.install(stack))
        except PluginError:
            # Who was kept out, and why, must be known to the next start too.
            await _record_early(store, world, reports, clock)
            remove_notes(findings.notes)
            raise
        for part in installation.chains.values():
            await crossing("start.verify", part.access.verify())
        async with _wired(settings, clock, store, world, installation, reports, holding) as kernel:
            remove_notes(findings.notes)
            yield kernel


def _store(settings: Settings, clock: Clock) -> SqliteStore:
    if settings.store.use != "sqlite":
        raise ConfigurationError(
            f'store.use is "{settings.store.use}"; this release keeps its log in "sqlite"',
            pointer="store.use",
        )
    return open_store(settings.store.path, writable=True, clock=clock, ids=uuid4)


async def _record_early(store: EventStore, world: World, reports: PluginReports, clock: Clock) -> None:
    if not reports.early:
        return
    desk = Desk(store, world, _facts_only, clock)
    await desk.record(RecordFacts(tuple(reports.early)))


def _facts_only(world: World, command: KernelCommand) -> Sequence[Decided]:
    return [Decided(*one) for one in command.facts] if isinstance(command, RecordFacts) else []


@asynccontextmanager
async def _wired(
    settings: Settings,
    clock: Clock,
    store: SqliteStore,
    world: World,
    installation: Installation,
    reports: PluginReports,
    holding: Holding,
) -> AsyncIterator[Kernel]:
    works: dict[LaneKey, LaneWork] = {}
    workers: dict[LaneKey, LaneWorker] = {}
    dispatcher = Dispatcher(installation.hooks, installation.guard)
    _report_hooks(installation, dispatcher, reports)
    log = NamedLog("engine", installation.secrets.redact)
    board = MarketBoard(
        [BoardVenue(one.instance, one.adapter, one.decoder) for one in installation.venues.values()],
        guard=BoardGuard(installation),
    )
    composition = _composition(settings, clock, installation, board, works, workers)
    desk = Desk(store, world, lambda one, command: flow.decide(one, command, composition), clock)
    planner = _planner(settings, clock, installation, composition, board, desk)
    plans = PlanQueue(desk, planner.plan, composition, clock, log)
    deadlines = Deadlines(desk, clock)
    intake = Intake(installation, composition.rules, composition.roster)
    version = importlib.metadata.version("sep-core")
    kernel = Kernel(
        settings, version, store, desk, clock, composition, installation, intake, planner, board, plans
    )  # fmt: skip
    kernel.workers = workers
    async with anyio.create_task_group() as group:
        with Watchdog(holding, settings.store.path / FOLDER):
            group.start_soon(desk.run)
            await _record_start(desk, reports, settings, installation, version)
            _make_workers(kernel, works, store, log)
            for listener in (plans.touched, deadlines.touched, *(one.touched for one in works.values())):
                desk.on_commit(listener)
                listener(desk.everything())
            desk.on_commit(kernel.touched)
            await _watch_chains(kernel, group)
            for worker in workers.values():
                group.start_soon(worker.run)
            group.start_soon(plans.run)
            group.start_soon(deadlines.run)
            broadcaster = Broadcaster(dispatcher, clock, log)
            if dispatcher.anybody:
                group.start_soon(_tell_observers, store, broadcaster)
            with anyio.move_on_after(FIRST_LOOK_SECONDS):
                for watch in kernel.watches.values():
                    await watch.ready.wait()
            await _open_accounts(settings, installation, composition, board, desk)
            strategies = KernelStrategyDesk(desk, composition, intake, installation.assets, clock)
            specs = specs_of(installation, store.store_id)
            host = await crossing("start.strategies", run_strategies(kernel, strategies, specs, group))
            head = await store.head()  # sep-ok: reads
            await crossing("start.announce", broadcaster.moment("sep_kernel_started", head.pos))
            try:
                yield kernel
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(STOP_SECONDS):
                    await crossing("stop.strategies", host.end())
                    head = await store.head()  # sep-ok: reads
                    await crossing("stop.announce", broadcaster.moment("sep_kernel_stopping", head.pos))
                    await desk.record(RecordFacts(((KERNEL, KernelStopped("stopped on request")),)))
                group.cancel_scope.cancel()


def _report_hooks(installation: Installation, dispatcher: Dispatcher, reports: PluginReports) -> None:
    wrong = {module.ref: rejection for module, rejection in dispatcher.rejected}
    for module in installation.hooks:
        rejection = wrong.get(module.ref)
        if rejection is None:
            reports(module.ref, activated(module.ref, module.dist, module.manifest))
        else:
            reports(module.ref, rejected(module.ref, rejection.stage.label, rejection.reason))


def _composition(
    settings: Settings,
    clock: Clock,
    installation: Installation,
    board: MarketBoard,
    works: Mapping[LaneKey, LaneWork],
    workers: Mapping[LaneKey, LaneWorker],
) -> Composition:
    engine = RiskEngine(installation.rules, call=RuleGuard(installation))
    numeraire = _numeraire(engine, installation)

    def is_signing(intent_id: IntentId) -> bool:
        return any(
            (work.in_hand == intent_id and not workers[key].blocked)
            or (work.waits(intent_id) and workers[key].may_have_signed(intent_id))
            for key, work in works.items()
        )

    return Composition(
        "testnet" if settings.mode is Mode.TESTNET else "paper",
        installation.rules_of_intents,
        engine,
        installation.roster,
        {one.instance: one.id for one in settings.strategies.values()},
        clock,
        is_signing,
        Worth(board, numeraire).of,
        numeraire,
    )


def _planner(
    settings: Settings,
    clock: Clock,
    installation: Installation,
    composition: Composition,
    board: MarketBoard,
    desk: Desk,
) -> Planner:
    return Planner(
        {part.ref: part.access for part in installation.chains.values()},
        board,
        Venues(
            {one.instance: one.adapter for one in installation.venues.values()},
            VenueGuardOfGuard(installation),
        ),
        BookedHoldings(desk, composition),
        {part.ref: partial(transfers_of, part.ref) for part in installation.chains.values()},
        clock,
        numeraire=composition.numeraire,
        paper=settings.mode is Mode.PAPER,
    )


def _numeraire(engine: RiskEngine, installation: Installation) -> AssetId | None:
    if engine.numeraire is None:
        return None
    asset = installation.assets.get(engine.numeraire)
    if asset is None:
        raise ConfigurationError(
            f"the risk rules want prices in {engine.numeraire!r}, which [assets] does not have",
            pointer="risk",
        )
    return asset.id


class BookedHoldings:
    """What the books say that may be spent; planning's `Holdings`."""

    def __init__(self, desk: Desk, composition: Composition) -> None:
        self._desk = desk
        self._composition = composition

    def holding(self, account: str, strategy: str, asset: AssetId) -> Amount:
        """What a strategy may spend of an asset in an account."""
        owner, world = self._composition.owner(account), self._desk.world
        held = world.book.held(owner.account, owner.strategy, asset)
        return Amount(world.ledger.free(owner.account, owner.strategy, asset, held))


async def _record_start(
    desk: Desk, reports: PluginReports, settings: Settings, installation: Installation, version: str
) -> None:
    started = KernelStarted(desk.store.epoch, version, settings.mode, _digest(settings, installation))
    connected: list[tuple[str, Fact]] = []
    for part in installation.chains.values():
        head = await crossing("start.connect", part.access.head())
        connected.append((chain_stream(part.ref), ChainConnected(part.ref, part.name, head.ref)))
    await desk.record(RecordFacts(((KERNEL, started), *reports.early, *connected)))
    reports.early.clear()
    reports.desk = desk


def _digest(settings: Settings, installation: Installation) -> str:
    parts = [
        settings.mode,
        *sorted(f"{ref.stream}={ref.config_digest}" for ref in installation.refs.values()),
    ]
    parts += [repr(one) for one in (settings.accounts, settings.assets, settings.intents)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


async def _open_accounts(
    settings: Settings, installation: Installation, composition: Composition, board: MarketBoard, desk: Desk
) -> None:
    worth = Worth(board, composition.numeraire)
    for said in settings.accounts.values():
        part = installation.chains[said.chain]
        key = LaneKey(part.ref, said.address)
        native = Asset(native_asset(part.preset.chain_id), "", NATIVE_DECIMALS)
        on_chain = [one for one in installation.assets.values() if one.chain == part.ref]
        booked = {one.asset for one in desk.world.ledger.holdings() if one.account == said.name}
        fresh = [one for one in dict.fromkeys([*on_chain, native]) if one.id not in booked]
        if key in desk.world.lanes and not fresh:
            continue
        head = await crossing("start.account_block", part.access.head())
        wanted = [one.id for one in fresh]
        balances = await crossing(
            "start.account_balances", part.access.balances(said.address, wanted, head.ref)
        )
        held = tuple((one, balances[one]) for one in wanted if balances[one])
        prices = worth.prices(fresh)
        if key not in desk.world.lanes:
            nonce = await crossing("start.account_nonce", part.access.nonce(said.address, head.ref))
            await desk.record(OpenAccount(key, said.name, nonce, head.ref, held, prices))
        elif held:
            await desk.record(AdoptAssets(key, said.name, head.ref, held, prices))


def _make_workers(kernel: Kernel, works: dict[LaneKey, LaneWork], store: SqliteStore, log: NamedLog) -> None:
    installation = kernel.installation
    for said in kernel.settings.accounts.values():
        part = installation.chains[said.chain]
        key = LaneKey(part.ref, said.address)
        work = works[key] = LaneWork(kernel.desk, key, said.name, kernel.composition, kernel.clock)
        signer = installation.signers.get(said.name)
        signing = None if signer is None else SigningDesk(signer, store.vault(), store.epoch, store.store_id)
        reader = ReceiptReader(part.ref, partial(_passes, installation))
        worker = kernel.workers[key] = LaneWorker(
            part.access, reader, work, signing, kernel.clock, log, witnesses=EndpointWitnesses(part.access)
        )
        work.wake = worker.work_available


def _passes(
    installation: Installation, venue: str, order: SwapOrder, logs: Sequence[ChainLog]
) -> Sequence[SwapFill]:
    part = installation.venues.get(venue)
    if part is None:
        return ()
    return installation.guard.call_sync(
        part.plugin, "fills", lambda: part.adapter.fills(order, part.decoder.decode(logs))
    )


async def _watch_chains(kernel: Kernel, group: TaskGroup) -> None:
    for name, part in kernel.installation.chains.items():
        if part.ref in kernel.board.chains:
            await crossing("start.discover", kernel.board.discover(part.ref))
        log = NamedLog(f"chain {name}", kernel.installation.secrets.redact)
        names: Sequence[str] = getattr(part.access.rpc, "names", ())
        follower = HeadFollower(part.access.reads, log, patience=patience_for(names))
        watch = ChainWatch(part, follower, kernel.board, kernel.desk, log)
        watch.listen(partial(_on_block, kernel, part))
        kernel.watches[name] = watch
        group.start_soon(watch.run)


def _on_block(kernel: Kernel, part: ChainPart, step: ChainUpdate | Gap) -> None:
    for key, worker in kernel.workers.items():
        if key.chain == part.ref:
            if isinstance(step, ChainUpdate):
                worker.chain_update(step)
            else:
                worker.chain_gap()
    kernel.plans.new_block()


async def _tell_observers(store: EventStore, broadcaster: Broadcaster) -> None:
    head = await store.head()  # sep-ok: reads
    async for one in store.subscribe(after=head.pos):  # sep-ok: reads
        if not isinstance(one, CaughtUp):
            await broadcaster.show(one)  # sep-ok: observers are told at most once
