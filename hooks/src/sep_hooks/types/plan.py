"""Plans: what will be done, at which limits, and why."""

from dataclasses import dataclass
from enum import StrEnum

from sep_hooks.types.amount import Amount
from sep_hooks.types.asset import AssetId
from sep_hooks.types.certificate import Certificate, SandwichBound
from sep_hooks.types.chain import BlockRef
from sep_hooks.types.intent import IntentId
from sep_hooks.types.leg import Leg
from sep_hooks.types.step import Flow, Step


@dataclass(frozen=True, slots=True)
class SnapshotRef:
    """The set of market states that a plan was computed from."""

    digest: str
    block: BlockRef
    timestamp: int
    markets: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A market or venue that took no part, and why."""

    name: str
    reason: str


class PlanMode(StrEnum):
    """How the legs reach the chain."""

    ONE_CALL = "ONE_CALL"
    """One path in one protocol, in its own router."""
    BUNDLE = "BUNDLE"
    """All legs in one transaction of the account's own executor: all or nothing."""
    SEQUENCE = "SEQUENCE"
    """Several transactions, each with a minimum of its own; what comes after each is planned anew."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How an intent will be met. What it spends and receives is exact for the snapshot; limits hold on chain.

    `marginal` is the price at size zero before fees, first received per first spent (numerator, denominator), and
    `more_marginals` those of the other assets spent, in their order, where one asset is received.
    `later` are legs that are left to further transactions and planned anew before them; `spends` and `receives`
    speak of this plan's own steps, `certificate` of all its legs, `whole` of what the first of several transactions
    set out to spend and receive, and binds all of them. `slices` is the number that the style asked for.
    """

    digest: str
    intent_id: IntentId
    account: str
    snapshot: SnapshotRef
    steps: tuple[Step, ...]
    exact_in: bool
    spends: tuple[Flow, ...]
    receives: tuple[Flow, ...]
    marginal: tuple[Amount, Amount]
    gas_limit: int
    max_fee_per_gas: int
    method: str
    slices: int
    slices_reason: str
    left_out: tuple[LeftOut, ...]
    mode: PlanMode = PlanMode.ONE_CALL
    mode_reason: str = ""
    later: tuple[Leg, ...] = ()
    certificate: Certificate | None = None
    sandwich: SandwichBound | None = None
    whole: tuple[Flow, Flow] | None = None
    more_marginals: tuple[tuple[Amount, Amount], ...] = ()

    @property
    def asset_in(self) -> AssetId:
        """What is spent, the first where there are several."""
        return self.spends[0].asset

    @property
    def asset_out(self) -> AssetId:
        """What is received, the first where there are several."""
        return self.receives[0].asset

    @property
    def expected_in(self) -> Amount:
        """How much of the first asset is spent, on the snapshot."""
        return self.spends[0].expected

    @property
    def expected_out(self) -> Amount:
        """How much of the first asset comes, on the snapshot."""
        return self.receives[0].expected

    @property
    def limit_in(self) -> Amount:
        """The most of the first asset that may be spent."""
        return self.spends[0].limit

    @property
    def limit_out(self) -> Amount:
        """The least of the first asset that must come."""
        return self.receives[0].limit

    @property
    def quoted_in(self) -> Amount:
        """How much of the first asset the chain itself says is spent."""
        return self.spends[0].quoted

    @property
    def quoted_out(self) -> Amount:
        """How much of the first asset the chain itself says would come."""
        return self.receives[0].quoted

    @property
    def legs(self) -> tuple[Leg, ...]:
        """All passes through markets of this plan's steps, in order."""
        return tuple(leg for step in self.steps for leg in step.legs)

    @property
    def venues(self) -> tuple[str, ...]:
        """The venues that its steps trade at, each once, in order."""
        return tuple(dict.fromkeys(trade.venue for step in self.steps for trade in step.trades))

    @property
    def gas_cost_limit(self) -> Amount:
        """The most that gas can cost, in wei."""
        return Amount(self.gas_limit * self.max_fee_per_gas)
