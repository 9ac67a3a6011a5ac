"""The questions of the interface, answered from a cache of read models; what no cache holds is folded from the log."""

from collections.abc import Sequence
from uuid import UUID

from sep_hooks.cache import ReadModelCache
from sep_hooks.store import EventFilter, EventStore

from sep_core.runtime.desk import fold
from sep_core.runtime.queries import (
    MOST_ITEMS,
    NotFound,
    Queries,
    cursor_of,
    event_view,
    place_of,
    strategy_named,
)
from sep_core.runtime.read_model import CLIENT, INTENT, PLAN, PORTFOLIO, client_key, label
from sep_core.runtime.settings import Settings
from sep_core.runtime.views import (
    AccountView,
    BreakersView,
    EventPage,
    EventView,
    ExplanationView,
    IntentPage,
    IntentView,
    PlanView,
    PortfolioView,
    ReceiptView,
)
from sep_core.runtime.world import World


class CachedQueries:
    """Reads of one log as far as a cache has come. Raises what `Queries` raises, and `MirrorUnavailable`."""

    def __init__(self, cache: ReadModelCache, store: EventStore, settings: Settings) -> None:  # type: ignore[type-arg]
        self._cache = cache
        self._store = store
        self._settings = settings

    async def intents(
        self, *, status: str | None, strategy: str | None, cursor: str | None, limit: int
    ) -> IntentPage:
        """Intents newest first; children are shown with their parents. Raises `BadCursor`."""
        before, most = place_of(cursor), min(limit, MOST_ITEMS)
        asked = label(status, None if strategy is None else strategy_named(self._settings, strategy))
        found = await self._cache.listed(self._store.store_id, INTENT, asked, before=before, limit=most)
        last = found[-1][0] if len(found) == most and found else 0
        items = [IntentView.model_validate_json(body) for _, body in found]
        return IntentPage(items=items, next_cursor=cursor_of(last) if last > 0 else None)

    async def intent(self, intent_id: UUID) -> IntentView:
        """One intent. Raises `NotFound`."""
        body = await self._document(INTENT, str(intent_id))
        if body is None:
            raise NotFound(f"there is no intent {intent_id}", next_step="sep status")
        return IntentView.model_validate_json(body)

    async def by_client_id(self, strategy: str, client_id: UUID) -> IntentView:
        """The intent that a strategy, by name or id, calls so. Raises `NotFound`."""
        key = await self._document(
            CLIENT, client_key(strategy_named(self._settings, strategy), str(client_id))
        )
        if key is None:
            raise NotFound(f"strategy {strategy} has no intent {client_id}")
        return await self.intent(UUID(key.decode()))

    async def plan(self, intent_id: UUID) -> PlanView:
        """The plan that stands for an intent. Raises `NotFound`."""
        body = await self._document(PLAN, str(intent_id))
        if body is None:
            status = (await self.intent(intent_id)).status
            raise NotFound(
                f"intent {intent_id} has no plan: it is {status}", next_step=f"sep explain {intent_id}"
            )
        return PlanView.model_validate_json(body)

    async def explain(self, intent_id: UUID) -> ExplanationView:
        """Why an intent went as it did, from the log. Raises `NotFound`."""
        return await Queries(await fold(self._store), self._store, self._settings).explain(intent_id)

    async def receipt(self, intent_id: UUID) -> ReceiptView:
        """The acceptance of an intent with its proof, from the log. Raises `NotFound`."""
        return await Queries(await fold(self._store), self._store, self._settings).receipt(intent_id)

    async def portfolio(self) -> PortfolioView:
        """All balances by account, strategy and asset."""
        body = await self._document(PORTFOLIO, "")
        if body is None:
            return PortfolioView(balances=[], mismatches=None)
        return PortfolioView.model_validate_json(body)

    async def breakers(self) -> BreakersView:
        """The open breakers, from the log."""
        return await Queries(await fold(self._store), self._store, self._settings).breakers()

    async def accounts(self) -> list[AccountView]:
        """The accounts on chains, from the log."""
        return await Queries(await fold(self._store), self._store, self._settings).accounts()

    async def events(
        self, *, after: int, limit: int, stream: str | None = None, types: Sequence[str] = ()
    ) -> EventPage:
        """Events in order behind a position; what the cache has not kept comes from the log."""
        most = min(limit, MOST_ITEMS)
        wanted = EventFilter(tuple(types), () if stream is None else (stream,))
        head = await self._cache.last(self._store.store_id)
        pos = 0 if head is None else head.pos
        if stream is None and not types:
            kept = await self._cache.events(self._store.store_id, after=after, limit=most)
            if kept is not None:
                last = kept[-1].pos if kept else after
                complete = len(kept) < most
                items = [event_view(one) for one in kept]
                return EventPage(items=items, next_after=max(pos, last) if complete else last, head=pos)
        found = [
            event_view(one)
            async for one in self._store.read_all(after=after, filter=wanted, limit=most, as_of=pos)
        ]
        last = found[-1].position if found else after
        complete = len(found) < most
        return EventPage(items=found, next_after=max(pos, last) if complete else last, head=pos)

    async def event(self, position: int) -> EventView:
        """One event. Raises `NotFound`."""
        return await Queries(World(), self._store, self._settings).event(position)

    async def _document(self, kind: str, key: str) -> bytes | None:
        return await self._cache.document(self._store.store_id, kind, key)
