"""Venues as planning uses them: every answer is checked, and any failure names the venue."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from sep_hooks.errors import SepError, VenueError
from sep_hooks.sampled_venue import SampledVenue
from sep_hooks.types import MAX_AMOUNT, Address, Amount, Call, SwapOrder, address
from sep_hooks.venue import VenueAdapter

from sep_core.planning.ports import DirectVenueGuard, VenueGuard

LARGEST_CALLDATA_BYTES: Final = 32 * 1024
_LONGEST_REASON: Final = 300


class Venues:
    """The venues by instance. Whatever one of them raises or answers wrongly becomes `VenueFailed`.

    `single_hop` names those of which one call leads through one market only, `undated` those whose calls hold no
    deadline.
    """

    def __init__(
        self,
        adapters: Mapping[str, VenueAdapter[Any]],
        guard: VenueGuard | None = None,
        *,
        single_hop: Collection[str] = (),
        undated: Collection[str] = (),
    ) -> None:
        self._adapters = adapters
        self._guard = guard or DirectVenueGuard()
        self._single_hop = frozenset(single_hop)
        self._undated = frozenset(undated)

    def __contains__(self, venue: str) -> bool:
        return venue in self._adapters

    def takes_paths(self, venue: str) -> bool:
        """Whether one call can lead through several markets of the venue."""
        adapter = self._adapters.get(venue)
        return venue not in self._single_hop and not isinstance(adapter, SampledVenue)

    def dates_calls(self, venue: str) -> bool:
        """Whether the venue's calls hold the deadline themselves."""
        return venue not in self._undated

    def spender(self, venue: str, order: SwapOrder) -> Address:
        """Who needs the allowance."""
        return self._ask(venue, "spender", lambda adapter: _address(adapter.spender(order)))

    def swap_call(self, venue: str, order: SwapOrder) -> Call:
        """The unsigned call of the order."""
        return self._ask(venue, "swap_call", lambda adapter: _call(adapter.swap_call(order)))

    def quote_call(self, venue: str, order: SwapOrder) -> Call:
        """The read by which the chain quotes the order."""
        return self._ask(venue, "quote_call", lambda adapter: _call(adapter.quote_call(order)))

    def quoted_amount(self, venue: str, order: SwapOrder, output: bytes) -> Amount:
        """The quote inside the chain's answer."""
        return self._ask(
            venue, "quoted_amount", lambda adapter: _amount(adapter.quoted_amount(order, output))
        )

    def _ask[T](self, venue: str, call: str, ask: Callable[[VenueAdapter[Any]], T]) -> T:
        adapter = self._adapters[venue]
        try:
            # The answer is checked inside the guarded call: a wrong one is the venue's fault and counts as one.
            return self._guard.call_sync(venue, call, lambda: ask(adapter))
        except SepError as error:
            raise VenueFailed(venue, f"{call} failed: {told(error.message)}") from error
        except Exception as error:  # whatever a plugin raises, it only leaves the candidates
            raise VenueFailed(venue, f"{call} failed: {type(error).__name__}: {told(str(error))}") from error


class VenueFailed(VenueError):
    """A venue that could not do its part, by name."""

    def __init__(self, venue: str, message: str) -> None:
        super().__init__(message)
        self.venue = venue


class WrongAnswer(Exception):
    """A venue answered what its signature does not promise."""


def told(text: str) -> str:
    """A text of foreign code as the log can hold it."""
    return " ".join(text.split())[:_LONGEST_REASON].encode("utf-8", "replace").decode()


def _address(answer: object) -> Address:
    if type(answer) is not str:
        raise WrongAnswer(f"it answered a {type(answer).__name__}, not an address")
    try:
        return address(answer)
    except SepError as error:
        raise WrongAnswer(f"it answered {told(error.message)}") from error


def _amount(answer: object) -> Amount:
    if type(answer) is not int or not 0 <= answer <= MAX_AMOUNT:
        raise WrongAnswer(f"it answered a {type(answer).__name__} that is no amount")
    return Amount(answer)


def _call(answer: object) -> Call:
    if not isinstance(answer, Call):
        raise WrongAnswer(f"it answered a {type(answer).__name__}, not a call")
    data: object = answer.data
    if type(data) is not bytes or len(data) > LARGEST_CALLDATA_BYTES:
        raise WrongAnswer(
            f"its call's data are a {type(data).__name__}, or more than {LARGEST_CALLDATA_BYTES} bytes"
        )
    return replace(answer, to=_address(answer.to), value=_amount(answer.value))
