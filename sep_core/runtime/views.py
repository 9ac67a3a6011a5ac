"""What people and programs are shown: one model for each answer, the same in the API and on the command line."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from sep_hooks.types import AMOUNT_PATTERN

AmountText = Annotated[
    str, Field(pattern=AMOUNT_PATTERN), WithJsonSchema({"type": "string", "pattern": AMOUNT_PATTERN})
]
QuantityText = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^-?(0|[1-9][0-9]*)$"})]
RatioText = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})]


class View(BaseModel):
    """A frozen answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AssetView(View):
    """An asset; `address` is checksummed, null for what is no token contract."""

    id: str
    chain_id: int
    address: str | None
    symbol: str
    decimals: int


class AmountView(View):
    """An amount of an asset, in base units and as people write it."""

    asset: AssetView
    amount: AmountText
    text: str


class IntentAssetView(View):
    """What the intent is about."""

    asset: AssetView
    amount: AmountText | None
    percentage: RatioText | None


class SlicingView(View):
    """How TWAP and VWAP cut the amount."""

    slices: int | None
    profile: list[RatioText]
    time_jitter: RatioText
    size_jitter: RatioText


class ConstraintsView(View):
    """The author's bounds; they hold for the whole and for each slice."""

    max_slippage: RatioText
    time_window_ms: int
    execution_style: str
    venues: list[str]
    chains: list[str]
    assets: list[str]
    max_fee: AmountText | None
    public_fallback: bool
    slicing: SlicingView | None


class ChangeView(View):
    """By how much a holding of an asset has changed: received positive, spent negative."""

    asset: AssetView
    quantity: QuantityText
    text: str


class ParentView(View):
    """Of which intent a child is a part, and the how manyth, from 0."""

    intent_id: UUID
    ordinal: int


class SliceView(View):
    """A part of an intent in slices: a child intent, or what is still to come. `id` names the child once it is
    released; `done` is how much of `amount` it has done, in base units of the intent's asset.
    """

    ordinal: int
    at: datetime | None
    amount: AmountView
    id: UUID | None
    status: str
    done: AmountView
    gas_cost: AmountText
    transaction_hashes: list[str]
    reason: str | None


class SlicesView(View):
    """How an intent is spread over time. `total` is `done`, `in_flight` in open children, and `rest`, of which the
    scheduled slices are `pending`. `seed` is what sizes and times were drawn from, empty where nothing is random.
    """

    style: str
    total: AmountView
    done: AmountView
    in_flight: AmountView
    rest: AmountView
    pending: int
    revision: int
    seed: str
    reason: str
    closed: str | None
    spent: list[AmountView]
    received: list[AmountView]
    items: list[SliceView]


class FillView(View):
    """What one step exchanged."""

    step_id: str
    venue: str
    spent: AmountView
    received: AmountView
    gas_cost: AmountText
    block_number: int
    block_hash: str
    transaction_hash: str | None
    simulated: bool


class IntentView(View):
    """Where an intent stands. `spent` and `received` are set once it has settled; where several assets are concerned
    they speak of the first, and `changes` of each that final fills have moved. One in slices shows its children
    under `slices`; a child names its `parent`.
    """

    id: UUID
    client_id: UUID
    strategy: str
    account: str
    type: str
    status: str
    assets: list[IntentAssetView]
    constraints: ConstraintsView
    received_at: datetime
    deadline: datetime | None
    priority: int
    attempt: int
    cancel_requested: bool
    code: str | None
    reason: str | None
    spent: AmountText | None
    received: AmountText | None
    gas_cost: AmountText | None
    transaction_hashes: list[str]
    fills: list[FillView]
    changes: list[ChangeView]
    parent: ParentView | None
    slices: SlicesView | None


class IntentPage(View):
    """A page of intents, newest first, and where the next one begins."""

    items: list[IntentView]
    next_cursor: str | None


class LegView(View):
    """One pass through one market."""

    market: str
    spends: AmountView
    receives: AmountView


class OrderView(View):
    """An order in a book: price in ticks, size and what is filled of it in lots, and what became of it.

    `client_order_id` is ours, the name under which the venue knows it; null before it is reserved.
    """

    market: str
    side: str
    price: int
    size: int
    time_in_force: str
    client_order_id: str | None
    filled: int
    outcome: str | None
    evidence: str | None


class StepView(View):
    """One planned transaction, or an order at an order venue. `relay` alone may see what was signed before a block
    holds it, where it is named.
    """

    id: str
    kind: str
    venue: str | None
    to: str
    gas_limit: int
    spender: str | None
    allowance: AmountText | None
    legs: list[LegView]
    status: str | None
    nonce: int | None
    transaction_hash: str | None
    relay: str | None
    order: OrderView | None


class LeftOutView(View):
    """What took no part, and why."""

    name: str
    reason: str


class FlowView(View):
    """An asset that the plan's steps spend or bring: expected on the snapshot, bounded on chain, quoted there."""

    expected: AmountView
    limit: AmountView
    quoted: AmountView


class SinglePathView(View):
    """The best path that is not split, for comparison."""

    legs: list[LegView]
    spends: AmountView
    receives: AmountView
    gas: int


class CertificateView(View):
    """How far from the best possible the whole route can be at most; numbers as exact texts of doubles.

    `bound` is in base units of `measure`; gaps are fractions of it, rounded to 12 digits in `*_ratio`.
    """

    method: str
    measure: str
    bound: str
    gap_before_gas: str
    gap_before_gas_ratio: RatioText | None
    net_gap: str
    net_gap_ratio: RatioText | None
    arbitrage: bool
    prices: dict[str, str]
    iterations: int
    single_path: SinglePathView | None


class SandwichView(View):
    """The most that whoever sees the step before it is included can take, and the least gas that this needs."""

    bound: AmountView
    attack_gas: int


class PlanView(View):
    """The chosen plan: expectations exact for the snapshot, limits that hold on chain, the independent quote.

    `spends`, `receives` and their limits are the first of `all_spends` and `all_receives`; `later` are legs that are
    left to further transactions.
    """

    digest: str
    attempt: int
    snapshot_digest: str
    block_number: int
    block_hash: str
    block_time: datetime
    markets: int
    method: str
    mode: str
    mode_reason: str
    exact_in: bool
    all_spends: list[FlowView]
    all_receives: list[FlowView]
    spends: AmountView
    receives: AmountView
    spend_limit: AmountView
    receive_limit: AmountView
    quoted: AmountView
    marginal_price: RatioText
    expected_price: RatioText
    slippage: RatioText
    slices: int
    slices_reason: str
    gas_limit: int
    max_fee_per_gas: AmountText
    steps: list[StepView]
    later: list[LegView]
    certificate: CertificateView | None
    sandwich: SandwichView | None
    left_out: list[LeftOutView]


class VerdictView(View):
    """One rule's answer with its numbers."""

    rule: str
    version: str
    code: str
    scope: str
    metric: str
    unit: str
    used: QuantityText
    held: QuantityText
    asked: QuantityText
    limit: QuantityText
    headroom: QuantityText
    hard: bool
    ok: bool
    detail: str


class MomentView(View):
    """One step of an intent's life, in words."""

    position: int
    at: datetime
    what: str


class ExplanationView(View):
    """Why an intent went as it did, where the money is, and what can be done next."""

    intent: IntentView
    summary: str
    money: str
    next_step: str
    plan: PlanView | None
    verdicts: list[VerdictView]
    timeline: list[MomentView]


class EventView(View):
    """One event of the log."""

    position: int
    stream: str
    version: int
    id: UUID
    type: str
    schema_version: int
    recorded_at: datetime
    occurred_at: datetime | None
    body: dict[str, object]


class EventPage(View):
    """Events in order; `next_after` continues."""

    items: list[EventView]
    next_after: int
    head: int


class ReceiptView(View):
    """An acceptance with its proof: the record's own bytes, the way to the root, the signed checkpoint, the key."""

    intent_id: UUID
    client_id: UUID
    status: str
    store_id: UUID
    position: int
    leaf_hash: str
    duplicate: bool
    record: str | None = None
    path: list[str] | None = None
    checkpoint: str | None = None
    public_key: str | None = None


class DryRunView(View):
    """What would happen: validation passed, then the plan and the verdicts; nothing was recorded."""

    approved: bool
    code: str | None
    reason: str | None
    plan: PlanView | None
    verdicts: list[VerdictView]


class BalanceView(View):
    """Holdings of one asset by one strategy: final, with what is held and provisional, and cost and profit."""

    account: str
    strategy: str
    asset: AssetView
    total: QuantityText
    held: AmountText
    free: AmountText
    provisional: QuantityText
    text: str
    cost: QuantityText | None
    realised_profit: QuantityText | None
    unrealised_profit: QuantityText | None
    numeraire: str | None


class MismatchView(View):
    """A place where books and chain differ."""

    account: str
    asset: AssetView
    ledger: QuantityText
    chain: QuantityText


class PortfolioView(View):
    """All balances. `mismatches` is null where the chain was not asked."""

    balances: list[BalanceView]
    mismatches: list[MismatchView] | None


class PluginView(View):
    """A plugin and how far it came."""

    name: str
    kind: str
    distribution: str
    version: str
    stage: str
    reason: str | None
    instances: list[str]


class ChainView(View):
    """A chain as seen now; of the past (`recorded`) as the last start had found it."""

    name: str
    chain_id: int
    status: str
    head: int | None
    head_hash: str | None
    head_time: datetime | None
    final: int | None
    reason: str | None


class VenueCallsView(View):
    """How a venue has answered lately, over its last calls; times are null before the first answer."""

    answered: int
    failed: int
    median_microseconds: int | None
    slowest_microseconds: int | None
    last_answer: datetime | None
    last_failure: str | None


class VenueView(View):
    """A venue. Plans use it while its status is `ok` or `degraded`. Of the past, what an engine only sees is null.

    `faults` are those in a row; `circuit` is `closed`, `open`, or `half_open` while one call is let through.
    `block` is what its states belong to. `left_out` names its markets that take no part, with the reason.
    """

    name: str
    implementation: str
    chain: str | None
    status: str
    reason: str | None
    markets: int | None
    left_out: list[LeftOutView]
    block: int | None
    circuit: str | None
    faults: int | None
    calls: VenueCallsView | None


class AccountView(View):
    """An account on a chain as the log has it.

    `status` is `ok`, `in_doubt` while nobody knows what became of something that it sent, or `frozen`: then nothing is
    signed for it until an operator lets it go. `next_nonce` is the first that nothing has taken; the effects of
    `open_nonces` are not final.
    """

    name: str
    chain: str
    address: str
    status: str
    reason: str | None
    next_nonce: int
    open_nonces: list[int]


class BreakerView(View):
    """An open breaker: `action` is what it leaves of its scope, a latched one is closed by a person alone. `used` of
    `limit`, in `unit`, is what its metric stood at when it opened.
    """

    name: str
    scope: str
    action: str
    latched: bool
    since: datetime
    unit: str
    used: QuantityText
    limit: QuantityText
    reason: str


class EquityView(View):
    """What a scope's holdings were worth at the last mark in the log. Unit values are parts of 10**18; money that came
    or went changes none of them. `drawdown_ppm` is how far the unit value lies below `high`.
    """

    scope: str
    at: datetime
    value: QuantityText
    text: str
    numeraire: str
    unit_value: QuantityText
    high: QuantityText
    drawdown_ppm: int


class BreakersView(View):
    """All open breakers, and the worth of what they guard."""

    items: list[BreakerView]
    equity: list[EquityView]


class ServiceView(View):
    """One thing that the engine depends on."""

    status: str
    detail: str


class HealthView(View):
    """For people, never a probe."""

    status: str
    timestamp: datetime
    version: str
    mode: str
    store_id: UUID
    position: int
    epoch: int
    open_intents: int
    in_doubt: int
    services: dict[str, ServiceView]


class DrainView(View):
    """What an engine still does before it ends."""

    status: Literal["draining"]
    open_intents: int


class RatioRangeView(View):
    """Ratios that are accepted, ends included."""

    least: RatioText
    most: RatioText


class IntegerRangeView(View):
    """Integers that are accepted, ends included."""

    least: int
    most: int


class IntentBoundsView(View):
    """The bounds of one type of intent; `source` names the table of the configuration that says so."""

    type: str
    supported: bool
    max_slippage: RatioRangeView
    time_window_ms: IntegerRangeView
    source: str


class LimitsView(View):
    """What an intent must keep to be taken."""

    intents: list[IntentBoundsView]
    body_bytes: int
    assets: int
    nesting: int


class TimeView(View):
    """The machine's time, and that of each chain's head; what is bounded on a chain follows the chain's."""

    now: datetime
    now_ms: int
    chains: dict[str, datetime | None]


class CheckpointView(View):
    """The state of the log at its head: the root over all events and the signed note that says so."""

    store_id: UUID
    epoch: int
    position: int
    root: str
    note: str
