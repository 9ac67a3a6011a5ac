"""How legs reach the chain, and why so."""

from collections.abc import Sequence
from typing import Final

from sep_hooks.types import Address, AssetId, PlanMode

from sep_core.planning.passage import Passage

BUNDLE_GAS: Final = 110_000
BUNDLE_TRADE_GAS: Final = 12_000
"""What an executor costs by itself, and more for each trade: it takes, allows, and gives back. Measured on bundles of
two to seven trades.
"""

TRANSACTION_GAS: Final = 95_000
"""What a transaction of its own costs besides its swap: the base fee, an approval, and taking that back."""

WAITING_PPM: Final = 1_000
"""How much better several transactions must be than one: between them the market may move against the rest."""


def modes(
    parts: Sequence[Passage],
    executor: Address | None,
    *,
    exact_in: bool,
    wanted: AssetId,
    dated: bool = True,
) -> tuple[tuple[PlanMode, str], ...]:
    """The ways in which these passages can be done, with the reason of each. `dated`: their own calls hold the
    deadline; where they do not, an executor's call does.
    """
    if len(parts) == 1:
        length = len(parts[0].legs)
        what = "one market" if length == 1 else f"a path of {length} markets"
        if not dated and executor is not None:
            why = f"{what} of {parts[0].venue}, whose call holds no deadline: the account's executor holds it"
            return ((PlanMode.BUNDLE, why),)
        without = "" if dated else "; its call holds no deadline, and the account has no executor that would"
        return ((PlanMode.ONE_CALL, f"{what} of {parts[0].venue}, in its own router{without}"),)
    venues = ", ".join(dict.fromkeys(part.venue for part in parts))
    legs = sum(len(part.legs) for part in parts)
    share = f"{legs} legs over {venues} cannot share one router"
    ways: list[tuple[PlanMode, str]] = []
    if executor is not None:
        ways.append((PlanMode.BUNDLE, f"{share}: the account's executor runs them in one transaction"))
    if exact_in or _alike(parts, wanted):
        lacks = "" if executor is not None else " and the account has no executor"
        ways.append(
            (
                PlanMode.SEQUENCE,
                f"{share}{lacks}: {len(parts)} transactions, each with a minimum of its own, planned anew between",
            )
        )
    return tuple(ways)


def overhead(mode: PlanMode, passages: int) -> int:
    """The gas of a mode beyond that of the markets, as against one call."""
    match mode:
        case PlanMode.BUNDLE:
            return BUNDLE_GAS + BUNDLE_TRADE_GAS * passages
        case PlanMode.SEQUENCE:
            return TRANSACTION_GAS * (passages - 1)
        case _:
            return 0


def _alike(parts: Sequence[Passage], wanted: AssetId) -> bool:
    """Whether each leads from one and the same asset straight to what is wanted."""
    return {(part.asset_in, part.asset_out) for part in parts} == {(parts[0].asset_in, wanted)}
