"""Venues as planning uses them: every answer is checked, and any failure names the venue."""

from collections.abc import Callable, Mapping
from typing import Any

from sep_hooks.errors import SepError, VenueError
from sep_hooks.types import Address, Amount, Call, SwapOrder
from sep_hooks.venue import VenueAdapter

from sep_core.planning.ports import DirectVenueGuard, VenueGuard


class Venues:
    """The venues by instance. Whatever one of them raises or answers wrongly becomes a `VenueError`."""

    def __init__(self, adapters: Mapping[str, VenueAdapter[Any]], guard: VenueGuard | None = None) -> None:
        self._adapters = adapters
        self._guard = guard or DirectVenueGuard()

    def __contains__(self, venue: str) -> bool:
        return venue in self._adapters

    def spender(self, venue: str, order: SwapOrder) -> Address:
        """Who needs the allowance."""
        return Address(self._ask(venue, "spender", str, lambda adapter: adapter.spender(order)))

    def swap_call(self, venue: str, order: SwapOrder) -> Call:
        """The unsigned call of the order."""
        return self._ask(venue, "swap_call", Call, lambda adapter: adapter.swap_call(order))

    def quote_call(self, venue: str, order: SwapOrder) -> Call:
        """The read by which the chain quotes the order."""
        return self._ask(venue, "quote_call", Call, lambda adapter: adapter.quote_call(order))

    def quoted_amount(self, venue: str, order: SwapOrder, output: bytes) -> Amount:
        """The quote inside the chain's answer."""
        return Amount(
            self._ask(venue, "quoted_amount", int, lambda adapter: adapter.quoted_amount(order, output))
        )

    def _ask[T](self, venue: str, call: str, kind: type[T], ask: Callable[[VenueAdapter[Any]], T]) -> T:
        adapter = self._adapters[venue]
        try:
            answer: object = self._guard.call_sync(venue, call, lambda: ask(adapter))
        except SepError as error:
            raise VenueError(f"{call} failed: {error.message}") from error
        except Exception as error:  # whatever a plugin raises, it only leaves the candidates
            raise VenueError(f"{call} failed: {type(error).__name__}: {error}") from error
        if not isinstance(answer, kind) or isinstance(answer, bool):
            raise VenueError(f"{call} answered {str(answer)[:80]!r}")
        return answer
