"""Answers about what is and was: views made of the world and the log, the same for every face."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from uuid import UUID

from sep_hooks.errors import Permanent
from sep_hooks.store import EventFilter, EventStore, Recorded
from sep_hooks.types import Intent, IntentId, IntentStatus, Plan

from sep_core.events.facts import EquityMarked
from sep_core.execution import LaneState, NonceEntry
from sep_core.execution.orders import OrderEntry
from sep_core.intents import IntentState
from sep_core.portfolio import Holding, floor_value
from sep_core.runtime.asset_book import AssetBook
from sep_core.runtime.explain import explanation
from sep_core.runtime.native import leaf_hash
from sep_core.runtime.past_views import limits_view, past_chains, past_plugins, past_venues
from sep_core.runtime.plan_view import plan_view, verdict_views
from sep_core.runtime.settings import Settings
from sep_core.runtime.slices_view import changes_view, parent_view, slices_view, slicing_view
from sep_core.runtime.views import (
    AccountView,
    BalanceView,
    BreakersView,
    BreakerView,
    ChainView,
    ConstraintsView,
    EquityView,
    EventPage,
    EventView,
    ExplanationView,
    FillView,
    IntentAssetView,
    IntentPage,
    IntentView,
    LimitsView,
    PlanView,
    PluginView,
    PortfolioView,
    ReceiptView,
    VenueView,
)
from sep_core.runtime.world import World

MOST_ITEMS = 500


class NotFound(Permanent):
    """There is no such thing in this log."""

    code = "not_found"


class BadCursor(Permanent):
    """A cursor that no page of ours has given."""

    code = "bad_cursor"


class BadMoment(Permanent):
    """A text is neither a position of the log nor a moment."""

    code = "bad_moment"


class Queries:
    """Reads of one world. It changes nothing and waits for nothing but the log.

    `as_of` is what the world was folded up to; None is the present.
    """

    def __init__(
        self, world: World, store: EventStore, settings: Settings, *, as_of: int | datetime | None = None
    ) -> None:
        self._world = world
        self._as_of = as_of
        self._store = store
        self._settings = settings
        self._assets = AssetBook(settings, world)

    @property
    def assets(self) -> AssetBook:
        """Names and decimals of assets."""
        return self._assets

    async def intents(
        self, *, status: str | None, strategy: str | None, cursor: str | None, limit: int
    ) -> IntentPage:
        """Intents newest first; children are shown with their parents. Raises `BadCursor`."""
        start, wanted = place_of(cursor), None if strategy is None else self._strategy(strategy)
        found: list[IntentView] = []
        states = self._world.intents
        at = len(states) if start is None else min(start, len(states))
        for state in islice(reversed(states.values()), len(states) - at, None):
            if len(found) >= min(limit, MOST_ITEMS):
                break
            at -= 1
            if state.intent.parent is not None:
                continue
            if status in (None, state.status) and wanted in (None, state.intent.strategy):
                found.append(self._intent(state))
        return IntentPage(items=found, next_cursor=cursor_of(at) if at > 0 else None)

    async def intent(self, intent_id: UUID) -> IntentView:
        """One intent. Raises `NotFound`."""
        return self._intent(self._state(intent_id))

    def named(self, text: str) -> UUID:
        """The intent whose id is or begins so, or whose author calls it so. Raises `NotFound`."""
        found = [one for one in self._world.intents if str(one).startswith(text)] or [
            one for (_, client_id), one in self._world.by_client.items() if str(client_id) == text
        ]
        if len(found) == 1:
            return found[0]
        if found:
            some = ", ".join(str(one) for one in found[:3])
            raise NotFound(f"{len(found)} intents begin with {text}: {some}", next_step="give more digits")
        raise NotFound(f"there is no intent {text}", next_step="sep status")

    async def by_client_id(self, strategy: str, client_id: UUID) -> IntentView:
        """The intent that a strategy, by name or id, calls so. Raises `NotFound`."""
        intent_id = self._world.by_client.get((self._strategy(strategy), client_id))
        if intent_id is None:
            raise NotFound(f"strategy {strategy} has no intent {client_id}")
        return self._intent(self._state(intent_id))

    async def plan(self, intent_id: UUID) -> PlanView:
        """The plan that stands for an intent. Raises `NotFound`."""
        state = self._state(intent_id)
        plan = self._plan(state)
        if plan is None:
            raise NotFound(
                f"intent {intent_id} has no plan: it is {state.status}", next_step=f"sep explain {intent_id}"
            )
        return plan

    def planned(self, plan: Plan, attempt: int) -> PlanView:
        """A plan that no intent of the log has."""
        return plan_view(plan, attempt, self._assets, {}, {})

    async def explain(self, intent_id: UUID) -> ExplanationView:
        """Why an intent went as it did, where the money is, and what can be done next. Raises `NotFound`."""
        state = self._state(intent_id)
        lane = self._world.lane(state.intent.account)
        history = [one async for one in self._store.read_stream(f"intent:{intent_id}", as_of=self._as_of)]
        return explanation(
            self._intent(state),
            state,
            self._plan(state),
            verdict_views(state.verdicts),
            history,
            lane,
            self._assets,
        )

    async def receipt(self, intent_id: UUID) -> ReceiptView:
        """The acceptance of an intent with its proof. Raises `NotFound`."""
        state = self._state(intent_id)
        recorded = await self.acceptance(IntentId(intent_id))
        proof = await self._store.prove(recorded.pos)
        return acceptance_view(state.intent, state.status, recorded, duplicate=False).model_copy(
            update={
                "record": base64.b64encode(recorded.record).decode(),
                "path": ["0x" + node.hex() for node in proof.path],
                "checkpoint": proof.checkpoint.note,
                "public_key": public_key(self._store),
            }
        )

    async def acceptance(self, intent_id: IntentId) -> Recorded:
        """The event that an intent's receipt stands for: its acceptance. Raises `NotFound`."""
        async for recorded in self._store.read_stream(f"intent:{intent_id}", from_version=2, to_version=2):
            return recorded
        raise NotFound(f"there is no intent {intent_id}")

    async def events(
        self, *, after: int, limit: int, stream: str | None = None, types: Sequence[str] = ()
    ) -> EventPage:
        """Events in order behind a position; `stream` is a name or a beginning of names."""
        wanted = EventFilter(tuple(types), () if stream is None else (stream,))
        head = await self._store.head()
        items: list[EventView] = []
        last = after
        async for recorded in self._read(after, wanted, min(limit, MOST_ITEMS)):
            items.append(event_view(recorded))
            last = recorded.pos
        complete = len(items) < min(limit, MOST_ITEMS)
        return EventPage(items=items, next_after=max(head.pos, last) if complete else last, head=head.pos)

    async def event(self, position: int) -> EventView:
        """One event. Raises `NotFound`."""
        async for recorded in self._read(max(0, position - 1), None, 1):
            if recorded.pos == position:
                return event_view(recorded)
        raise NotFound(f"the log has no position {position}", next_step="sep events")

    def _read(self, after: int, wanted: EventFilter | None, limit: int) -> AsyncIterator[Recorded]:
        return self._store.read_all(after=after, filter=wanted, limit=limit, as_of=self._as_of)

    async def portfolio(self) -> PortfolioView:
        """All balances by account, strategy and asset."""
        return PortfolioView(
            balances=[self._balance(one) for one in self._world.ledger.holdings()], mismatches=None
        )

    def chains(self) -> list[ChainView]:
        """The chains as the log tells of them."""
        return past_chains(self._world)

    def plugins(self) -> list[PluginView]:
        """The plugins as the log tells of them."""
        return past_plugins(self._world)

    def venues(self) -> list[VenueView]:
        """The venues as the log tells of them."""
        return past_venues(self._world, self._settings)

    def venue(self, name: str) -> VenueView:
        """One venue as the log tells of it. Raises `NotFound`."""
        for one in self.venues():
            if one.name == name:
                return one
        raise NotFound(f"the log tells of no venue {name!r} there", next_step="sep venue list")

    def limits(self) -> LimitsView:
        """The bounds of the run that the log was in. Raises `NotFound` where it does not say."""
        bounds = self._world.runs[-1].bounds if self._world.runs else ()
        if not bounds:
            raise NotFound(
                "the log does not say what bounds were in force there", next_step="name a later place"
            )
        return limits_view(bounds)

    async def accounts(self) -> list[AccountView]:
        """The accounts on chains, in the order in which they joined the log."""
        return [account_view(lane) for lane in self._world.lanes.values()]

    async def breakers(self) -> BreakersView:
        """The open breakers, and the worth of what they guard by its last marks."""
        return BreakersView(
            items=[
                BreakerView(
                    name=one.breaker,
                    scope=one.scope,
                    action=one.action,
                    latched=one.latched,
                    since=one.at,
                    unit=one.unit,
                    used=str(one.used),
                    limit=str(one.limit),
                    reason=one.reason,
                )
                for one in self._world.breakers.values()
            ],
            equity=[self._equity(one.last) for _, one in sorted(self._world.equity.items())],
        )

    def _equity(self, mark: EquityMarked) -> EquityView:
        lost = max(0, mark.high - mark.unit_value)
        return EquityView(
            scope=mark.scope,
            at=mark.at,
            value=str(mark.value),
            text=self._assets.text(mark.numeraire, mark.value),
            numeraire=self._assets.asset(mark.numeraire).symbol,
            unit_value=str(mark.unit_value),
            high=str(mark.high),
            drawdown_ppm=-(-lost * 1_000_000 // mark.high) if mark.high else 0,
        )

    def account(self, name: str) -> AccountView:
        """One account. Raises `NotFound`."""
        lane = self._world.lane(name)
        if lane is None:
            raise NotFound(f"there is no account {name!r}", next_step="sep account list")
        return account_view(lane)

    def _strategy(self, name_or_id: str) -> str:
        return strategy_named(self._settings, name_or_id)

    def _balance(self, holding: Holding) -> BalanceView:
        world, position = self._world, holding.position
        held = world.book.held(holding.account, holding.strategy, holding.asset)
        numeraire = position.numeraire
        priced = numeraire is not None
        unrealised = self._unrealised(holding)
        return BalanceView(
            account=holding.account,
            strategy=holding.strategy,
            asset=self._assets.view(holding.asset),
            total=str(holding.final),
            held=str(held),
            free=str(world.ledger.free(holding.account, holding.strategy, holding.asset, held)),
            provisional=str(holding.provisional),
            text=self._assets.text(holding.asset, holding.final),
            cost=str(position.cost) if priced else None,
            realised_profit=str(position.realised) if priced else None,
            unrealised_profit=None if unrealised is None else str(unrealised),
            numeraire=None if numeraire is None else self._assets.asset(numeraire).symbol,
        )

    def _unrealised(self, holding: Holding) -> int | None:
        """Against the latest prices that a decision was made on; None without any."""
        position = holding.position
        for state in reversed(self._world.intents.values()):
            prices = state.prices
            if prices is not None and prices.numeraire == position.numeraire:
                worth = floor_value(prices, holding.asset, position.priced)
                return None if worth is None else worth - position.cost
        return None

    def _state(self, intent_id: UUID) -> IntentState:
        state = self._world.intents.get(IntentId(intent_id))
        if state is None:
            raise NotFound(f"there is no intent {intent_id}", next_step="sep status")
        return state

    def _plan(self, state: IntentState) -> PlanView | None:
        if state.plan is None:
            return None
        return plan_view(state.plan, state.attempt, self._assets, self._entries(state), self._orders(state))

    def _entries(self, state: IntentState) -> dict[str, NonceEntry]:
        lane = self._world.lane(state.intent.account)
        return {} if lane is None else {entry.step_id: entry for entry in lane.of_intent(state.id)}

    def _orders(self, state: IntentState) -> dict[str, OrderEntry]:
        return {
            entry.step_id: entry
            for key, lane in self._world.orders.items()
            if key.account == state.intent.account
            for entry in lane.of_intent(state.id)
        }

    def _intent(self, state: IntentState) -> IntentView:
        intent, ended = state.intent, state.status is IntentStatus.SETTLED
        return IntentView(
            id=intent.id,
            client_id=intent.client_id,
            strategy=intent.strategy,
            account=intent.account,
            type=intent.type,
            status=state.status,
            assets=[
                IntentAssetView(
                    asset=self._assets.view(part.asset.id),
                    amount=None if part.amount is None else str(part.amount),
                    percentage=None if part.percentage is None else format(part.percentage, "f"),
                )
                for part in intent.assets
            ],
            constraints=_constraints(intent),
            received_at=state.received_at,
            deadline=state.deadline,
            priority=state.priority,
            attempt=state.attempt,
            cancel_requested=state.cancel_requested,
            code=state.code or None,
            reason=state.reason or None,
            spent=str(state.spent) if ended else None,
            received=str(state.received) if ended else None,
            gas_cost=str(state.gas_cost) if ended or state.gas_cost else None,
            transaction_hashes=list(state.transaction_hashes),
            fills=[self._fill(state, index) for index in range(len(state.fills))],
            changes=changes_view(state, self._assets),
            parent=parent_view(state),
            slices=slices_view(state, self._world.intents, self._assets),
        )

    def _fill(self, state: IntentState, index: int) -> FillView:
        fill = state.fills[index]
        return FillView(
            step_id=fill.step_id,
            venue=fill.venue,
            spent=self._assets.amount(fill.asset_in, fill.amount_in),
            received=self._assets.amount(fill.asset_out, fill.amount_out),
            gas_cost=str(fill.gas_cost),
            block_number=fill.block.number,
            block_hash=fill.block.hash,
            transaction_hash=fill.transaction_hash or None,
            simulated=not fill.transaction_hash,
        )


def acceptance_view(
    intent: Intent, status: IntentStatus, recorded: Recorded, *, duplicate: bool
) -> ReceiptView:
    """The receipt of an acceptance, without its proof."""
    return ReceiptView(
        intent_id=intent.id,
        client_id=intent.client_id,
        status=status,
        store_id=recorded.store_id,
        position=recorded.pos,
        leaf_hash="0x" + leaf_hash(recorded.record).hex(),
        duplicate=duplicate,
    )


def account_view(lane: LaneState) -> AccountView:
    """An account as answers show it."""
    status, reason = "ok", None
    if lane.in_doubt:
        status, reason = "in_doubt", "; ".join(f"nonce {one.nonce}: {one.reason}" for one in lane.in_doubt)
    if lane.frozen is not None:
        status, reason = "frozen", lane.frozen
    return AccountView(
        name=lane.name,
        chain=lane.key.chain,
        address=lane.key.address,
        status=status,
        reason=reason,
        next_nonce=lane.next_nonce,
        open_nonces=[one.nonce for one in lane.unfinished],
    )


def strategy_named(settings: Settings, name_or_id: str) -> str:
    """The strategy's name in the configuration; a text that names none is answered as it is."""
    known = settings.strategies.values()
    return next((one.instance for one in known if name_or_id in (one.instance, str(one.id))), name_or_id)


def event_view(recorded: Recorded) -> EventView:
    """An event as answers show it."""
    return EventView(
        position=recorded.pos,
        stream=recorded.stream,
        version=recorded.version,
        id=recorded.id,
        type=recorded.type,
        schema_version=recorded.schema_version,
        recorded_at=recorded.recorded_at,
        occurred_at=recorded.occurred_at,
        body=dict(recorded.body),
    )


def public_key(store: EventStore) -> str | None:
    """The key that a store's checkpoints are signed with, as text; None where it has none."""
    verifier = getattr(store, "verifier", None)
    return None if verifier is None else str(verifier.text())


def _constraints(intent: Intent) -> ConstraintsView:
    said = intent.constraints
    return ConstraintsView(
        max_slippage=format(said.max_slippage, "f"),
        time_window_ms=said.time_window_ms,
        execution_style=said.execution_style,
        venues=list(said.venues),
        chains=list(said.chains),
        assets=list(said.assets),
        max_fee=None if said.max_fee is None else str(said.max_fee),
        public_fallback=said.public_fallback,
        slicing=slicing_view(said),
    )


def cursor_of(place: int) -> str:
    """The cursor of a page that begins below a place in the order of acceptance."""
    return base64.urlsafe_b64encode(f"i{place}".encode()).decode().rstrip("=")


def place_of(cursor: str | None) -> int | None:
    """The place that a cursor means. Raises `BadCursor`."""
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        if not text.startswith("i") or not text[1:].isdigit() or len(text) > 20:
            raise ValueError(text)
        return int(text[1:])
    except ValueError:
        raise BadCursor(
            f"{cursor[:64]!r} is no cursor", next_step="take it from next_cursor of the page before"
        ) from None


def moment_or_position(text: str) -> int | datetime:
    """What `as_of` says. Raises `BadMoment`."""
    if text.isdigit() and len(text) < 19:
        return int(text)
    moment: datetime | None = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
    if moment is None or moment.tzinfo is None:
        raise BadMoment(
            f"{text[:64]!r} is neither a position nor a moment",
            next_step="write digits, or RFC 3339 like 2026-01-31T12:00:00Z",
        )
    return moment
