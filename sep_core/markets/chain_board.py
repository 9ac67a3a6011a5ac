"""The markets of one chain, kept by its logs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeIs

from sep_hooks.errors import NeedTicks, PluginError, Retryable
from sep_hooks.types import (
    Block,
    BlockLogs,
    ChainLog,
    ChainRef,
    ChainUpdate,
    ConcentratedLiquidityState,
    DecodedLog,
    LeftOut,
    Market,
    MarketId,
    MarketState,
    SnapshotRef,
)

from .board_venue import BoardVenue, WidensStates
from .guard import PluginGuard
from .journal import UndoJournal
from .native import network_of
from .snapshot import Snapshot
from .sound import is_market, is_state, market_trouble, shortened, state_trouble

DISCOVERY_TIMEOUT_SECONDS = 60.0
READ_TIMEOUT_SECONDS = 30.0
SAMPLE_TIMEOUT_SECONDS = 5.0
LONGEST_PAUSE_UPDATES = 64


@dataclass(frozen=True, slots=True)
class _View:
    """What is known at one block; replaced as a whole, so that readers never see half of a change."""

    block: Block
    sequence: int
    states: Mapping[MarketId, MarketState]


@dataclass(slots=True)
class _Absence:
    """Why a market has no state, how often reading failed, and the update from which it is tried again."""

    reason: str
    failures: int
    again_at: int


class ChainBoard:
    """All venues of one chain. Writers take turns; `snapshot` may be called at any time."""

    def __init__(
        self, chain: ChainRef, venues: Sequence[BoardVenue], guard: PluginGuard, stale_after_seconds: float
    ) -> None:
        self.chain = chain
        self._venues = {venue.instance: venue for venue in venues}
        self._guard = guard
        self._stale_after_seconds = stale_after_seconds
        self._turn = asyncio.Lock()
        self._journal = UndoJournal()
        self._markets: dict[MarketId, Market] = {}
        self._by_address: dict[str, MarketId] = {}
        self._by_emitter: dict[str, dict[str, set[MarketId]]] = {}
        self._refused: dict[str, str] = {}
        self._aside: dict[str, str] = {}
        self._absent: dict[MarketId, _Absence] = {}
        self._read_at: dict[MarketId, int] = {}
        self._view: _View | None = None
        self._snapshot: Snapshot | None = None

    @property
    def markets(self) -> Mapping[MarketId, Market]:
        """The markets discovered last."""
        return self._markets

    @property
    def block(self) -> Block | None:
        """The block that the states belong to."""
        return self._view.block if self._view else None

    async def discover(self) -> None:
        """Asks every venue for its markets. One that fails is left out until the next time."""
        async with self._turn:
            self._markets, self._by_address, self._by_emitter, self._refused = {}, {}, {}, {}
            calls = {name: _lister(venue) for name, venue in self._venues.items()}
            found = await self._each(calls, "markets", is_market)
            for name, answer in found.items():
                if isinstance(answer, str):
                    self._refused[name] = answer
                    continue
                for market in answer:
                    self._admit(name, market)
            self._snapshot = None

    async def load(self, block: Block, sequence: int) -> None:
        """Reads every state afresh at a block; `sequence` is that of the update or gap which led there."""
        async with self._turn:
            await self._load(block, sequence)

    async def apply(self, update: ChainUpdate) -> None:
        """Moves on with the chain. Where logs cannot tell, states are read again at the new head."""
        async with self._turn:
            view = self._view
            if view is None or update.sequence != view.sequence + 1:
                await self._load(update.head, update.sequence)
                return
            states = dict(view.states)
            unread = {market for market in self._markets if market not in states}
            if not self._undo(update.removed, states, unread):
                await self._load(update.head, update.sequence)
                return
            for added in update.added:
                await self._join(added, states, unread)
            unread |= self._aged(states, update.head)
            await self._read(unread, states, update.head, update.sequence)
            self._show(_View(update.head, update.sequence, states))

    async def widen(self, markets: Sequence[MarketId]) -> None:
        """Loads more of these markets at the board's own block. Raises `VenueError` where a venue cannot."""
        async with self._turn:
            view = self._view
            if view is None:
                return
            for name, venue in self._venues.items():
                wanted = [
                    replace(view.states[market], block=view.block.ref)
                    for market in markets
                    if market in view.states and self._owner(market) == name
                ]
                adapter = venue.adapter
                if not wanted or not isinstance(adapter, WidensStates):
                    continue
                call = _widener(adapter, wanted, view.block)
                answer = await self._guard.call(name, "widen", call, READ_TIMEOUT_SECONDS)
                asked = {state.market for state in wanted}
                wider = [
                    state
                    for state in _checked(name, "widen", answer, is_state)
                    if state.market in asked and not self._strange(name, state, view.block)
                ]
                states = {**view.states, **{state.market: state for state in wider}}
                self._journal.read_afresh(view.block, [state.market for state in wider])
                view = replace(view, states=states)
            self._show(view)

    def set_aside(self, instance: str, reason: str) -> None:
        """Leaves a venue's markets out of snapshots from now on; an empty reason takes them in again.

        Its states are kept on all the while: what it answers is how it proves itself.
        """
        if self._aside.get(instance, "") != reason:
            self._aside.pop(instance, None)
            if reason:
                self._aside[instance] = reason
            self._snapshot = None

    def snapshot(self, head_timestamp: int | None = None) -> Snapshot:
        """What is usable now. With the chain's time, states that lie too far behind it are left out.

        Raises `Retryable` before the first load.
        """
        view = self._view
        if view is None:
            raise Retryable(
                f"the markets of {self.chain} are not loaded yet", next_step="wait for the first block"
            )
        if head_timestamp is not None and head_timestamp - view.block.timestamp > self._stale_after_seconds:
            return self._built(replace(view, states={}), head_timestamp - view.block.timestamp)
        if self._snapshot is None:
            self._snapshot = self._built(view, 0)
        return self._snapshot

    def _built(self, view: _View, late_seconds: int) -> Snapshot:
        states = {
            market: replace(state, block=view.block.ref)
            for market, state in view.states.items()
            if market in self._markets and self._markets[market].venue not in self._aside
        }
        network, unusable = network_of((self._markets[market], state) for market, state in states.items())
        for entry in unusable:
            del states[MarketId(entry.name)]
        networks = {
            name: network_of(
                (self._markets[market], state)
                for market, state in states.items()
                if self._markets[market].venue == name
            )[0]
            for name in self._venues
        }
        late = [
            LeftOut(name, f"its states are {late_seconds} s older than the chain's head")
            for name in (self._venues if late_seconds else ())
        ]
        return Snapshot(
            ref=SnapshotRef(network.digest().hex(), view.block.ref, view.block.timestamp, len(states)),
            block=view.block,
            network=network,
            networks=networks,
            markets={market: self._markets[market] for market in states},
            states=states,
            left_out=(*late, *self._left_out(), *unusable),
        )

    def _left_out(self) -> Sequence[LeftOut]:
        return [
            *(LeftOut(name, reason) for name, reason in self._aside.items()),
            *(LeftOut(name, reason) for name, reason in self._refused.items()),
            *(LeftOut(market, absence.reason) for market, absence in self._absent.items()),
        ]

    def _admit(self, instance: str, market: Market) -> None:
        """Takes a market in, once for each contract: two venues on one pool would count its liquidity twice."""
        other = None if market.address is None else self._by_address.get(market.address)
        trouble = market_trouble(market)
        if trouble:
            self._refused[shortened(f"{instance}: {market.id}")] = trouble
        elif market.id in self._markets:
            self._refused[f"{instance}: {market.id}"] = "another market has the same id"
        elif market.venue != instance or market.chain != self.chain:
            self._refused[market.id] = f"venue {instance} listed a market of {market.venue} on {market.chain}"
        elif other is not None:
            self._refused[market.id] = f"the same contract as {other}"
        else:
            self._markets[market.id] = market
            if market.address is not None:
                self._by_address[market.address] = market.id
            for emitter in market.emitters:
                self._by_emitter.setdefault(emitter, {}).setdefault(instance, set()).add(market.id)

    def _aged(self, states: Mapping[MarketId, MarketState], head: Block) -> set[MarketId]:
        """The markets whose states no log keeps and that are old enough to be read again."""
        aged = set()
        for market in states:
            every = self._venues[self._markets[market].venue].refresh_blocks
            if every is not None and head.number - self._read_at.get(market, 0) >= every:
                aged.add(market)
        return aged

    def _concerned(self, log: ChainLog) -> Mapping[str, set[MarketId]]:
        """The markets that a log may tell of, by venue: the one at its address, or those that share its emitter."""
        market = self._by_address.get(log.address)
        if market is not None:
            return {self._markets[market].venue: {market}}
        return self._by_emitter.get(log.address, {})

    def _owner(self, market: MarketId) -> str | None:
        """The venue that listed a market."""
        known = self._markets.get(market)
        return None if known is None else known.venue

    def _strange(self, name: str, state: MarketState, block: Block) -> str:
        """Why a venue's state is none of its markets at this block; empty where it is one."""
        market = self._markets.get(state.market)
        if market is None or market.venue != name or state.block != block.ref:
            return "the venue answered for another market or block"
        return state_trouble(market, state)

    async def _load(self, block: Block, sequence: int) -> None:
        self._journal.clear()
        self._absent.clear()
        states: dict[MarketId, MarketState] = {}
        await self._read(set(self._markets), states, block, sequence)
        self._show(_View(block, sequence, states))

    def _undo(
        self, removed: Sequence[Block], states: dict[MarketId, MarketState], unread: set[MarketId]
    ) -> bool:
        """Takes blocks back, newest first. False where the journal does not reach so far."""
        for block in removed:
            before = self._journal.take(block)
            if before is None:
                return False
            for market, state in before.items():
                if state is None:
                    states.pop(market, None)
                    unread.add(market)
                else:
                    states[market] = state
                    unread.discard(market)
        return True

    async def _join(
        self, added: BlockLogs, states: dict[MarketId, MarketState], unread: set[MarketId]
    ) -> None:
        """Applies one block's logs; a market whose logs cannot be applied is to be read again."""
        self._journal.open(added.block)
        logs_of: dict[str, list[ChainLog]] = {}
        touched: dict[str, set[MarketId]] = {}
        for log in added.logs:
            for name, markets in self._concerned(log).items():
                known = {market for market in markets if market in states and market not in unread}
                if known:
                    logs_of.setdefault(name, []).append(log)
                    touched.setdefault(name, set()).update(known)
        for name, logs in logs_of.items():
            before = {market: states[market] for market in sorted(touched[name])}
            decoded = self._venues[name].decoder.decode(logs)
            fold = _folder(
                self._venues[name],
                before,
                decoded,
                self._by_address,
                partial(self._strange, name),
                added.block,
            )
            after: Mapping[MarketId, MarketState | None]
            try:
                after = await self._guard.call(name, "apply", fold, READ_TIMEOUT_SECONDS)
            except Exception:  # whatever a plugin raises here, the chain can be asked
                after = dict.fromkeys(before)
            for market, changed in after.items():
                self._journal.remember(added.block, market, before[market])
                if changed is None or _left_its_ticks(changed):
                    unread.add(market)
                else:
                    states[market] = changed

    async def _read(
        self,
        wanted: set[MarketId],
        states: dict[MarketId, MarketState],
        block: Block,
        sequence: int,
    ) -> None:
        """Reads states at a block. What cannot be read is absent, with the reason, and tried again later."""
        due = {market for market in wanted if not self._pauses(market, sequence)}
        for market in wanted:
            states.pop(market, None)
        by_venue: dict[str, list[Market]] = {}
        for market in sorted(due):
            by_venue.setdefault(self._markets[market].venue, []).append(self._markets[market])
        calls = {name: _reader(self._venues[name], markets, block) for name, markets in by_venue.items()}
        for name, answer in (await self._each(calls, "states", is_state)).items():
            reason = answer if isinstance(answer, str) else "the venue has no state for it"
            for state in () if isinstance(answer, str) else answer:
                strange = self._strange(name, state, block)
                if strange:
                    reason = strange
                elif state.market in due:
                    states[state.market] = state
                    self._read_at[state.market] = block.number
            for asked in by_venue[name]:
                if asked.id in states:
                    self._absent.pop(asked.id, None)
                else:
                    self._miss(asked.id, reason, sequence)
        self._journal.read_afresh(block, due)

    def _pauses(self, market: MarketId, sequence: int) -> bool:
        absence = self._absent.get(market)
        return absence is not None and sequence < absence.again_at

    def _miss(self, market: MarketId, reason: str, sequence: int) -> None:
        failures = self._absent[market].failures + 1 if market in self._absent else 1
        pause = min(2 ** (failures - 1), LONGEST_PAUSE_UPDATES)
        self._absent[market] = _Absence(reason, failures, sequence + pause)

    def _show(self, view: _View) -> None:
        self._view = view
        self._snapshot = None

    async def _each[T](
        self,
        calls: Mapping[str, Callable[[], Awaitable[Sequence[T]]]],
        method: str,
        right: Callable[[object], TypeIs[T]],
    ) -> Mapping[str, Sequence[T] | str]:
        """The answer of each venue's call, or the reason why there is none."""

        async def one(name: str, call: Callable[[], Awaitable[Sequence[T]]]) -> Sequence[T] | str:
            budget = DISCOVERY_TIMEOUT_SECONDS if method == "markets" else READ_TIMEOUT_SECONDS
            if method == "states" and self._venues[name].refresh_blocks is not None:
                budget = SAMPLE_TIMEOUT_SECONDS  # it is asked again soon, and the others wait for it
            try:
                return _checked(name, method, await self._guard.call(name, method, call, budget), right)
            except Exception as error:  # one venue's failure is its own
                return shortened(str(error)) or type(error).__name__

        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(one(name, call)) for name, call in calls.items()}
        return {name: task.result() for name, task in tasks.items()}


def _checked[T](name: str, method: str, answer: object, right: Callable[[object], TypeIs[T]]) -> Sequence[T]:
    """An answer of the declared kind. Raises `PluginError`: a plugin may answer anything."""
    if isinstance(answer, list | tuple) and all(right(item) for item in answer):
        return answer
    raise PluginError(
        f"{name}.{method} answered a {type(answer).__name__} that is not what it promises",
        plugin=name,
        stage=method,
        next_step="report it",
    )


def _folder(
    venue: BoardVenue,
    before: Mapping[MarketId, MarketState],
    logs: Sequence[DecodedLog],
    by_address: Mapping[str, MarketId],
    strange: Callable[[MarketState, Block], str],
    block: Block,
) -> Callable[[], Awaitable[Mapping[MarketId, MarketState | None]]]:
    """Folds logs into the states that they tell of; None where a market must be read again."""

    async def fold() -> Mapping[MarketId, MarketState | None]:
        after: dict[MarketId, MarketState | None] = {}
        for log in logs:
            market = by_address.get(log.log.address) or venue.adapter.market_of(log)
            if market is None or market not in before:
                continue
            state = after.setdefault(market, before[market])
            if state is None:
                continue
            try:
                after[market] = moved = venue.adapter.apply(state, log, block.ref)
            except NeedTicks:
                moved = after[market] = None
            if moved is None:
                continue
            (made,) = _checked(venue.instance, "apply", [moved], is_state)
            wrong = strange(made, block) if made.market == market else "it is the state of another market"
            if wrong:
                raise PluginError(
                    f"{venue.instance}.apply: {wrong}",
                    plugin=venue.instance,
                    stage="apply",
                    next_step="report it",
                )
        return after

    return fold


def _lister(venue: BoardVenue) -> Callable[[], Awaitable[Sequence[Market]]]:
    return venue.adapter.markets


def _reader(
    venue: BoardVenue, markets: Sequence[Market], block: Block
) -> Callable[[], Awaitable[Sequence[MarketState]]]:
    return lambda: venue.adapter.states(markets, block.ref)


def _widener(
    adapter: WidensStates, states: Sequence[MarketState], block: Block
) -> Callable[[], Awaitable[Sequence[MarketState]]]:
    return lambda: adapter.widen(states, block.ref)


def _left_its_ticks(state: MarketState) -> bool:
    """Whether the price left the range whose ticks are known."""
    return isinstance(state, ConcentratedLiquidityState) and not (
        state.loaded[0] <= state.tick <= state.loaded[1]
    )
