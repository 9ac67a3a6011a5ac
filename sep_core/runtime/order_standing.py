"""The manager of order venues: how each answers, whether plans use it, and what an operator says of it."""

from collections.abc import Callable

import anyio
from sep_hooks.store import StoreBusy

from sep_core.events.facts import VenueStandingChanged
from sep_core.events.facts.venue import VenueStanding
from sep_core.events.streams import venue_stream
from sep_core.markets.order_board import OrderBoard
from sep_core.runtime.commands import RecordFacts
from sep_core.runtime.desk import Commit, Desk
from sep_core.runtime.installation import Installation, OrderVenuePart
from sep_core.runtime.order_venues import KnownBooks
from sep_core.runtime.venue_calls import CallBook
from sep_core.runtime.views import LeftOutView, VenueCallsView, VenueView

LOOK_SECONDS = 1.0
STARTING_SECONDS = 15.0


class OrderVenueManager:
    """Looks at all order venues and records each change of standing; an operator's `disable` goes before all.

    What was sent to a venue is followed to its end whatever its standing. `changed` is called after an operator spoke.
    """

    def __init__(
        self,
        installation: Installation,
        board: OrderBoard,
        books: KnownBooks,
        desk: Desk,
        calls: CallBook,
        changed: Callable[[], None],
    ) -> None:
        self._changed = changed
        self._installation = installation
        self._board = board
        self._books = books
        self._desk = desk
        self._calls = calls

    def __contains__(self, venue: str) -> bool:
        return venue in self._installation.order_venues

    async def run(self) -> None:
        """Looks again and again, until cancelled; at the start it gives the books time to come."""
        with anyio.move_on_after(STARTING_SECONDS):
            for ready in self._board.ready.values():
                await ready.wait()
        while True:
            self.look()
            await anyio.sleep(LOOK_SECONDS)  # sep-ok: nothing happens meanwhile

    def look(self) -> None:
        """Records what has changed."""
        for part in self._installation.order_venues.values():
            known = self._desk.world.venues.get(part.instance)
            standing, reason = self._found(part)
            if known is not None and known.standing == "disabled":
                continue
            if standing != ("ok" if known is None else known.standing):
                try:
                    self._record(part, standing, reason, "engine")
                except StoreBusy:
                    continue  # recorded at the next look

    def why_not(self, venue: str) -> str:
        """Why plans do not use the venue now; empty where they do."""
        part = self._installation.order_venues.get(venue)
        if part is None:
            return "it takes no part in this run"
        known = self._desk.world.venues.get(venue)
        if known is not None and known.standing == "disabled":
            return f"an operator disabled it: {known.reason}"
        standing, reason = self._found(part)
        return "" if standing == "ok" else reason

    async def tell(self, venue: str, standing: VenueStanding, reason: str, by: str) -> VenueView:
        """What an operator says of a venue that is one of these: `disabled`, or `ok` again; durably."""
        part = self._installation.order_venues[venue]
        known = self._desk.world.venues.get(venue)
        disabled = known is not None and known.standing == "disabled"
        if disabled != (standing == "disabled"):
            await self._record(part, standing, reason, by).durable()  # sep-ok: the store crosses
            self.look()
            self._changed()
        return self.view(venue)

    def views(self) -> list[VenueView]:
        """All of them as seen now, those too that could not be made."""
        return [self.view(name) for name in self._installation.settings.order_venues]

    def view(self, venue: str) -> VenueView:
        """One of them as seen now."""
        said, part = (
            self._installation.settings.order_venues[venue],
            self._installation.order_venues.get(venue),
        )
        left_out = [LeftOutView(name=one.name, reason=one.reason) for one in self._books.left_out(venue)]
        known = self._desk.world.venues.get(venue)
        status, reason = self._shown(venue, part, left_out)
        if part is not None and known is not None and known.standing == "disabled":
            status, reason = "disabled", f"by {known.by}: {known.reason}"
        guard, calls = self._installation.guard, self._calls.of(venue)
        return VenueView(
            name=venue,
            implementation=said.use,
            chain=said.chain,
            status=status,
            reason=reason or None,
            markets=len(self._books.books(venue)),
            left_out=left_out,
            block=None,
            circuit="closed" if part is None else guard.circuit(part.plugin),
            faults=0 if part is None else guard.strikes(part.plugin),
            calls=VenueCallsView(
                answered=calls.answered,
                failed=calls.failed,
                median_microseconds=calls.median_microseconds,
                slowest_microseconds=calls.slowest_microseconds,
                last_answer=calls.last_answer,
                last_failure=calls.last_failure or None,
            ),
        )

    def _shown(self, venue: str, part: OrderVenuePart | None, left_out: list[LeftOutView]) -> tuple[str, str]:
        if part is None:
            told = [text for ref, text in self._installation.left_out.items() if ref.instance == venue]
            return "rejected", "; ".join(told) or "it could not be made"
        standing, reason = self._found(part)
        if standing != "ok":
            return standing, reason
        if left_out:
            return "degraded", "; ".join(one.reason for one in left_out[:3])
        return "ok", ""

    def _found(self, part: OrderVenuePart) -> tuple[VenueStanding, str]:
        guard = self._installation.guard
        if guard.consequence(part.plugin) is not None:
            return "circuit_open", f"it is not asked: {guard.reason(part.plugin)}"
        lost = self._board.lost(part.instance)
        if lost and not self._board.followed(part.instance):
            return "stale", "; ".join(f"{name}: {why}" for name, why in lost[:3])
        return "ok", ""

    def _record(self, part: OrderVenuePart, standing: VenueStanding, reason: str, by: str) -> Commit:
        fact = VenueStandingChanged(part.instance, standing, reason or "it answers", by)
        return self._desk.decide(RecordFacts(((venue_stream(part.instance), fact),)))
