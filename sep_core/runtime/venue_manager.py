"""Which venues plans use: told by operators, found out by calls, kept in the log."""

from collections.abc import Callable
from typing import Final

import anyio
from sep_hooks.errors import SepError
from sep_hooks.store import StoreBusy

from sep_core.events.facts import VenueStandingChanged
from sep_core.events.facts.venue import VenueStanding
from sep_core.events.streams import venue_stream
from sep_core.markets.board import MarketBoard
from sep_core.plugins.guard import Guard
from sep_core.runtime.commands import RecordFacts
from sep_core.runtime.desk import Commit, Desk
from sep_core.runtime.installation import Installation, VenuePart
from sep_core.runtime.queries import NotFound
from sep_core.runtime.venue_calls import CallBook
from sep_core.runtime.views import LeftOutView, VenueCallsView, VenueView

LOOK_SECONDS: Final = 1.0

type Silence = Callable[[str], str]
"""Why a chain, by its name, is not followed now; empty where it is."""


class VenueManager:
    """Looks at all venues, sets aside those that plans must not use, and records each change of standing.

    An operator's `disable` outlives the run and goes before everything that is found out.
    """

    def __init__(
        self, installation: Installation, board: MarketBoard, desk: Desk, calls: CallBook, silence: Silence
    ) -> None:
        self._installation = installation
        self._board = board
        self._desk = desk
        self._calls = calls
        self._silence = silence

    async def run(self) -> None:
        """Looks again and again: a chain that falls silent tells nobody."""
        while True:
            self.look()
            await anyio.sleep(LOOK_SECONDS)  # sep-ok: nothing happens meanwhile

    def look(self) -> None:
        """Sets aside and takes back what has changed, and records it."""
        for part in self._installation.venues.values():
            known = self._desk.world.venues.get(part.instance)
            standing, reason = self._found(part)
            if known is not None and known.standing == "disabled":
                standing, reason = known.standing, known.reason
            elif standing != ("ok" if known is None else known.standing):
                try:
                    self._record(part, standing, reason, "engine")
                except StoreBusy:
                    continue  # recorded at the next look
            self._set_aside(part, standing, reason)

    async def disable(self, venue: str, reason: str, by: str) -> VenueView:
        """Plans use the venue no more, durably; what was sent through it runs on. Raises `NotFound`."""
        return await self._tell(venue, "disabled", reason, by)

    async def enable(self, venue: str, reason: str, by: str) -> VenueView:
        """Plans use the venue again, durably, where it answers. Raises `NotFound`."""
        return await self._tell(venue, "ok", reason, by)

    def views(self) -> list[VenueView]:
        """All venues as seen now, those too that could not be made."""
        made = [self._view(part) for part in self._installation.venues.values()]
        return made + [self._absent(name) for name in self._installation.settings.venues if self._lacks(name)]

    def view(self, venue: str) -> VenueView:
        """One venue as seen now. Raises `NotFound`."""
        return self._view(self._part(venue))

    async def _tell(self, venue: str, standing: VenueStanding, reason: str, by: str) -> VenueView:
        part = self._part(venue)
        known = self._desk.world.venues.get(venue)
        disabled = known is not None and known.standing == "disabled"
        if disabled != (standing == "disabled"):
            commit = self._record(part, standing, reason, by)
            self._set_aside(part, standing, reason)
            await commit.durable()  # sep-ok: the store crosses around its commit
            self.look()
        return self._view(part)

    def _record(self, part: VenuePart, standing: VenueStanding, reason: str, by: str) -> Commit:
        fact = VenueStandingChanged(part.instance, standing, reason, by)
        return self._desk.decide(RecordFacts(((venue_stream(part.instance), fact),)))

    def _set_aside(self, part: VenuePart, standing: VenueStanding, reason: str) -> None:
        because = {"disabled": f"an operator disabled it: {reason}", "circuit_open": reason}.get(standing, "")
        self._board.set_aside(self._installation.chains[part.chain].ref, part.instance, because)

    def _found(self, part: VenuePart) -> tuple[VenueStanding, str]:
        guard: Guard = self._installation.guard
        consequence = guard.consequence(part.plugin)
        if consequence is not None:
            return "circuit_open", f"it is not asked: {guard.reason(part.plugin)}"
        silence = self._silence(part.chain)
        if silence:
            return "stale", f"chain {part.chain} is not followed: {silence}"
        return "ok", "it answers"

    def _part(self, venue: str) -> VenuePart:
        part = self._installation.venues.get(venue)
        if part is None:
            raise NotFound(f"no venue {venue!r} works in this engine", next_step="sep venue list")
        return part

    def _lacks(self, name: str) -> bool:
        return name not in self._installation.venues

    def _view(self, part: VenuePart) -> VenueView:
        chain = self._installation.chains[part.chain]
        known = self._desk.world.venues.get(part.instance)
        status, reason = self._found(part)
        shown: str = status
        if known is not None and known.standing == "disabled":
            shown, reason = "disabled", f"by {known.by}: {known.reason}"
        left_out: list[LeftOutView] = []
        markets = 0
        try:
            snapshot = self._board.snapshot(chain.ref)
        except SepError as error:
            if shown == "ok":
                shown, reason = "starting", error.message
        else:
            markets = sum(one.venue == part.instance for one in snapshot.markets.values())
            left_out = [
                LeftOutView(name=one.name, reason=one.reason)
                for one in snapshot.left_out
                if one.name.partition("/")[0].partition(":")[0] == part.instance
            ]
            if shown == "ok" and (left_out or not markets):
                some = "; ".join(one.reason for one in left_out[:3])
                shown, reason = "degraded", some or "it has no market"
        block = self._board.block(chain.ref)
        return VenueView(
            name=part.instance,
            implementation=part.use,
            chain=part.chain,
            status=shown,
            reason=None if shown == "ok" else reason,
            markets=markets,
            left_out=left_out,
            block=None if block is None else block.number,
            circuit=self._installation.guard.circuit(part.plugin),
            faults=self._installation.guard.strikes(part.plugin),
            calls=self._calls_of(part.instance),
        )

    def _calls_of(self, venue: str) -> VenueCallsView:
        calls = self._calls.of(venue)
        return VenueCallsView(
            answered=calls.answered,
            failed=calls.failed,
            median_microseconds=calls.median_microseconds,
            slowest_microseconds=calls.slowest_microseconds,
            last_answer=calls.last_answer,
            last_failure=calls.last_failure or None,
        )

    def _absent(self, name: str) -> VenueView:
        said = self._installation.settings.venues[name]
        reasons = [text for plugin, text in self._installation.left_out.items() if plugin.instance == name]
        return VenueView(
            name=name,
            implementation=said.use,
            chain=said.chain,
            status="rejected",
            reason="; ".join(reasons) or "it could not be made",
            markets=0,
            left_out=[],
            block=None,
            circuit="closed",
            faults=0,
            calls=self._calls_of(name),
        )
