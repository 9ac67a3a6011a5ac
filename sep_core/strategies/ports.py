"""What the host needs of the rest of the kernel."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol
from uuid import UUID

from sep_hooks.errors import SepError
from sep_hooks.strategy import Accepted, Refused
from sep_hooks.types import Amount, Asset, AssetId, IntentDraft, IntentId, IntentStatus

from sep_core.events.facts import StrategyStarted, StrategyStopped
from sep_core.strategies.advance import Advance
from sep_core.strategies.life import StrategyLife


class StrategyDesk(Protocol):
    """The kernel's memory and its one way to change. Everything but the awaited is answered at once.

    What `started`, `advance` and `stopped` say is decided in memory when they return; awaiting the answer waits
    until it is durable. Where the log refuses it, awaiting raises `WrongExpectedVersion` or `IdConflict` and
    memory is what the log holds.
    """

    def life(self, instance: str) -> StrategyLife | None:
        """Where the instance stands, None before its first start."""
        ...

    def started(self, instance: str, fact: StrategyStarted) -> Awaitable[object]:
        """Records a start."""
        ...

    def consider(self, instance: str, draft: IntentDraft, client_id: UUID) -> Accepted | Refused:
        """Whether an intent would be taken, and under which id; an exact repeat is accepted as it stands."""
        ...

    def advance(self, advance: Advance) -> Awaitable[object]:
        """Records a callback's outcome with the facts of its intents, in one append."""
        ...

    def stopped(
        self, instance: str, fact: StrategyStopped, cancels: tuple[IntentId, ...]
    ) -> Awaitable[object]:
        """Records an end, and asks for the cancellation of intents, in one append."""
        ...

    def strategy_of(self, intent_id: IntentId) -> str | None:
        """The instance that an intent belongs to."""
        ...

    def author_intent(self, intent_id: IntentId) -> IntentId:
        """The intent of the strategy's own that an intent is, or is a part of."""
        ...

    def open_intents(self, instance: str) -> Mapping[IntentId, IntentStatus]:
        """The instance's intents that have not ended."""
        ...

    def free(self, instance: str, asset: AssetId) -> Amount:
        """What the instance may spend now."""
        ...

    def total(self, instance: str, asset: AssetId) -> Amount:
        """All that the instance owns."""
        ...

    def asset(self, symbol: str) -> Asset:
        """The asset that the configuration calls so. Raises `ConfigurationError`."""
        ...


class CallbackFailed(SepError):
    """A callback raised or did not end; `quarantined` where it must not be called again."""

    code = "strategy_callback_failed"

    def __init__(self, message: str, *, quarantined: bool) -> None:
        super().__init__(message)
        self.quarantined = quarantined


class CallbackGuard(Protocol):
    """Contains what a callback does wrong."""

    async def __call__(
        self, instance: str, callback: str, make: Callable[[], Awaitable[None]], timeout_seconds: float
    ) -> None:
        """Awaits `make()`. Raises `CallbackFailed` for whatever it raises, or when the time is over."""
        ...
