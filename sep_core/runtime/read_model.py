"""Answers as documents: what each event changes of what the interface would say, for processes that fold nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sep_hooks.cache import Document, ReadModelChange
from sep_hooks.store import EventStore, Recorded
from sep_hooks.types import IntentId

from sep_core.events.registry import fact_of
from sep_core.execution import NonceEntry
from sep_core.execution.orders import OrderEntry
from sep_core.runtime.queries import NotFound, Queries
from sep_core.runtime.settings import Settings
from sep_core.runtime.world import World, intent_of, lane_key, order_key

INTENT: Final = "intent"
PLAN: Final = "plan"
CLIENT: Final = "client"
PORTFOLIO: Final = "portfolio"
ALL: Final = "all"

type _Entries = Mapping[Any, NonceEntry | OrderEntry]


class ReadModelFold:
    """The world at one position, and the documents that it is told in."""

    def __init__(self, store: EventStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._world = World()
        self._ordinals: dict[IntentId, int] = {}

    @property
    def pos(self) -> int:
        """How far it has come."""
        return self._world.position

    def fold(self, events: Iterable[Recorded]) -> set[IntentId]:
        """Takes events in, in order. Gives the intents of which something else is to be said than before."""
        world, touched, named = self._world, set[IntentId](), len(self._world.assets)
        for recorded in events:
            before = self._entries(recorded.stream)
            world.apply(recorded.stream, fact_of(recorded))
            touched |= _changed(before, self._entries(recorded.stream))
            room, _, rest = recorded.stream.partition(":")
            if room == "intent":
                intent_id = intent_of(rest)
                touched.add(intent_id)
                self._ordinals.setdefault(intent_id, len(self._ordinals))
        if len(world.assets) > named:
            # An asset has got a name, which older intents are told with too.
            touched.update(world.intents)
        for parent in [world.intents[intent_id].intent.parent for intent_id in touched]:
            if parent is not None:
                touched.add(parent.intent_id)  # it shows its slices
        return touched

    async def take(self, events: Sequence[Recorded]) -> ReadModelChange:
        """Folds events in and tells what they make of the answers."""
        touched = self.fold(events)
        queries = Queries(self._world, self._store, self._settings)
        documents: list[Document] = []
        for intent_id in sorted(touched, key=self._ordinals.__getitem__):
            documents += await self._told(queries, intent_id)
        portfolio = await queries.portfolio()
        documents.append(Document(PORTFOLIO, "", portfolio.model_dump_json().encode()))
        return ReadModelChange(events, documents)

    async def _told(self, queries: Queries, intent_id: IntentId) -> Sequence[Document]:
        view, key = await queries.intent(intent_id), str(intent_id)
        documents = [
            Document(
                INTENT,
                key,
                view.model_dump_json().encode(),
                self._ordinals[intent_id],
                # A child is shown with its parent.
                () if view.parent is not None else labels(view.status, view.strategy),
            )
        ]
        if view.parent is None:
            documents.append(Document(CLIENT, client_key(view.strategy, str(view.client_id)), key.encode()))
        try:
            plan = await queries.plan(intent_id)
        except NotFound:
            return documents
        return [*documents, Document(PLAN, key, plan.model_dump_json().encode())]

    def _entries(self, stream: str) -> _Entries:
        room, _, rest = stream.partition(":")
        if room == "account":
            lane = self._world.lanes.get(lane_key(rest))
            return {} if lane is None else lane.entries
        if room == "orders":
            orders = self._world.orders.get(order_key(rest))
            return {} if orders is None else orders.entries
        return {}


def labels(status: str, strategy: str) -> tuple[str, ...]:
    """The lists that an intent stands in: of all, and of each filter that can be asked for."""
    return (ALL, f"status={status}", f"strategy={strategy}", f"status={status}&strategy={strategy}")


def label(status: str | None, strategy: str | None) -> str:
    """The list that answers a filter."""
    asked = [("status", status), ("strategy", strategy)]
    return "&".join(f"{name}={value}" for name, value in asked if value is not None) or ALL


def client_key(strategy: str, client_id: str) -> str:
    """The key of an id that an intent's author has chosen."""
    return f"{strategy}/{client_id}"


def _changed(before: _Entries, after: _Entries) -> set[IntentId]:
    """Whose nonces or orders are new, changed or forgotten."""
    if before is after:
        return set()
    keys = [key for key in before.keys() | after.keys() if before.get(key) is not after.get(key)]
    differing = [before.get(key) or after[key] for key in keys]
    return {one.intent_id for one in differing if one.intent_id is not None}
