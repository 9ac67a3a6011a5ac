"""The guard as each room wants to call it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from sep_hooks.errors import PluginError, SepError
from sep_hooks.types import Address, Amount, Call, Market, MarketState

from sep_core.plugins.failure import PluginFault
from sep_core.runtime.installation import Installation
from sep_core.runtime.venue_calls import CallBook
from sep_core.strategies import CallbackFailed, CallbackGuard

VENUE_ANSWERS: Final[Mapping[str, object]] = {
    "markets": Sequence[Market],
    "states": Sequence[MarketState],
    "widen": Sequence[MarketState],
    "spender": Address,
    "swap_call": Call,
    "quote_call": Call,
    "quoted_amount": Amount,
}
"""What a venue's calls must answer, so that a wrong answer is a fault of the venue and counts as one."""


class WrongAnswer(Exception):
    """A venue answered something else than its signature promises."""


class BoardGuard:
    """Calls venues for the market board, and books how they answer."""

    def __init__(self, installation: Installation, calls: CallBook) -> None:
        self._installation = installation
        self._calls = calls

    async def call[T](
        self, ref: str, name: str, factory: Callable[[], Awaitable[T]], timeout_seconds: float
    ) -> T:
        """The venue's answer. Raises `PluginFault`, or what it raised on purpose."""
        plugin = self._installation.venues[ref].plugin

        async def answer() -> T:
            try:
                return await factory()
            except PluginError as error:  # the board's own check of what the venue made of a log
                raise WrongAnswer(error.message) from error

        since = self._calls.monotonic()
        try:
            answered = await self._installation.guard.call(
                plugin,
                name,
                answer,
                timeout_seconds=timeout_seconds,
                returns=VENUE_ANSWERS.get(name),
                answers=(SepError,),
            )
        except SepError as error:
            self._calls.failed(ref, name, error.message)
            raise
        self._calls.answered(ref, since)
        return answered


class VenueGuardOfGuard:
    """Calls the pure side of venues for the planner."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def call_sync[T](self, venue: str, call: str, make: Callable[[], T]) -> T:
        """The venue's answer. Raises `PluginFault`, or what it raised on purpose."""
        plugin = self._installation.venues[venue].plugin
        return self._installation.guard.call_sync(
            plugin, call, make, returns=VENUE_ANSWERS.get(call), answers=(SepError,)
        )


class RuleGuard:
    """Calls risk rules for the engine; whatever one does wrong rejects, and counts."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def __call__[T](self, instance: str, call: str, make: Callable[[], T]) -> T:
        """The rule's answer. Raises `PluginFault`."""
        return self._installation.guard.call_sync(self._installation.rule_refs[instance], call, make)


def callback_guard(installation: Installation) -> CallbackGuard:
    """Calls strategies for their host; the third fault in a row quarantines."""

    async def guarded(
        instance: str, callback: str, make: Callable[[], Awaitable[None]], timeout_seconds: float
    ) -> None:
        plugin = installation.strategies[instance].plugin
        try:
            await installation.guard.call(plugin, callback, make, timeout_seconds=timeout_seconds)
        except PluginFault as fault:
            raise CallbackFailed(str(fault), quarantined=fault.consequence is not None) from fault

    return guarded
