"""What the HTTP interface needs of the kernel."""

from collections.abc import Sequence
from typing import Literal, Protocol
from uuid import UUID

from sep_hooks.store import EventStore

from sep_core.runtime.draining import Drain
from sep_core.runtime.quote_body import QuoteBody
from sep_core.runtime.submission import Submission
from sep_core.runtime.views import (
    AccountView,
    BreakersView,
    ChainView,
    DrainView,
    DryRunView,
    EventPage,
    EventView,
    ExplanationView,
    HealthView,
    IntentPage,
    IntentView,
    LimitsView,
    PlanView,
    PluginView,
    PortfolioView,
    ReceiptView,
    VenueView,
)


class QueriesPort(Protocol):
    """Questions to one state of the world, the present one or a past one. Raise `SepError` of code `not_found`."""

    async def intents(
        self, *, status: str | None, strategy: str | None, cursor: str | None, limit: int
    ) -> IntentPage:
        """A page of intents, newest first."""
        ...

    async def intent(self, intent_id: UUID) -> IntentView:
        """Where an intent stands."""
        ...

    async def by_client_id(self, strategy: str, client_id: UUID) -> IntentView:
        """The intent that a strategy (its name or id) sent under an id of its own."""
        ...

    async def plan(self, intent_id: UUID) -> PlanView:
        """The last plan of an intent."""
        ...

    async def explain(self, intent_id: UUID) -> ExplanationView:
        """Why an intent went as it did."""
        ...

    async def receipt(self, intent_id: UUID) -> ReceiptView:
        """The acceptance with its proof."""
        ...

    async def events(self, *, after: int, limit: int, stream: str | None, types: Sequence[str]) -> EventPage:
        """Events behind a position; `stream` is a stream's name or the beginning of names."""
        ...

    async def event(self, position: int) -> EventView:
        """One event."""
        ...

    async def portfolio(self) -> PortfolioView:
        """All balances."""
        ...

    async def breakers(self) -> BreakersView:
        """The open breakers, and the worth of what they guard."""
        ...

    async def accounts(self) -> list[AccountView]:
        """All accounts on chains."""
        ...


class PastPort(QueriesPort, Protocol):
    """What the log says besides, of a time that is past."""

    def chains(self) -> list[ChainView]:
        """The chains as the last start had found them."""
        ...

    def venues(self) -> list[VenueView]:
        """The venues with their standing."""
        ...

    def venue(self, name: str) -> VenueView:
        """One venue with its standing."""
        ...

    def plugins(self) -> list[PluginView]:
        """The plugins and how far they had come."""
        ...

    def limits(self) -> LimitsView:
        """The bounds in force."""
        ...


class ReaderPort(Protocol):
    """Whoever answers questions about the log: the engine, or a replica."""

    @property
    def store(self) -> EventStore:
        """The log."""
        ...

    @property
    def version(self) -> str:
        """The release."""
        ...

    async def queries(self, as_of: str | None = None) -> QueriesPort:
        """The present state, or that of a position or an RFC 3339 moment."""
        ...


class KernelPort(ReaderPort, Protocol):
    """The running engine."""

    async def queries(self, as_of: str | None = None) -> PastPort:
        """The present state, or that of a position or an RFC 3339 moment."""
        ...

    @property
    def drain(self) -> Drain:
        """Whether the engine is to end when nothing is open."""
        ...

    async def submit(
        self, submission: Submission, *, source: Literal["api", "command_line"], request: bytes
    ) -> ReceiptView:
        """Takes an intent durably. Raises `RequestRefused` or another `SepError`; then nothing was recorded."""
        ...

    async def dry_run(self, submission: Submission) -> DryRunView:
        """What would happen; nothing is recorded."""
        ...

    async def quote(self, body: QuoteBody) -> bytes:
        """A priced route on the present market states, as JSON (`QuoteView`); nothing is recorded. Raises
        `QuoteRefused`, `NoRoute`.
        """
        ...

    async def cancel(self, intent_id: UUID, by: str) -> IntentView:
        """Asks that an intent be ended; the answer says who won."""
        ...

    async def wait_until_ended(self, intent_id: UUID, timeout_seconds: float) -> IntentView:
        """Where an intent stands when it has ended, or when the time is over."""
        ...

    def chains(self) -> list[ChainView]:
        """The chains as seen now."""
        ...

    def venues(self) -> list[VenueView]:
        """The venues as seen now."""
        ...

    def venue(self, name: str) -> VenueView:
        """One venue as seen now."""
        ...

    async def disable_venue(self, name: str, reason: str, by: str) -> VenueView:
        """Keeps a venue out of plans, durably."""
        ...

    async def enable_venue(self, name: str, reason: str, by: str) -> VenueView:
        """Lets plans use a venue again, durably."""
        ...

    async def close_breaker(self, name: str, reason: str, by: str) -> BreakersView:
        """Closes an open breaker. Raises `NotFound`."""
        ...

    async def release_account(self, name: str, reason: str, by: str) -> AccountView:
        """Lets a frozen account sign again, durably."""
        ...

    def plugins(self) -> list[PluginView]:
        """The plugins and how far they came."""
        ...

    def health(self) -> HealthView:
        """How the engine is."""
        ...

    def end_when_idle(self) -> DrainView:
        """Takes in no new intents from here on, and ends when none is open."""
        ...

    def limits(self) -> LimitsView:
        """The bounds in force."""
        ...
