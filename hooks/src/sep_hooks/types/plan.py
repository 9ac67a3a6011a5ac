"""Plans: what will be done, at which limits, and why."""

from dataclasses import dataclass
from enum import StrEnum

from sep_hooks.types.amount import Amount
from sep_hooks.types.asset import Address, AssetId, ChainRef
from sep_hooks.types.chain import BlockRef, Call
from sep_hooks.types.intent import IntentId
from sep_hooks.types.market import MarketId


@dataclass(frozen=True, slots=True)
class Leg:
    """One pass through one market, with exact amounts."""

    market: MarketId
    asset_in: AssetId
    asset_out: AssetId
    amount_in: Amount
    amount_out: Amount


@dataclass(frozen=True, slots=True)
class SwapOrder:
    """A path through the markets of one venue, one call.

    Exact in: `amount_in` is spent, at least `amount_out` must come. Exact out: `amount_out` comes, at most
    `amount_in` may be spent. `deadline` is in chain seconds and stands in the call itself.
    """

    legs: tuple[Leg, ...]
    exact_in: bool
    amount_in: Amount
    amount_out: Amount
    recipient: Address
    deadline: int

    @property
    def asset_in(self) -> AssetId:
        """What is spent."""
        return self.legs[0].asset_in

    @property
    def asset_out(self) -> AssetId:
        """What is received."""
        return self.legs[-1].asset_out


class StepKind(StrEnum):
    """What a step does."""

    APPROVE = "APPROVE"
    SWAP = "SWAP"


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of a plan; steps of an account take consecutive nonces in plan order.

    An approval names `spender`, `token` and the exact `allowance`; a swap carries its `order`.
    """

    id: str
    kind: StepKind
    chain: ChainRef
    call: Call
    gas_limit: int
    venue: str = ""
    order: SwapOrder | None = None
    token: AssetId | None = None
    spender: Address | None = None
    allowance: Amount | None = None


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


@dataclass(frozen=True, slots=True)
class Plan:
    """How an intent will be met. `expected_*` are exact for the snapshot, `limit_*` hold on chain.

    `quoted_in` or `quoted_out` is the venue's own on-chain answer at the latest block. `marginal` is the price
    at size zero before fees, as output per input (numerator, denominator). `slices` is the number of slices that
    the style asked for, `slices_reason` how it came about.
    """

    digest: str
    intent_id: IntentId
    account: str
    snapshot: SnapshotRef
    steps: tuple[Step, ...]
    asset_in: AssetId
    asset_out: AssetId
    exact_in: bool
    expected_in: Amount
    expected_out: Amount
    limit_in: Amount
    limit_out: Amount
    quoted_in: Amount
    quoted_out: Amount
    marginal: tuple[Amount, Amount]
    gas_limit: int
    max_fee_per_gas: int
    method: str
    slices: int
    slices_reason: str
    left_out: tuple[LeftOut, ...]

    @property
    def legs(self) -> tuple[Leg, ...]:
        """All passes through markets, in order."""
        return tuple(leg for step in self.steps if step.order is not None for leg in step.order.legs)

    @property
    def gas_cost_limit(self) -> Amount:
        """The most that gas can cost, in wei."""
        return Amount(self.gas_limit * self.max_fee_per_gas)
