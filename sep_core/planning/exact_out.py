"""Passages whose amounts follow from what must come out: the least in that brings exactly that."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sep_hooks.types import Amount, AssetId, Leg

from sep_core.planning.passage import Passage

type LeastIn = Callable[[Leg], Amount]
"""The least in for a leg's amount out, by the venue's own rounding. Raises `SepError`."""


def fitted(parts: Sequence[Passage], wanted: AssetId, amount: int, least_in: LeastIn) -> tuple[Passage, ...]:
    """The same passages, so that exactly `amount` of the wanted asset comes and nothing is left on the way.

    Worked out from the end, for what one takes is what those before it must bring. Of several that bring the same
    asset the earlier ones keep what they bring, as far as it is needed; one of which nothing is needed is left out.
    """
    needed: dict[AssetId, int] = {wanted: amount}
    made: list[Passage] = []
    for place in range(len(parts) - 1, -1, -1):
        part = parts[place]
        asset = part.asset_out
        before = sum(one.amount_out for one in parts[:place] if one.asset_out == asset)
        out = max(0, needed.get(asset, 0) - before)
        if out == 0:
            continue
        fit = _backwards(part, out, least_in)
        needed[asset] -= out
        needed[fit.asset_in] = needed.get(fit.asset_in, 0) + fit.amount_in
        made.append(fit)
    return tuple(reversed(made))


def _backwards(part: Passage, out: int, least_in: LeastIn) -> Passage:
    legs: list[Leg] = []
    for leg in reversed(part.legs):
        fit = replace(leg, amount_out=Amount(out))
        fit = replace(fit, amount_in=least_in(fit))
        legs.append(fit)
        out = fit.amount_in
    return Passage(part.venue, tuple(reversed(legs)))
