"""What one callback is handed; of no use after it has ended."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from types import MappingProxyType
from uuid import UUID

from sep_hooks.context import Log
from sep_hooks.errors import Permanent
from sep_hooks.strategy import Accepted, PortfolioView, Refused
from sep_hooks.types import Amount, Asset, AssetId, IntentDraft, IntentId, IntentStatus

from sep_core.strategies.identity import client_id, seeded_random
from sep_core.strategies.ports import StrategyDesk
from sep_core.strategies.spec import InstanceSpec


class ContextClosed(Permanent):
    """A context was used after its callback had ended."""

    code = "strategy_context_closed"


class Holdings:
    """The instance's own ledger."""

    def __init__(self, desk: StrategyDesk, instance: str) -> None:
        self._desk = desk
        self._instance = instance

    def free(self, asset: AssetId) -> Amount:
        """What may be spent now."""
        return self._desk.free(self._instance, asset)

    def total(self, asset: AssetId) -> Amount:
        """All that is owned."""
        return self._desk.total(self._instance, asset)


class CallbackContext:
    """Collects what one callback wants; answers everything from memory."""

    def __init__(
        self,
        spec: InstanceSpec,
        desk: StrategyDesk,
        trigger: str,
        now: datetime,
        seed: int,
        timers: Mapping[str, datetime],
        *,
        ending: bool = False,
    ) -> None:
        self._spec = spec
        self._desk = desk
        self._trigger = trigger
        self._now = now
        self._random = seeded_random(seed, spec.instance, trigger)
        self._ending = ending
        self._open = True
        self._ordinal = 0
        self._accepted: dict[IntentId, IntentStatus] = {}
        self.submissions: list[tuple[IntentDraft, UUID]] = []
        self.cancels: list[IntentId] = []
        self.timers = dict(timers)

    @property
    def now(self) -> datetime:
        """The arrival time of the trigger."""
        return self._now

    @property
    def random(self) -> Random:
        """Seeded by run, instance and trigger."""
        return self._random

    @property
    def log(self) -> Log:
        """Messages for people."""
        return self._spec.log

    @property
    def portfolio(self) -> PortfolioView:
        """The instance's own holdings."""
        return Holdings(self._desk, self._spec.instance)

    @property
    def open_intents(self) -> Mapping[IntentId, IntentStatus]:
        """Own intents that have not ended, those of this callback included."""
        known = dict(self._desk.open_intents(self._spec.instance))
        return MappingProxyType(self._accepted | known)

    def asset(self, symbol: str) -> Asset:
        """The asset that the configuration calls so."""
        return self._desk.asset(symbol)

    def submit(self, draft: IntentDraft) -> Accepted | Refused:
        """Submits an intent; every call counts, so that a repeat gives the same ids whatever was refused."""
        self._check_open()
        self._ordinal += 1
        if self._ending:
            return Refused("stopping", "the strategy is stopping and can submit nothing more")
        own = client_id(self._spec.strategy_id, self._trigger, self._ordinal)
        answer = self._desk.consider(self._spec.instance, draft, own)
        if isinstance(answer, Accepted):
            self.submissions.append((draft, own))
            self._accepted[answer.intent_id] = IntentStatus.ACCEPTED
        return answer

    def cancel(self, intent_id: IntentId) -> None:
        """Asks for cancellation of an own intent; another's is left alone."""
        self._check_open()
        own = intent_id in self._accepted or self._desk.strategy_of(intent_id) == self._spec.instance
        if own and intent_id not in self.cancels:
            self.cancels.append(intent_id)

    def timer(self, name: str, after: timedelta) -> None:
        """Sets a timer, replacing one of the same name."""
        self._check_open()
        self.timers[name] = self._now + after

    def close(self) -> None:
        """The callback has ended."""
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise ContextClosed(
                f"a context of {self._spec.instance} was used after its callback had ended; nothing was submitted"
            )
