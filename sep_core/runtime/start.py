"""Start and stop of an engine: fold, install, record who runs, recover, go on. The only place that wires all rooms."""

import importlib.metadata
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import anyio
from anyio.abc import TaskGroup
from sep_hooks.context import Clock
from sep_hooks.errors import PluginError
from sep_hooks.store import CaughtUp, EventStore, StoreClosed
from sep_hooks.types import (
    Amount,
    AssetId,
    ChainRef,
    ChainUpdate,
    IntentId,
    Need,
)

from sep_core.chains.heads import HeadFollower, patience_for
from sep_core.chains.tracker import Gap
from sep_core.events.facts import KernelStopped
from sep_core.events.log_store import LogStore
from sep_core.events.scopes import GLOBAL, scope_of
from sep_core.events.streams import KERNEL
from sep_core.execution import LaneKey
from sep_core.execution.reading import transfers_of
from sep_core.execution.worker import LaneWorker
from sep_core.markets.board import MarketBoard
from sep_core.markets.board_venue import BoardVenue
from sep_core.planning import Planner, Venues
from sep_core.plugins.broadcast import Broadcaster
from sep_core.plugins.dispatch import Dispatcher
from sep_core.plugins.facts import activated, rejected
from sep_core.plugins.guard import Guard
from sep_core.plugins.holding import Holding
from sep_core.plugins.notes import FOLDER, SLOT_FILE, remove_notes
from sep_core.plugins.quarantine import Quarantine, evolve, start_findings
from sep_core.plugins.tripwire import tripwire
from sep_core.plugins.watchdog import Watchdog
from sep_core.portfolio import UNALLOCATED
from sep_core.risk import RiskEngine
from sep_core.runtime import flow
from sep_core.runtime.account_desk import AccountDesk
from sep_core.runtime.chain_watch import ChainWatch
from sep_core.runtime.commands import RecordFacts
from sep_core.runtime.deadlines import Deadlines
from sep_core.runtime.desk import Desk
from sep_core.runtime.draining import Drain
from sep_core.runtime.equity_watch import EquityWatch
from sep_core.runtime.executors import check_executor
from sep_core.runtime.flow import Composition
from sep_core.runtime.guards import BoardGuard, RuleGuard, VenueGuardOfGuard
from sep_core.runtime.identity import (
    booked_owners,
    check_accounts,
    check_chains,
    check_mode,
    check_order_accounts,
    check_owners,
)
from sep_core.runtime.installation import ChainPart, Installation, Installer
from sep_core.runtime.intake import Intake
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.lane_desk import LaneWork
from sep_core.runtime.lanes import Lanes
from sep_core.runtime.leading import leading, open_leading
from sep_core.runtime.orders import Orders
from sep_core.runtime.plan_queue import PlanQueue
from sep_core.runtime.recording import PluginReports, record_early, record_start
from sep_core.runtime.settings import Mode, Settings
from sep_core.runtime.settings_secrets import Secrets
from sep_core.runtime.slice_clock import SliceClock
from sep_core.runtime.state_cache import StateCache
from sep_core.runtime.state_keeper import StateKeeper
from sep_core.runtime.strategies import run_strategies, specs_of
from sep_core.runtime.strategy_desk import KernelStrategyDesk
from sep_core.runtime.venue_calls import CallBook
from sep_core.runtime.venue_manager import VenueManager
from sep_core.runtime.world import World
from sep_core.runtime.worth import Worth, numeraire_of
from sep_core.telemetry.crashpoints import crossing
from sep_core.telemetry.log import NamedLog

STOP_SECONDS = 20.0

FAILURES_TO_STALE = 3
"""Looks at a chain that fail in a row before its venues count as stale."""

FIRST_LOOK_SECONDS = 15.0
"""How long a start waits for the first look at every chain; one that stays silent is followed all the same."""


@asynccontextmanager
async def running_kernel(
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    *,
    standby: Callable[[str], None] | None = None,
) -> AsyncIterator[Kernel]:
    """An engine that works while the context lasts, and stops cleanly at its end; `standby`, where given, waits for
    the log and hears why.

    Raises `ConfigurationError`, `PluginError`, `StoreLocked`, `StoreUnavailable`, `WrongChain` or `RpcUnavailable`
    before anything is recorded or sent.
    """
    async with AsyncExitStack() as stack:  # sep-ok: only closes
        folder = settings.store.path
        secrets = Secrets(environ, settings.folder)
        store = await crossing("start.store", open_leading(settings, secrets, clock, standby))
        stack.push_async_callback(store.close)
        await stack.enter_async_context(leading(store))  # sep-ok: renews beside everything else
        holding = Holding(folder / SLOT_FILE)
        stack.callback(holding.close)
        stack.enter_context(tripwire(holding))
        cache = StateCache(folder, store)
        world = await crossing("start.fold", cache.fold())
        check_mode(world, settings)
        quarantine = Quarantine()
        for facts in world.plugins.values():
            for fact in facts:
                quarantine = evolve(quarantine, fact)
        findings = start_findings(quarantine, holding.death, folder / FOLDER)
        reports = PluginReports()
        for plugin, found in findings.facts:
            quarantine = evolve(quarantine, found)
            reports(plugin, found)
        guard = Guard(reports, holding=holding, redact=secrets.redact)
        installer = Installer(settings, secrets, guard, quarantine, clock, holding, reports)
        try:
            installation = await crossing("start.install", installer.install(stack))
        except PluginError:
            # Who was kept out, and why, must be known to the next start too.
            await record_early(store, world, reports, clock)  # sep-ok: it crosses itself
            remove_notes(findings.notes)
            raise
        for part in installation.chains.values():
            await crossing("start.verify", part.access.verify())
        for account in settings.accounts.values():
            part = installation.chains[account.chain]
            await check_executor(account, part)  # sep-ok: reads only, before anything is recorded
        check_accounts(world, settings, {name: part.ref for name, part in installation.chains.items()})
        check_order_accounts(world, settings)
        check_owners(world, settings)
        genesis = await check_chains(world, settings, installation)  # sep-ok: it crosses itself
        async with _wired(
            settings, clock, store, cache, world, installation, reports, holding, genesis
        ) as kernel:
            remove_notes(findings.notes)
            yield kernel


@asynccontextmanager
async def _wired(
    settings: Settings,
    clock: Clock,
    store: LogStore,
    cache: StateCache,
    world: World,
    installation: Installation,
    reports: PluginReports,
    holding: Holding,
    genesis: Mapping[ChainRef, str],
) -> AsyncIterator[Kernel]:
    works: dict[LaneKey, LaneWork] = {}
    workers: dict[LaneKey, LaneWorker] = {}
    dispatcher = Dispatcher(installation.hooks, installation.guard)
    _report_hooks(installation, dispatcher, reports)
    log = NamedLog("engine", installation.secrets.redact)
    calls = CallBook(clock, time.monotonic)
    board = MarketBoard(
        [BoardVenue(one.instance, one.adapter, one.decoder) for one in installation.venues.values()],
        guard=BoardGuard(installation, calls),
    )
    booked = booked_owners(world)
    composition = _composition(settings, clock, installation, board, works, workers, booked)
    desk = Desk(store, world, lambda one, command: flow.decide(one, command, composition), clock, cache.fold)
    planner = _planner(settings, clock, installation, composition, board, desk)
    orders, worth = Orders(settings, installation, clock, log, calls), Worth(board, composition.numeraire)
    holdings = BookedHoldings(desk, composition)
    make_plan = orders.planning(planner.plan, desk, composition, holdings, worth)
    plans = PlanQueue(desk, make_plan, composition, clock, log)
    deadlines = Deadlines(desk, clock)
    slice_clock = SliceClock(desk, clock, plans.rest_due)
    drain = Drain()
    intake = Intake(installation, composition.rules, composition.roster, drain)
    version = importlib.metadata.version("sep-core")
    watches: dict[str, ChainWatch] = {}
    venues = VenueManager(installation, board, desk, calls, partial(_silence, watches))
    accounts = AccountDesk(settings, installation, composition, board, desk, workers)

    def wake() -> None:
        for worker in workers.values():
            worker.work_available()
        for work in orders.workers.values():
            work.work_available()

    equity = EquityWatch(
        desk, composition, installation, worth, workers, partial(_silence, watches), wake, log
    )
    kernel = Kernel(
        settings, version, store, desk, clock, composition, installation, intake, planner, board, plans, venues,
        accounts, equity, drain, cache,
    )  # fmt: skip
    kernel.watches, kernel.workers = watches, workers
    kernel.orders, kernel.make_plan = orders, make_plan
    async with anyio.create_task_group() as group:
        with Watchdog(holding, settings.store.path / FOLDER):
            group.start_soon(desk.run)
            started = record_start(desk, reports, settings, installation, version, genesis)
            await started  # sep-ok: it crosses itself
            lanes = Lanes(kernel, works, store, log)
            lanes.make()
            await lanes.end_orphans()  # sep-ok: it crosses itself
            orders.make(desk, composition)
            for listener in (
                plans.touched,
                deadlines.touched,
                slice_clock.touched,
                orders.touched,
                *(one.touched for one in works.values()),
            ):
                desk.on_commit(listener)
                listener(desk.everything())
            keeper = StateKeeper(desk, cache)
            desk.on_commit(kernel.touched)
            desk.on_commit(keeper.touched)
            group.start_soon(keeper.run)
            await _watch_chains(kernel, group)
            for worker in workers.values():
                group.start_soon(worker.run)
            group.start_soon(plans.run)
            group.start_soon(deadlines.run)
            group.start_soon(slice_clock.run)
            group.start_soon(venues.run)
            broadcaster = Broadcaster(dispatcher, clock, log)
            if dispatcher.anybody:
                group.start_soon(_tell_observers, store, broadcaster)
            with anyio.move_on_after(FIRST_LOOK_SECONDS):
                for watch in kernel.watches.values():
                    await watch.ready.wait()
            await accounts.open_all()  # sep-ok: it crosses itself
            group.start_soon(equity.run)
            group.start_soon(equity.act)
            orders.start(group, desk, worth, plans.markets_moved)
            await orders.opened(FIRST_LOOK_SECONDS)  # sep-ok: time or news
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
                    with suppress(StoreClosed):  # a store that failed takes in no more, and says itself why
                        why = "drained: nothing was open" if drain.done.is_set() else "stopped on request"
                        await desk.record(RecordFacts(((KERNEL, KernelStopped(why)),)))
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
    booked: Mapping[str, str],
) -> Composition:
    engine = RiskEngine(installation.rules, call=RuleGuard(installation))
    numeraire = numeraire_of(engine, installation.assets)

    def is_signing(intent_id: IntentId) -> bool:
        return any(
            (work.in_hand == intent_id and not workers[key].blocked)
            or (work.waits(intent_id) and workers[key].may_have_signed(intent_id))
            for key, work in works.items()
        )

    def why_unasked(venue: str) -> str:
        part = installation.venues.get(venue) or installation.order_venues.get(venue)
        if part is None:
            return "it takes no part in this run"
        if installation.guard.consequence(part.plugin) is None:
            return ""
        return f"it is not asked: {installation.guard.reason(part.plugin)}"

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
        booked,
        why_unasked=why_unasked,
        unseen=_scopes(installation) if Need.EQUITY in engine.needs else set(),
    )


def _scopes(installation: Installation) -> set[str]:
    """All that may have to be measured before something is signed."""
    return {GLOBAL, scope_of(UNALLOCATED), *map(scope_of, installation.settings.strategies)}


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
            single_hop=[one.instance for one in installation.venues.values() if one.single_hop],
            undated=[one.instance for one in installation.venues.values() if one.undated],
        ),
        BookedHoldings(desk, composition),
        {part.ref: partial(transfers_of, part.ref) for part in installation.chains.values()},
        clock,
        numeraire=composition.numeraire,
        paper=settings.mode is Mode.PAPER,
    )


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


def _silence(watches: Mapping[str, ChainWatch], chain: str) -> str:
    watch = watches.get(chain)
    return (
        "" if watch is None or watch.sight.head is None else watch.follower.health.error or watch.sight.reason
    )


def _on_block(kernel: Kernel, part: ChainPart, step: ChainUpdate | Gap) -> None:
    for key, worker in kernel.workers.items():
        if key.chain == part.ref:
            if isinstance(step, ChainUpdate):
                worker.chain_update(step)
            else:
                worker.chain_gap()
    kernel.venue_manager.look()
    kernel.equity_watch.block()
    kernel.plans.new_block()


async def _tell_observers(store: EventStore, broadcaster: Broadcaster) -> None:
    head = await store.head()  # sep-ok: reads
    async for one in store.subscribe(after=head.pos):  # sep-ok: reads
        if not isinstance(one, CaughtUp):
            await broadcaster.show(one)  # sep-ok: observers are told at most once
