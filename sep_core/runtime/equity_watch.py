"""Measures what is held, by the clock and by blocks, and opens and closes breakers by what rules say of it.

It depends on no strategy and on no trade: what hangs, sleeps or never sells is measured like everything else.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import anyio
from sep_hooks.context import Log
from sep_hooks.errors import Retryable
from sep_hooks.store import IdConflict, StoreBusy, WrongExpectedVersion
from sep_hooks.types import Asset, AssetId, IntentType, Need, chain_id_of, chain_of, erc20, native_asset

from sep_core.events.facts import BreakerClosed, BreakerOpened
from sep_core.events.registry import Fact
from sep_core.events.scopes import GLOBAL, scope_of
from sep_core.events.streams import RISK_BREAKERS, equity_stream
from sep_core.execution import LaneKey
from sep_core.execution.asking import ChainSilent
from sep_core.execution.worker import LaneWorker
from sep_core.intents import IntentState
from sep_core.portfolio import Owned, Unmeasured, equity_of, is_news, mark, owned_by
from sep_core.risk import WatchFailed, Watchkeeping, reduces
from sep_core.runtime.asset_book import NATIVE_DECIMALS
from sep_core.runtime.commands import CancelIntent, RecordFacts
from sep_core.runtime.desk import Commit, Desk
from sep_core.runtime.flow import Composition
from sep_core.runtime.installation import Installation
from sep_core.runtime.worth import Worth

LOOK_SECONDS: Final = 1.0

type Silence = Callable[[str], str]
"""Why a chain, by its name, is not followed now; empty where it is."""


class EquityWatch:
    """Works where a rule needs `EQUITY`. `wake` is called when lanes may go on that waited for a first look."""

    def __init__(
        self,
        desk: Desk,
        composition: Composition,
        installation: Installation,
        worth: Worth,
        workers: Mapping[LaneKey, LaneWorker],
        silence: Silence,
        wake: Callable[[], None],
        log: Log,
    ) -> None:
        self._desk = desk
        self._composition = composition
        self._installation = installation
        self._worth = worth
        self._workers = workers
        self._silence = silence
        self._wake = wake
        self._log = log
        self._keeping = Watchkeeping()
        self._highs: dict[str, int] = {}
        self._halting: set[str] = {name for name, one in desk.world.breakers.items() if one.latched}
        self._commits: deque[tuple[Commit, int]] = deque()
        self._epoch = self._told = 0
        self._running = False
        self._opened = anyio.Event()

    @property
    def works(self) -> bool:
        """Whether any rule watches."""
        return Need.EQUITY in self._composition.engine.needs and self._composition.numeraire is not None

    def block(self) -> None:
        """Markets moved."""
        if self._running:
            self.look()

    async def run(self) -> None:
        """Looks again and again: prices move by themselves, and a chain that falls silent tells nobody."""
        self._running = True
        while self.works:
            self.look()
            await anyio.sleep(LOOK_SECONDS)  # sep-ok: nothing happens meanwhile

    def look(self) -> None:
        """Measures every scope, and records what opens, closes or is news."""
        if not self.works:
            return
        facts: list[tuple[str, Fact]] = []
        blind: set[str] = set()
        for scope, owned in owned_by(self._desk.world.ledger, self._known).items():
            try:
                facts += self._measured(scope, owned)
            except (Unmeasured, WatchFailed) as error:
                now = self._composition.clock.now()
                found = [*self._keeping.missed(self._desk.world.breakers, scope, str(error), now)]
                facts += [(RISK_BREAKERS, one) for one in found]
                if not (found or self._keeping.is_blind(self._desk.world.breakers, scope)):
                    blind.add(scope)
        if facts:
            try:
                commit = self._desk.decide(RecordFacts(tuple(facts)))
            except StoreBusy:
                return  # recorded at the next look
            self._note(commit)
        self._seen(blind)

    async def act(self) -> None:
        """Carries out what breakers that opened want: signers hear of it, and what a halt leaves no room for ends."""
        while True:
            self._opened = anyio.Event()
            left = await self._carry_out()
            with anyio.move_on_after(LOOK_SECONDS if left else math.inf):
                await self._opened.wait()

    def _measured(self, scope: str, owned: Owned) -> Iterable[tuple[str, Fact]]:
        world, numeraire = self._desk.world, self._composition.numeraire
        assert numeraire is not None
        now, state = self._composition.clock.now(), world.equity.get(scope)
        found = mark(state, scope, owned, self._value, numeraire, now, self._highs.get(scope, 0))
        if found is None:
            return ()
        self._highs[scope] = found.high
        readings = self._composition.engine.gauges(equity_of(state, found))
        changed = [
            *self._keeping.measured(world.breakers, scope, now),
            *self._keeping.judged(world.breakers, readings, now),
        ]
        facts: list[tuple[str, Fact]] = [(RISK_BREAKERS, one) for one in changed]
        if changed or is_news(state, found):
            facts.append((equity_stream(scope), found))
        return facts

    def _note(self, commit: Commit) -> None:
        for one in commit.decided:
            if isinstance(one.fact, BreakerOpened):
                self._log.warning("breaker.opened", breaker=one.fact.breaker, reason=one.fact.reason)
            elif isinstance(one.fact, BreakerClosed):
                self._log.info("breaker.closed", breaker=one.fact.breaker, reason=one.fact.reason)
        if any(isinstance(one.fact, BreakerOpened) for one in commit.decided):
            self._commits.append((commit, self._desk.world.breaker_epoch))
            self._opened.set()

    def _seen(self, blind: set[str]) -> None:
        unseen = self._composition.unseen
        if unseen and unseen != blind:
            unseen &= blind
            self._wake()

    async def _carry_out(self) -> bool:
        """Whether something is left to do."""
        while self._commits:
            commit, epoch = self._commits[0]
            try:
                await commit.durable()  # sep-ok: the store crosses around its commit
            except (WrongExpectedVersion, IdConflict):
                pass  # the log is read again, and what is to open opens at the next look
            else:
                # Of what never came into the log nobody may hear: it would be counted again.
                self._epoch = epoch
                self._halting |= {
                    one.fact.breaker
                    for one in commit.decided
                    if isinstance(one.fact, BreakerOpened) and one.fact.latched
                }
            self._commits.popleft()
        for name in tuple(self._halting):
            try:
                await self._end(name)
            except Retryable as error:
                self._log.warning("breaker.not_carried_out", breaker=name, reason=error.message)
            else:
                self._halting.discard(name)
        return bool(self._halting) or not await self._all_told()

    async def _all_told(self) -> bool:
        """Tells every signer how often breakers have opened or closed; one that is silent holds up no other."""
        epoch, silent = self._epoch, []

        async def tell(worker: LaneWorker) -> None:
            try:
                await worker.tell_breakers(epoch)
            except ChainSilent as error:
                self._log.warning("breaker.signer_not_told", reason=error.message)
                silent.append(worker)

        if self._told < epoch:
            async with anyio.create_task_group() as group:
                for worker in self._workers.values():
                    group.start_soon(tell, worker)
        if not silent:
            self._told = epoch
        return not silent

    async def _end(self, name: str) -> None:
        """Asks for the end of what is open in the scope of a halt and would not lower its risk."""
        opened = self._desk.world.breakers.get(name)
        if opened is None:
            return
        for state in tuple(self._desk.world.open_intents()):
            if self._concerns(opened, state) and self._must_end(state):
                await self._desk.record(CancelIntent(state.id, f"breaker {name}"))

    def _concerns(self, opened: BreakerOpened, state: IntentState) -> bool:
        if self._composition.gone(state.intent) is not None:
            return False
        return opened.scope in (GLOBAL, scope_of(self._composition.owner(state.intent.account).strategy))

    def _must_end(self, state: IntentState) -> bool:
        """What has neither plan nor slices yet is refused when it is planned, by the breaker's own name."""
        if state.slices is not None:
            return state.intent.type is not IntentType.DISPOSE
        return state.plan is not None and not reduces(state.plan, self._composition.numeraire)

    def _known(self, asset: AssetId) -> bool:
        part = self._installation.part_of(chain_of(asset))
        if part is None:
            return False
        native = native_asset(part.preset.chain_id)
        return asset == native or self._installation.known_asset(asset) is not None

    def _value(self, asset_id: AssetId, quantity: int) -> int | None:
        part = self._installation.part_of(chain_of(asset_id))
        if part is None:
            return None
        silence = self._silence(part.name)
        if silence:
            raise Unmeasured(f"chain {part.name} is not followed: {silence}")
        asset = self._installation.known_asset(asset_id)
        if asset is None:
            wrapped = part.preset.wrapped_native
            if not wrapped or asset_id != native_asset(part.preset.chain_id):
                return None  # a token that has left the configuration is worth what nobody knows
            # The chain's own coin trades as its wrapper, one for one.
            asset = Asset(erc20(chain_id_of(part.ref), wrapped), "", NATIVE_DECIMALS)
        return self._worth.value(asset, quantity)
