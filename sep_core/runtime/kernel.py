"""The kernel as its faces see it: what can be asked of a running engine."""

import base64
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid5

import anyio
from sep_hooks.context import Clock
from sep_hooks.store import EventStore
from sep_hooks.types import IntentId, RiskStage

from sep_core.events.facts import BreakerClosed
from sep_core.events.streams import RISK_BREAKERS
from sep_core.execution import LaneKey
from sep_core.execution.worker import LaneWorker
from sep_core.markets.board import MarketBoard
from sep_core.planning import Planned, Planner, PlanRefused, PlanRequest, Sliced
from sep_core.portfolio import Mismatch
from sep_core.risk import check_may_close
from sep_core.runtime.account_desk import AccountDesk
from sep_core.runtime.books import compare_lane
from sep_core.runtime.chain_watch import ChainWatch
from sep_core.runtime.commands import CancelIntent, RecordFacts, SubmitIntent
from sep_core.runtime.desk import Desk
from sep_core.runtime.draining import Drain
from sep_core.runtime.equity_watch import EquityWatch
from sep_core.runtime.flow import Composition
from sep_core.runtime.flow.life import assess_as
from sep_core.runtime.installation import Installation
from sep_core.runtime.intake import Intake
from sep_core.runtime.orders import Orders
from sep_core.runtime.past_views import limits_view
from sep_core.runtime.plan_queue import MakePlan, PlanQueue
from sep_core.runtime.plan_view import verdict_views
from sep_core.runtime.queries import NotFound, Queries, acceptance_view, moment_or_position
from sep_core.runtime.quote_body import QuoteBody
from sep_core.runtime.quote_desk import QuoteDesk
from sep_core.runtime.recording import bounds_in_force
from sep_core.runtime.settings import Mode, Settings
from sep_core.runtime.state_cache import StateCache
from sep_core.runtime.submission import Submission
from sep_core.runtime.trial import accepted, first_of, first_slice
from sep_core.runtime.venue_manager import VenueManager
from sep_core.runtime.views import (
    AccountView,
    BreakersView,
    ChainView,
    DrainView,
    DryRunView,
    HealthView,
    IntentView,
    LimitsView,
    MismatchView,
    PluginView,
    ReceiptView,
    ServiceView,
    VenueView,
)
from sep_core.runtime.world import Touched, World


@dataclass(slots=True)
class Kernel:
    """A running engine. Everything that it is told goes over its desk."""

    settings: Settings
    version: str
    store: EventStore
    desk: Desk
    clock: Clock
    composition: Composition
    installation: Installation
    intake: Intake
    planner: Planner
    board: MarketBoard
    plans: PlanQueue
    venue_manager: VenueManager
    account_desk: AccountDesk
    equity_watch: EquityWatch
    drain: Drain
    cache: StateCache
    watches: dict[str, ChainWatch] = field(default_factory=dict)
    workers: dict[LaneKey, LaneWorker] = field(default_factory=dict)
    quote_desk: QuoteDesk = field(default_factory=QuoteDesk)
    orders: Orders | None = None
    make_plan: MakePlan | None = None
    _awaited: dict[IntentId, anyio.Event] = field(default_factory=dict)

    @property
    def world(self) -> World:
        """Everything that is known now."""
        return self.desk.world

    def touched(self, touched: Touched) -> None:
        """Something was committed: those who wait for it look again."""
        for intent_id in touched.intents & self._awaited.keys():
            self._awaited.pop(intent_id).set()
        self.drain.look(self.world.open_count)

    async def submit(
        self, submission: Submission, *, source: Literal["api", "command_line"], request: bytes
    ) -> ReceiptView:
        """Accepts an intent durably, or the same one once more. Raises `RequestRefused`, `Draining`."""
        intent = self.intake.intent(submission, self.world, self.clock.now())
        text = base64.b64encode(request).decode()
        commit = self.desk.decide(SubmitIntent(intent, source, text))
        duplicate = not commit.decided
        # A repeat may overtake the first one's commit; both answers wait for the disk.
        await (self.desk.settled() if duplicate else commit.durable())
        recorded = await self._live().acceptance(intent.id)
        return acceptance_view(intent, self.world.intents[intent.id].status, recorded, duplicate=duplicate)

    async def dry_run(self, submission: Submission) -> DryRunView:
        """What would happen to an intent, or to the first of its slices: plan and verdicts. Records nothing.

        Raises `RequestRefused`.
        """
        now = self.clock.now()
        intent = self.intake.intent(submission, self.world, now)
        account = self.composition.account(intent.account)
        state = accepted(intent, now, self.composition)
        deadline = state.deadline if state.deadline is not None else now
        wanted, note = first_slice(self.world, state, self.composition) or (intent, "")
        request = PlanRequest(wanted, account.address, account.name, account.funding, deadline)
        plan = self.make_plan or self.planner.plan
        answer = await plan(request)
        if isinstance(answer, Sliced):
            note = answer.reason
            answer = await plan(replace(request, intent=first_of(intent, answer)))
        if not isinstance(answer, Planned):
            code, why = (answer.code, answer.reason) if isinstance(answer, PlanRefused) else ("no_plan", note)
            return DryRunView(approved=False, code=code, reason=why, plan=None, verdicts=[])
        unknown = IntentId(uuid5(intent.id, "dry run"))
        decision = assess_as(
            self.world,
            unknown,
            intent.constraints,
            answer.plan,
            answer.prices,
            self.composition,
            RiskStage.PLAN,
        )
        return DryRunView(
            approved=decision.approved,
            code=decision.code or None,
            reason=decision.reason or (f"the first slice is shown: {note}" if note else None),
            plan=self._live().planned(answer.plan, 1),
            verdicts=verdict_views(decision.verdicts),
        )

    async def quote(self, body: QuoteBody) -> bytes:
        """A priced route on the present market states, as JSON (`QuoteView`): written where the search ran, off the
        loop. Records nothing. Raises `QuoteRefused`, `NoRoute`.
        """
        return await self.quote_desk.answer(
            body,
            self.board,
            {part.ref: part for part in self.installation.chains.values()},
            {
                watch.part.ref: watch.sight.head.timestamp
                for watch in self.watches.values()
                if watch.sight.head is not None
            },
            self._live().assets,
        )

    async def cancel(self, intent_id: UUID, by: str) -> IntentView:
        """Asks for the end of an intent; the state that is answered says who won. Raises `NotFound`."""
        if IntentId(intent_id) not in self.world.intents:
            raise NotFound(f"there is no intent {intent_id}", next_step="sep status")
        await self.desk.record(CancelIntent(IntentId(intent_id), by))
        return await self._live().intent(intent_id)

    async def wait_until_ended(self, intent_id: UUID, timeout_seconds: float) -> IntentView:
        """The intent once it has ended, or as it stands when the time is over. Raises `NotFound`."""
        with anyio.move_on_after(timeout_seconds):
            while True:
                state = self.world.intents.get(IntentId(intent_id))
                if state is None or state.status.terminal:
                    break
                changed = self._awaited.setdefault(state.id, anyio.Event())
                await changed.wait()
        await self.desk.settled()
        return await self._live().intent(intent_id)

    async def queries(self, as_of: str | None = None) -> Queries:
        """Reads of the present, or of the world as of a position or an RFC 3339 moment."""
        if as_of is None:
            return self._live()
        when = moment_or_position(as_of)
        return Queries(await self.cache.fold(when), self.store, self.settings, as_of=when)

    def chains(self) -> list[ChainView]:
        """The chains as seen now."""
        return [self._chain(watch) for watch in self.watches.values()]

    def venues(self) -> list[VenueView]:
        """The venues as seen now."""
        others = [] if self.orders is None else self.orders.manager(self.desk).views()
        return [*self.venue_manager.views(), *others]

    def venue(self, name: str) -> VenueView:
        """One venue as seen now. Raises `NotFound`."""
        others = None if self.orders is None else self.orders.manager(self.desk)
        return self.venue_manager.view(name) if others is None or name not in others else others.view(name)

    async def disable_venue(self, name: str, reason: str, by: str) -> VenueView:
        """Plans use the venue no more; what was sent through it runs on. Raises `NotFound`."""
        if self.orders is not None and name in self.orders.manager(self.desk):
            return await self.orders.manager(self.desk).tell(name, "disabled", reason, by)
        return await self.venue_manager.disable(name, reason, by)

    async def enable_venue(self, name: str, reason: str, by: str) -> VenueView:
        """Plans use the venue again, where it answers. Raises `NotFound`."""
        if self.orders is not None and name in self.orders.manager(self.desk):
            return await self.orders.manager(self.desk).tell(name, "ok", reason, by)
        return await self.venue_manager.enable(name, reason, by)

    async def release_account(self, name: str, reason: str, by: str) -> AccountView:
        """Lets a frozen account sign again. Raises `NotFound`, `ReleaseRefused`."""
        await self.account_desk.release(name, reason, by)
        return self._live().account(name)

    async def close_breaker(self, name: str, reason: str, by: str) -> BreakersView:
        """Closes an open breaker, durably; what was lost before is not counted again. Raises `NotFound`,
        `BreakerHolds`.
        """
        opened = self.world.breakers.get(name)
        if opened is None:
            raise NotFound(f"no breaker {name!r} is open", next_step="sep breaker list")
        check_may_close(opened)
        closed = BreakerClosed(name, opened.scope, reason, by, self.clock.now())
        await self.desk.record(RecordFacts(((RISK_BREAKERS, closed),)))
        self.equity_watch.look()
        return await self._live().breakers()

    def plugins(self) -> list[PluginView]:
        """The plugins of this run, and what became of them."""
        found = []
        for plugin in self.installation.refs.values():
            consequence = self.installation.guard.consequence(plugin)
            left_out = self.installation.left_out.get(plugin)
            found.append(
                PluginView(
                    name=plugin.name,
                    kind=plugin.kind,
                    distribution=plugin.dist,
                    version=plugin.version,
                    stage=consequence or ("rejected" if left_out else "active"),
                    reason=left_out,
                    instances=[plugin.instance],
                )
            )
        return found

    def limits(self) -> LimitsView:
        """The bounds that intents must keep, and where they stand."""
        return limits_view(bounds_in_force(self.composition.rules))

    def end_when_idle(self) -> DrainView:
        """Takes in no new intents from here on, and ends when none is open. What is open goes on as ever."""
        self.drain.asked = True
        self.drain.look(self.world.open_count)
        return DrainView(status="draining", open_intents=self.world.open_count)

    async def mismatches(self) -> list[MismatchView]:
        """Where the books and the chains differ, at the final block (I7). Paper's books are meant to differ."""
        if self.settings.mode is Mode.PAPER:
            return []
        found: list[Mismatch] = []
        assets = self._live().assets
        for key in tuple(self.world.lanes):
            part = self.installation.part_of(key.chain)
            if part is None:
                continue
            found += await compare_lane(self.desk, part, key)
        if self.orders is not None:
            found += await self.orders.mismatches(self.world)
        return [
            MismatchView(
                account=one.account,
                asset=assets.view(one.asset),
                ledger=str(one.ledger),
                chain=str(one.chain),
            )
            for one in found
        ]

    def health(self) -> HealthView:
        """How the engine is, for people."""
        services = {"store": ServiceView(status="ok", detail=f"epoch {self.store.epoch}")}
        for view in self.chains():
            services[f"chain {view.name}"] = ServiceView(
                status=view.status, detail=view.reason or f"head {view.head}"
            )
        for key, worker in self.workers.items():
            lane = self.world.lanes.get(key)
            name = lane.name if lane is not None else key.address
            status = "blocked" if worker.blocked else "ok"
            services[f"account {name}"] = ServiceView(status=status, detail=worker.blocked or "ready")
        if self.orders is not None:
            services.update(self.orders.services(self.world))
        healthy = all(one.status == "ok" for one in services.values())
        return HealthView(
            status="draining" if self.drain.asked else "ok" if healthy else "degraded",
            timestamp=self.clock.now(),
            version=self.version,
            mode=self.settings.mode,
            store_id=self.store.store_id,
            position=self.world.position,
            epoch=self.store.epoch,
            open_intents=self.world.open_count,
            in_doubt=sum(len(lane.in_doubt) for lane in self.world.lanes.values())
            + sum(len(lane.in_doubt) for lane in self.world.orders.values()),
            services=services,
        )

    def _live(self) -> Queries:
        return Queries(self.world, self.store, self.settings)

    def _chain(self, watch: ChainWatch) -> ChainView:
        head, health = watch.sight.head, watch.follower.health
        reason = health.error or watch.sight.reason
        status = "ok" if head is not None and not reason else "silent" if health.failures else "starting"
        return ChainView(
            name=watch.part.name,
            chain_id=watch.part.preset.chain_id,
            status=status,
            head=None if head is None else head.number,
            head_hash=None if head is None else head.hash,
            head_time=None if head is None else datetime.fromtimestamp(head.timestamp, UTC),
            final=watch.sight.final,
            reason=reason or None,
        )
