"""The desk as strategies see it: answers from memory, effects after the commit."""

from collections.abc import Awaitable, Mapping
from uuid import UUID

from sep_hooks.context import Clock
from sep_hooks.errors import ConfigurationError
from sep_hooks.strategy import Accepted, Refused
from sep_hooks.types import Amount, Asset, AssetId, Intent, IntentDraft, IntentId, IntentStatus

from sep_core.events.facts import StrategyStarted, StrategyStopped
from sep_core.events.streams import strategy_stream
from sep_core.intents import intent_id
from sep_core.plugins.names import nearest
from sep_core.runtime.commands import RecordFacts, StopStrategy
from sep_core.runtime.desk import Desk
from sep_core.runtime.draft import draft_mistake
from sep_core.runtime.draining import Draining
from sep_core.runtime.flow import Composition
from sep_core.runtime.intake import Intake
from sep_core.runtime.submission import RequestRefused
from sep_core.strategies import Advance, StrategyLife


class KernelStrategyDesk:
    """Implements the host's `StrategyDesk` over the kernel's desk."""

    def __init__(
        self, desk: Desk, composition: Composition, intake: Intake, assets: Mapping[str, Asset], clock: Clock
    ) -> None:
        self._desk = desk
        self._composition = composition
        self._intake = intake
        self._assets = assets
        self._clock = clock

    def life(self, instance: str) -> StrategyLife | None:
        """Where the instance stands."""
        return self._desk.world.strategies.get(instance)

    def started(self, instance: str, fact: StrategyStarted) -> Awaitable[object]:
        """Records a start."""
        return self._desk.decide(RecordFacts(((strategy_stream(instance), fact),))).durable()

    def consider(self, instance: str, draft: IntentDraft, client_id: UUID) -> Accepted | Refused:
        """Whether an intent would be taken; an exact repeat of one that is known is accepted as it stands."""
        strategy_id = self._composition.strategy_ids[instance]
        id_ = intent_id(strategy_id, client_id, self._composition.rules.namespace)
        wrong = draft_mistake(draft)
        if wrong:
            return Refused("draft_not_valid", wrong)
        intent = Intent(
            id=id_,
            client_id=client_id,
            strategy=instance,
            account=self._composition.roster.strategies[instance],
            type=draft.type,
            assets=draft.assets,
            constraints=draft.constraints,
            deadline=draft.deadline,
        )
        try:
            self._intake.check(intent, self._desk.world, self._clock.now())
        except Draining as draining:
            return Refused(draining.code, draining.message)
        except RequestRefused as refused:
            first = refused.problems[0]
            return Refused(
                first.code, f"{first.pointer}: {first.message}" if first.pointer else first.message
            )
        return Accepted(id_)

    def advance(self, advance: Advance) -> Awaitable[object]:
        """Records a callback's outcome with the facts of its intents."""
        return self._desk.decide(advance).durable()

    def stopped(
        self, instance: str, fact: StrategyStopped, cancels: tuple[IntentId, ...]
    ) -> Awaitable[object]:
        """Records an end."""
        return self._desk.decide(StopStrategy(instance, fact, cancels)).durable()

    def strategy_of(self, intent_id: IntentId) -> str | None:
        """The instance that an intent belongs to."""
        state = self._desk.world.intents.get(intent_id)
        return None if state is None else state.intent.strategy

    def author_intent(self, intent_id: IntentId) -> IntentId:
        """The intent of the strategy's own that an intent is, or is a part of."""
        state = self._desk.world.intents.get(intent_id)
        link = None if state is None else state.intent.parent
        return intent_id if link is None else link.intent_id

    def open_intents(self, instance: str) -> Mapping[IntentId, IntentStatus]:
        """The instance's intents that have not ended."""
        return {
            state.id: state.status
            for state in self._desk.world.open_intents()
            if state.intent.strategy == instance and state.intent.parent is None
        }

    def free(self, instance: str, asset: AssetId) -> Amount:
        """What the instance may spend now."""
        owner = self._composition.owner(self._composition.roster.strategies[instance])
        world = self._desk.world
        held = world.book.held(owner.account, owner.strategy, asset)
        return Amount(world.ledger.free(owner.account, owner.strategy, asset, held))

    def total(self, instance: str, asset: AssetId) -> Amount:
        """All that the instance owns."""
        owner = self._composition.owner(self._composition.roster.strategies[instance])
        return Amount(max(0, self._desk.world.ledger.final(owner.account, owner.strategy, asset)))

    def asset(self, symbol: str) -> Asset:
        """The asset that the configuration calls so."""
        found = self._assets.get(symbol)
        if found is None:
            raise ConfigurationError(
                f"no asset is called {symbol!r}{nearest(symbol, self._assets)}",
                pointer=f"assets.{symbol}",
                next_step="add a table for it under [assets]",
            )
        return found
