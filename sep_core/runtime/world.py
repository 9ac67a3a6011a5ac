"""Everything that is known: the fold of the whole log, in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import lru_cache
from uuid import UUID

from sep_hooks.types import Asset, AssetId, BlockRef, ChainRef, IntentId, address, evm_chain

from sep_core.events.facts import (
    AccountOpened,
    AssetsAdopted,
    BreakerClosed,
    BreakerOpened,
    ChainConnected,
    ChainReorged,
    EquityMarked,
    HoldConverted,
    HoldPlaced,
    HoldReleased,
    IntentReceived,
    JournalPosted,
    KernelStarted,
    PluginActivated,
    PluginFaulted,
    PluginQuarantined,
    PluginRejected,
    PluginReleased,
    StrategyAdvanced,
    StrategyStarted,
    StrategyStopped,
    VenueStandingChanged,
)
from sep_core.events.registry import Fact
from sep_core.events.streams import RISK_BREAKERS
from sep_core.execution import LaneKey, LaneState, evolve_lane
from sep_core.execution.orders import OrderLane, OrderLaneKey, evolve_orders
from sep_core.intents import IntentState, evolve
from sep_core.portfolio import EquityState, Ledger, evolve_equity
from sep_core.risk import RiskBook, evolve_book, evolve_breakers
from sep_core.strategies import StrategyLife, evolve_strategy

ENGINE = "engine"
"""Who closes a breaker where no person does."""

type PluginFact = PluginActivated | PluginFaulted | PluginQuarantined | PluginRejected | PluginReleased


@dataclass(frozen=True, slots=True)
class Touched:
    """What a batch of facts changed, for those who perform effects."""

    intents: frozenset[IntentId]
    lanes: frozenset[LaneKey]
    orders: frozenset[OrderLaneKey] = frozenset()


@dataclass(slots=True)
class World:
    """The state of all boxes. It changes by `apply` alone, one fact after another, in the order of the log."""

    intents: dict[IntentId, IntentState] = field(default_factory=dict)
    by_client: dict[tuple[str, UUID], IntentId] = field(default_factory=dict)
    lanes: dict[LaneKey, LaneState] = field(default_factory=dict)
    lane_of_account: dict[str, LaneKey] = field(default_factory=dict)
    orders: dict[OrderLaneKey, OrderLane] = field(default_factory=dict)
    opened_assets: dict[LaneKey, frozenset[AssetId]] = field(default_factory=dict)
    book: RiskBook = field(default_factory=RiskBook)
    ledger: Ledger = field(default_factory=Ledger)
    equity: dict[str, EquityState] = field(default_factory=dict)
    breakers: dict[str, BreakerOpened] = field(default_factory=dict)
    strategies: dict[str, StrategyLife] = field(default_factory=dict)
    plugins: dict[str, list[PluginFact]] = field(default_factory=dict)
    venues: dict[str, VenueStandingChanged] = field(default_factory=dict)
    reorganisations: list[ChainReorged] = field(default_factory=list)
    genesis: dict[ChainRef, str] = field(default_factory=dict)
    finalized: dict[ChainRef, BlockRef] = field(default_factory=dict)
    connected: dict[ChainRef, ChainConnected] = field(default_factory=dict)
    runs: list[KernelStarted] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    assets: dict[AssetId, Asset] = field(default_factory=dict)
    position: int = 0
    _open: dict[IntentId, None] = field(default_factory=dict)

    def copy(self) -> "World":
        """All that is known now, which goes on apart: what never changes is shared."""
        parts = {one.name: getattr(self, one.name) for one in fields(self)}
        parts |= {name: dict(part) for name, part in parts.items() if isinstance(part, dict)}
        parts |= {name: list(part) for name, part in parts.items() if isinstance(part, list)}
        plugins = {name: list(facts) for name, facts in self.plugins.items()}
        parts |= {"plugins": plugins, "ledger": self.ledger.copy(), "book": self.book.copy()}
        return World(**parts)

    def version(self, stream: str) -> int:
        """The last version of a stream, 0 where it does not exist."""
        return self.versions.get(stream, 0)

    def apply(self, stream: str, fact: Fact) -> None:
        """Takes one fact in."""
        self.versions[stream] = self.versions.get(stream, 0) + 1
        self.position += 1
        room, _, rest = stream.partition(":")
        match room:
            case "intent":
                self._apply_intent(intent_of(rest), fact)
            case "account":
                self._apply_account(lane_key(rest), fact)
            case "orders":
                key = order_key(rest)
                self.orders[key] = evolve_orders(self.orders.get(key), fact)
            case "risk":
                if isinstance(fact, HoldPlaced | HoldConverted | HoldReleased):
                    self.book = evolve_book(self.book, fact)
                elif isinstance(fact, BreakerOpened | BreakerClosed):
                    evolve_breakers(self.breakers, fact)
                    if isinstance(fact, BreakerClosed) and fact.by != ENGINE:
                        # Whoever closed it has taken note of the loss: the next mark begins a new series.
                        self.equity.pop(fact.scope, None)
            case "equity":
                if isinstance(fact, EquityMarked):
                    self.equity[rest] = evolve_equity(self.equity.get(rest), fact)
            case "ledger":
                if isinstance(fact, JournalPosted):
                    self.ledger = self.ledger.apply(fact)
            case "strategy":
                if isinstance(fact, StrategyStarted | StrategyAdvanced | StrategyStopped):
                    self.strategies[rest] = evolve_strategy(self.strategies.get(rest), fact)
            case "plugin":
                if isinstance(
                    fact,
                    PluginActivated | PluginFaulted | PluginQuarantined | PluginRejected | PluginReleased,
                ):
                    self.plugins.setdefault(rest, []).append(fact)
            case "venue":
                if isinstance(fact, VenueStandingChanged):
                    self.venues[rest] = fact
            case "chain":
                if isinstance(fact, ChainReorged):
                    self.reorganisations.append(fact)
                elif isinstance(fact, ChainConnected):
                    self._apply_connected(fact)
            case "kernel":
                if isinstance(fact, KernelStarted):
                    self.runs.append(fact)

    @property
    def breaker_epoch(self) -> int:
        """How often a breaker has opened or closed."""
        return self.version(RISK_BREAKERS)

    def open_intents(self) -> Iterable[IntentState]:
        """Intents that have not ended."""
        return (self.intents[intent_id] for intent_id in self._open)

    @property
    def open_count(self) -> int:
        """How many intents have not ended."""
        return len(self._open)

    def lane(self, account: str) -> LaneState | None:
        """The lane of a configured account, None before it was opened."""
        key = self.lane_of_account.get(account)
        return None if key is None else self.lanes.get(key)

    def _apply_connected(self, fact: ChainConnected) -> None:
        self.connected[fact.chain] = fact
        if fact.genesis_hash:
            self.genesis.setdefault(fact.chain, fact.genesis_hash)
        known, found = self.finalized.get(fact.chain), fact.finalized
        if found is not None and (known is None or found.number > known.number):
            self.finalized[fact.chain] = found

    def _apply_intent(self, intent_id: IntentId, fact: Fact) -> None:
        state = evolve(self.intents.get(intent_id), fact)
        self.intents[intent_id] = state
        if state.status.terminal:
            self._open.pop(intent_id, None)
        else:
            self._open[intent_id] = None
        if isinstance(fact, IntentReceived):
            if fact.intent.parent is None:
                self.by_client[(fact.intent.strategy, fact.intent.client_id)] = intent_id
            for part in fact.intent.assets:
                self.assets.setdefault(part.asset.id, part.asset)

    def _apply_account(self, key: LaneKey, fact: Fact) -> None:
        self.lanes[key] = evolve_lane(self.lanes.get(key), fact)
        if isinstance(fact, AccountOpened):
            self.lane_of_account[fact.name] = key
        if isinstance(fact, AccountOpened | AssetsAdopted):
            known = self.opened_assets.get(key, frozenset())
            self.opened_assets[key] = known | {asset for asset, _ in fact.balances}


@lru_cache(maxsize=4096)
def intent_of(stream_rest: str) -> IntentId:
    """The intent that the rest of a stream's name stands for; the same text again costs no parsing."""
    return IntentId(UUID(stream_rest))


@lru_cache(maxsize=256)
def lane_key(stream_rest: str) -> LaneKey:
    """The lane that `<chain id>:<address>` names."""
    chain_id, _, text = stream_rest.partition(":")
    return LaneKey(evm_chain(int(chain_id)), address(text))


@lru_cache(maxsize=256)
def order_key(stream_rest: str) -> OrderLaneKey:
    """The orders that `<venue>:<account>` names."""
    venue, _, account = stream_rest.partition(":")
    return OrderLaneKey(venue, account)
