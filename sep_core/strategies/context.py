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

MOST_SUBMISSIONS = 64
MOST_CANCELS = 1024
MOST_TIMERS = 256
LONGEST_TIMER_NAME = 128


class ContextClosed(Permanent):
    """A context was used after its callback had ended."""

    code = "strategy_context_closed"


class OutcomeTooLarge(Permanent):
    """A callback wants more than one outcome may hold; nothing of it was recorded."""

    code = "strategy_outcome_too_large"


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
        self._cancelled: set[IntentId] = set()
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
        if len(self.submissions) >= MOST_SUBMISSIONS:
            return Refused("too_many_submissions", f"one callback submits at most {MOST_SUBMISSIONS} intents")
        own = client_id(self._spec.strategy_id, self._trigger, self._ordinal)
        answer = self._desk.consider(self._spec.instance, draft, own)
        if isinstance(answer, Accepted):
            self.submissions.append((draft, own))
            self._accepted[answer.intent_id] = IntentStatus.ACCEPTED
        return answer

    def cancel(self, intent_id: IntentId) -> None:
        """Asks for cancellation of an own intent; another's is left alone. Raises `OutcomeTooLarge`."""
        self._check_open()
        own = intent_id in self._accepted or self._desk.strategy_of(intent_id) == self._spec.instance
        if own and intent_id not in self._cancelled:
            if len(self.cancels) >= MOST_CANCELS:
                raise OutcomeTooLarge(f"one callback cancels at most {MOST_CANCELS} intents")
            self._cancelled.add(intent_id)
            self.cancels.append(intent_id)

    def timer(self, name: str, after: timedelta) -> None:
        """Sets a timer, replacing one of the same name. Raises `OutcomeTooLarge`."""
        self._check_open()
        if not name.isprintable() or len(name) > LONGEST_TIMER_NAME:
            raise OutcomeTooLarge(f"the name of a timer is up to {LONGEST_TIMER_NAME} printable characters")
        if name not in self.timers and len(self.timers) >= MOST_TIMERS:
            raise OutcomeTooLarge(f"{MOST_TIMERS} timers run already, and that is the most of one strategy")
        self.timers[name] = self._now + after

    def close(self) -> None:
        """The callback has ended."""
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise ContextClosed(
                f"a context of {self._spec.instance} was used after its callback had ended; nothing was submitted"
            )
