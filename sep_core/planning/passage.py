"""Passages: legs joined where one call of one venue can take them."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sep_hooks.types import Amount, AssetId, Leg, MarketId


@dataclass(frozen=True, slots=True)
class Passage:
    """A path through the markets of one venue."""

    venue: str
    legs: tuple[Leg, ...]

    @property
    def asset_in(self) -> AssetId:
        """What goes in."""
        return self.legs[0].asset_in

    @property
    def asset_out(self) -> AssetId:
        """What comes out."""
        return self.legs[-1].asset_out

    @property
    def amount_in(self) -> Amount:
        """How much goes in."""
        return self.legs[0].amount_in

    @property
    def amount_out(self) -> Amount:
        """How much comes out."""
        return self.legs[-1].amount_out

    def apart(self) -> tuple["Passage", ...]:
        """The same, each leg a call of its own."""
        return tuple(Passage(self.venue, (leg,)) for leg in self.legs)


def passages(
    legs: Sequence[Leg],
    venue_of: Callable[[MarketId], str],
    ends: Collection[AssetId],
    takes_paths: Callable[[str], bool],
) -> tuple[Passage, ...]:
    """Legs in executable order as passages in executable order.

    Two legs are joined where all that the one brings is what the other takes, at the same venue, and nobody else
    has to do with the asset between; `ends` are assets that the account itself spends or receives, `takes_paths` says
    of which venue one call can lead through several markets.
    """
    makers = Counter(leg.asset_out for leg in legs)
    takers = Counter(leg.asset_in for leg in legs)
    made: list[Passage] = []
    for leg in legs:
        venue, between = venue_of(leg.market), leg.asset_in
        lonely = takes_paths(venue) and between not in ends and makers[between] == takers[between] == 1
        before = next((one for one in made if lonely and _leads_on(one, venue, leg)), None)
        if before is not None:
            # It moves behind what was made since: what it brings is wanted only after its last leg.
            made.remove(before)
            made.append(Passage(venue, (*before.legs, leg)))
        else:
            made.append(Passage(venue, (leg,)))
    return tuple(made)


def _leads_on(one: Passage, venue: str, leg: Leg) -> bool:
    meets = (one.venue, one.asset_out, one.amount_out) == (venue, leg.asset_in, leg.amount_in)
    return meets and all(leg.asset_out != passed.asset_in for passed in one.legs)
