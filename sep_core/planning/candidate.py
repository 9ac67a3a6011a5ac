"""Ways to do it, as the planner compares them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sep_hooks.types import Amount, AssetId, Certificate, LeftOut, Leg, MarketId, PlanMode

from sep_core.planning.flows import exchanged
from sep_core.planning.passage import Passage

type Fraction = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Passages with exact amounts, and how they would reach the chain.

    `spends` and `receives` are all that the account gives and the one or more assets that it wants. `marginals` are
    prices at size zero before fees, received per spent, for each asset spent. `net` is what it comes to with gas, in
    one measure for all; None: no price.
    """

    passages: tuple[Passage, ...]
    exact_in: bool
    spends: tuple[tuple[AssetId, Amount], ...]
    receives: tuple[tuple[AssetId, Amount], ...]
    marginals: tuple[Fraction, ...]
    marginal_after_fees: Fraction
    mode: PlanMode
    mode_reason: str
    method: str
    gas: int
    gas_in_exact_asset: Amount | None
    net: int | None
    certificate: Certificate | None = None

    @property
    def legs(self) -> tuple[Leg, ...]:
        """All passes through markets, in order."""
        return tuple(leg for part in self.passages for leg in part.legs)

    @property
    def venues(self) -> tuple[str, ...]:
        """The venues, each once, in order."""
        return tuple(dict.fromkeys(part.venue for part in self.passages))

    @property
    def key(self) -> tuple[PlanMode, tuple[Leg, ...]]:
        """What makes it the same as another."""
        return self.mode, self.legs

    @property
    def name(self) -> str:
        """How what is left out of it is called."""
        return " + ".join(self.venues)

    @property
    def asset_in(self) -> AssetId:
        """What is spent, the first where there are several."""
        return self.spends[0][0]

    @property
    def amount_in(self) -> Amount:
        """How much of it."""
        return self.spends[0][1]

    @property
    def asset_out(self) -> AssetId:
        """What comes."""
        return self.receives[0][0]

    @property
    def amount_out(self) -> Amount:
        """How much of it."""
        return self.receives[0][1]

    @property
    def now(self) -> tuple[Passage, ...]:
        """What the next transaction does: all of it, or the first passage of several transactions."""
        return self.passages[:1] if self.mode is PlanMode.SEQUENCE else self.passages

    @property
    def later(self) -> tuple[Leg, ...]:
        """The legs that are left to further transactions."""
        return tuple(leg for part in self.passages[len(self.now) :] for leg in part.legs)


@dataclass(frozen=True, slots=True)
class Found:
    """All candidates, best first; what was left out; markets that are known too narrowly."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    narrow: tuple[MarketId, ...]


def flows_of(
    parts: Sequence[Passage], wanted: Sequence[AssetId]
) -> tuple[tuple[tuple[AssetId, Amount], ...], tuple[tuple[AssetId, Amount], ...]]:
    """What the account gives, in the order in which it is first needed, and what it gets of the wanted assets.

    What rounding leaves of assets on the way comes too, but is not counted on.
    """
    net = exchanged(parts)
    order = dict.fromkeys(part.asset_in for part in parts)
    spends = tuple((asset, Amount(-net[asset])) for asset in order if net.get(asset, 0) < 0)
    receives = tuple((asset, Amount(net[asset])) for asset in wanted if net.get(asset, 0) > 0)
    return spends, receives
