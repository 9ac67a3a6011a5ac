"""The planner: snapshot, route, quote, limits, approvals, simulation, plan."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sep_hooks.context import Clock
from sep_hooks.errors import CallReverted, SepError, VenueError
from sep_hooks.types import (
    Amount,
    AssetId,
    Block,
    CallResult,
    ChainRef,
    Constraints,
    ExecutionStyle,
    FeeSuggestion,
    Flow,
    LeftOut,
    Plan,
    PriceBook,
    SwapOrder,
    chain_id_of,
    chain_of,
    erc20,
    native_asset,
)

from sep_core.planning import simulation
from sep_core.planning.approvals import approvals
from sep_core.planning.candidate import Candidate, Found, find
from sep_core.planning.digest import named
from sep_core.planning.draft import Draft
from sep_core.planning.limits import limit_in, limit_out, strictest
from sep_core.planning.marginal import compact
from sep_core.planning.ports import (
    Holdings,
    Markets,
    MarketSnapshot,
    PlanningChain,
    TransferReader,
)
from sep_core.planning.prices import price_book
from sep_core.planning.request import NoPlan, Planned, PlanRefused, PlanRequest, Sliced
from sep_core.planning.size import Size, size_of
from sep_core.planning.slices import depth, slices
from sep_core.planning.venues import Venues, told
from sep_core.telemetry.crashpoints import crossing

UNFORESEEN = "planning_failed"
"""The code of a refusal for a failure of the planner's own."""

MOST_LEFT_OUT = 64
"""How many markets and venues a plan names that took no part."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that one plan is made from, read once."""

    request: PlanRequest
    chain: PlanningChain
    name: ChainRef
    snapshot: MarketSnapshot
    head: Block
    fees: FeeSuggestion
    size: Size
    wrapped: AssetId | None

    @property
    def constraints(self) -> Constraints:
        """The intent's own bounds."""
        return self.request.intent.constraints


@dataclass(frozen=True, slots=True)
class Quoted:
    """A candidate that the chain itself confirms, with the limits that follow."""

    candidate: Candidate
    quoted_in: Amount
    quoted_out: Amount
    limit_in: Amount
    limit_out: Amount


class Planner:
    """Plans one intent at a time, from the latest state; it changes nothing, here or outside.

    `paper`: balances may exist in the books only; what the chain cannot simulate for want of them is planned on
    the exact prediction and the chain's own quote, and the plan's method says so.
    """

    def __init__(
        self,
        chains: Mapping[ChainRef, PlanningChain],
        markets: Markets,
        venues: Venues,
        holdings: Holdings,
        transfers: Mapping[ChainRef, TransferReader],
        clock: Clock,
        *,
        numeraire: AssetId | None = None,
        paper: bool = False,
    ) -> None:
        self._chains = chains
        self._markets = markets
        self._venues = venues
        self._holdings = holdings
        self._transfers = transfers
        self._clock = clock
        self._numeraire = numeraire
        self._paper = paper

    async def plan(self, request: PlanRequest) -> Planned | Sliced | PlanRefused:
        """The best plan within the intent's constraints, or why there is none. Nothing is sent either way, and
        nothing is raised: what no rule foresees is a refusal of this one intent. An ADAPTIVE intent that costs less
        in slices gets their number.
        """
        try:
            scene, found = await self._scene(request)
            return await self._chosen(scene, found)
        except NoPlan as refusal:
            return refusal.refused
        except SepError as error:
            return PlanRefused(
                error.code,
                f"{error.message}; nothing was sent",
                retryable=error.retryable or error.ambiguous,
            )
        except Exception as error:
            return unforeseen(error)

    async def _scene(self, request: PlanRequest) -> tuple[Scene, Found]:
        size = size_of(request, self._holdings)
        name = chain_of(size.asset)
        constraints = request.intent.constraints
        chain = self._chains.get(name)
        if chain is None or (constraints.chains and name not in constraints.chains):
            why = "is not configured" if chain is None else "is not among those that the intent allows"
            raise NoPlan("chain_not_allowed", f"chain {name} {why}; nothing was sent")
        others = tuple(other for other in size.others if _allowed(other, name, constraints))
        if not others or not _allowed(size.asset, name, constraints):
            raise NoPlan(
                "asset_not_allowed",
                "the intent's allow-list of assets leaves nothing to trade with; nothing was sent",
            )
        head = await crossing("planning.head", chain.head())
        fees = await crossing("planning.fees", chain.fees())
        scene = Scene(
            request,
            chain,
            name,
            self._markets.snapshot(name, head.timestamp),
            head,
            fees,
            replace(size, others=others),
            _wrapped(chain),
        )
        found = self._find(scene)
        if found.narrow:
            # A better path may lie beyond the ticks that are loaded: load them and look again, once.
            await crossing("planning.widen", self._markets.widen(name, found.narrow))
            scene = replace(scene, snapshot=self._markets.snapshot(name, head.timestamp))
            found = self._find(scene)
        return scene, found

    def _find(self, scene: Scene) -> Found:
        allowed = scene.constraints.venues
        names: Iterable[str] = [
            venue
            for venue in scene.snapshot.networks
            if venue in self._venues and (not allowed or venue in allowed)
        ]
        return find(
            scene.snapshot,
            names,
            scene.size,
            scene.constraints,
            scene.wrapped,
            _expected_fee(scene.fees),
        )

    async def _chosen(self, scene: Scene, found: Found) -> Planned | Sliced:
        """The best candidate that quote and simulation confirm."""
        left_out = [*scene.snapshot.left_out, *found.left_out]
        refusal: NoPlan | None = None
        for candidate in found.candidates:
            try:
                number, why = _slices(scene, candidate)
                if number > 1:
                    return Sliced(scene.size.amount, number, why)
                quoted = self._afforded(scene, await self._quoted(scene, candidate))
                return await self._planned(scene, quoted, number, why, left_out)
            except VenueError as error:
                left_out.append(LeftOut(candidate.venue, error.message))
                refusal = refusal or NoPlan(
                    "venue_error",
                    f"venue {candidate.venue}: {error.message}; nothing was sent",
                    retryable=True,
                )
            except NoPlan as error:
                left_out.append(LeftOut(candidate.venue, error.refused.reason))
                refusal = refusal or error
        # Where no state is usable now, the next block may bring some: that is no answer about routes.
        blind = not scene.snapshot.markets
        raise refusal or NoPlan("no_route", _no_route(left_out), retryable=blind)

    def _afforded(self, scene: Scene, quoted: Quoted) -> Quoted:
        """The same within what the books say may be spent: an exact-out limit never goes beyond that."""
        intent, candidate = scene.request.intent, quoted.candidate
        held = self._holdings.holding(intent.account, intent.strategy, candidate.asset_in)
        if held < candidate.amount_in:
            raise NoPlan(
                "insufficient_funds",
                f"account {scene.request.account_name} may spend {held} of {candidate.asset_in},"
                f" {candidate.amount_in} are needed; nothing was sent",
            )
        return replace(quoted, limit_in=min(quoted.limit_in, held))

    async def _quoted(self, scene: Scene, candidate: Candidate) -> Quoted:
        """Asks the chain for its own quote: at the snapshot's block it must equal ours, at the head it is the
        second reference of the limit.
        """
        order = SwapOrder(
            candidate.legs,
            scene.size.exact_in,
            candidate.amount_in,
            candidate.amount_out,
            scene.request.account,
            self._deadline(scene),
        )
        block = scene.snapshot.block
        ours = candidate.amount_out if scene.size.exact_in else candidate.amount_in
        quote = await self._ask_quote(scene, candidate.venue, order, block)
        if quote != ours:
            raise NoPlan(
                "quote_disagrees",
                f"{candidate.venue} quotes {quote} on chain at block {block.number}, the snapshot says {ours};"
                " nothing was sent",
                retryable=True,
            )
        if scene.head.hash != block.hash:
            quote = await self._ask_quote(scene, candidate.venue, order, scene.head)
        return _limited(scene, candidate, quote)

    async def _ask_quote(self, scene: Scene, venue: str, order: SwapOrder, at: Block) -> Amount:
        call = self._venues.quote_call(venue, order)
        try:
            output = await crossing("planning.quote", scene.chain.call(call, scene.request.account, at.ref))
        except CallReverted as error:
            raise VenueError(f"its quote on chain reverts: {error.message}") from error
        return self._venues.quoted_amount(venue, order, output)

    async def _planned(
        self, scene: Scene, quoted: Quoted, number: int, why: str, left_out: Sequence[LeftOut]
    ) -> Planned:
        draft = await self._draft(scene, quoted, reset_first=False)
        funded = await self._funded(scene, quoted)
        if funded:
            draft, results = await self._simulated(scene, quoted, draft)
            limits = simulation.gas_limits(results)
        else:
            limits = simulation.assumed_gas_limits(draft, quoted.candidate)
        self._check_gas(scene, limits)
        plan = self._plan(scene, quoted, draft, limits, number, why, left_out, simulated=funded)
        if not self._paper:
            await self._check_gas_money(scene, plan)
        return Planned(plan, self._prices(scene, plan))

    async def _draft(self, scene: Scene, quoted: Quoted, *, reset_first: bool) -> Draft:
        candidate, owner = quoted.candidate, scene.request.account
        order = SwapOrder(
            candidate.legs,
            scene.size.exact_in,
            quoted.limit_in,
            quoted.limit_out,
            owner,
            self._deadline(scene),
        )
        spender = self._venues.spender(candidate.venue, order)
        allowed = await crossing(
            "planning.allowance",
            scene.chain.allowance(candidate.asset_in, owner, spender, scene.head.ref),
        )
        before, after = approvals(
            candidate.asset_in, spender, allowed, order.amount_in, reset_first=reset_first
        )
        swap = self._venues.swap_call(candidate.venue, order)
        if swap.value:
            raise VenueError(f"its call sends {swap.value} wei along, though tokens are spent")
        return Draft(candidate.venue, order, swap, before, after)

    async def _simulated(
        self, scene: Scene, quoted: Quoted, draft: Draft
    ) -> tuple[Draft, Sequence[CallResult]]:
        results = await self._simulate(scene, draft)
        if simulation.failing_approval(draft, results) is not None:
            draft = await self._draft(scene, quoted, reset_first=True)
            results = await self._simulate(scene, draft)
        failing = simulation.failing_call(draft, results)
        if failing is None:
            transfers = self._transfers[scene.name]([log for one in results for log in one.logs])
            failing = simulation.disagreement(quoted.candidate, scene.request.account, transfers)
        if failing is not None:
            moved = await crossing("planning.head_again", scene.chain.head())
            raise NoPlan(
                "simulation_disagrees",
                f"{failing}; nothing was sent",
                retryable=moved.hash != scene.snapshot.block.hash,
            )
        return draft, results

    async def _simulate(self, scene: Scene, draft: Draft) -> Sequence[CallResult]:
        return await crossing("planning.simulate", scene.chain.simulate(draft.calls, scene.request.account))

    async def _funded(self, scene: Scene, quoted: Quoted) -> bool:
        """Whether the chain itself knows the money; on paper it need not, elsewhere it must."""
        asset, owner = quoted.candidate.asset_in, scene.request.account
        balances = await crossing("planning.balances", scene.chain.balances(owner, (asset,), scene.head.ref))
        needed = quoted.limit_in if not self._paper else quoted.candidate.amount_in
        if balances[asset] >= needed:
            return True
        if self._paper:
            return False
        raise NoPlan(
            "insufficient_funds",
            f"{owner} holds {balances[asset]} of {asset} on chain, up to {needed} may be spent;"
            " nothing was sent",
        )

    def _check_gas(self, scene: Scene, limits: Sequence[int]) -> None:
        cap = scene.chain.preset.transaction_gas_limit
        if max(limits) > cap:
            raise NoPlan(
                "gas_above_cap",
                f"a step needs a gas limit of {max(limits)}, the chain allows {cap} a transaction; nothing was sent",
            )
        cost = sum(limits) * scene.fees.max_fee_per_gas
        most = scene.constraints.max_fee
        if most is not None and cost > most:
            raise NoPlan(
                "max_fee_exceeded",
                f"gas may cost up to {cost} wei, the intent allows {most}; nothing was sent",
                retryable=True,
            )

    async def _check_gas_money(self, scene: Scene, plan: Plan) -> None:
        native = native_asset(chain_id_of(scene.name))
        held = await crossing(
            "planning.gas_money",
            scene.chain.balances(scene.request.account, (native,), scene.head.ref),
        )
        if held[native] < plan.gas_cost_limit:
            raise NoPlan(
                "insufficient_gas_money",
                f"{scene.request.account} holds {held[native]} wei, gas may cost {plan.gas_cost_limit};"
                " nothing was sent",
            )

    def _plan(
        self,
        scene: Scene,
        quoted: Quoted,
        draft: Draft,
        limits: Sequence[int],
        number: int,
        why: str,
        left_out: Sequence[LeftOut],
        *,
        simulated: bool,
    ) -> Plan:
        candidate = quoted.candidate
        numerator, denominator = compact(*candidate.solution.marginal)
        how = "simulated" if simulated else "predicted: the balance exists in the books only"
        return named(
            Plan(
                digest="",
                intent_id=scene.request.intent.id,
                account=scene.request.account_name,
                snapshot=scene.snapshot.ref,
                steps=draft.steps(scene.name, scene.request.attempt, limits),
                exact_in=scene.size.exact_in,
                spends=(Flow(candidate.asset_in, candidate.amount_in, quoted.limit_in, quoted.quoted_in),),
                receives=(
                    Flow(candidate.asset_out, candidate.amount_out, quoted.limit_out, quoted.quoted_out),
                ),
                marginal=(Amount(numerator), Amount(denominator)),
                gas_limit=sum(limits),
                max_fee_per_gas=scene.fees.max_fee_per_gas,
                method=f"single path by {candidate.solution.method}, {how}",
                slices=number,
                slices_reason=why,
                left_out=_named(left_out),
            )
        )

    def _prices(self, scene: Scene, plan: Plan) -> PriceBook | None:
        if self._numeraire is None:
            return None
        native = native_asset(chain_id_of(scene.name))
        amounts = (
            (plan.asset_in, plan.limit_in),
            (plan.asset_out, plan.expected_out),
            (native, plan.gas_cost_limit),
        )
        stand_ins = {native: scene.wrapped} if scene.wrapped is not None else {}
        return price_book(scene.snapshot.network, self._numeraire, amounts, stand_ins)

    def _deadline(self, scene: Scene) -> int:
        """The intent's remaining time, counted from the latest block by the chain's own clock."""
        remaining = int((scene.request.deadline - self._clock.now()).total_seconds())
        if remaining < 1:
            raise NoPlan("deadline_passed", "the intent's deadline has passed; nothing was sent")
        return scene.head.timestamp + remaining


def unforeseen(error: Exception) -> PlanRefused:
    """The refusal for a failure that nobody foresaw; another block may look otherwise, the deadline ends it."""
    return PlanRefused(
        UNFORESEEN,
        f"planning broke with {type(error).__name__}: {told(str(error))}; nothing was sent",
        retryable=True,
    )


def _named(left_out: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    """Who took no part, each once, as many as a plan has room for."""
    each = list(dict.fromkeys(LeftOut(told(one.name), told(one.reason)) for one in left_out))
    rest = len(each) - MOST_LEFT_OUT
    if rest <= 0:
        return tuple(each)
    return (*each[:MOST_LEFT_OUT], LeftOut("others", f"{rest} more took no part"))


def _allowed(asset: AssetId, chain: ChainRef, constraints: Constraints) -> bool:
    return chain_of(asset) == chain and (not constraints.assets or asset in constraints.assets)


def _wrapped(chain: PlanningChain) -> AssetId | None:
    preset = chain.preset
    return erc20(preset.chain_id, preset.wrapped_native) if preset.wrapped_native else None


def _expected_fee(fees: FeeSuggestion) -> int:
    return min(fees.max_fee_per_gas, fees.base_fee_high + fees.max_priority_fee_per_gas)


def _limited(scene: Scene, candidate: Candidate, quote: Amount) -> Quoted:
    """The candidate with its limits. Raises `NoPlan` where what is expected breaks them already."""
    slippage = scene.constraints.max_slippage
    pair = candidate.asset_in, candidate.asset_out
    references = [
        (int(one.amount_out), int(one.amount_in))
        for one in scene.request.references
        if (one.asset_in, one.asset_out) == pair
    ]
    marginal = strictest(references, candidate.solution.marginal)
    spent, got = candidate.amount_in, candidate.amount_out
    if scene.size.exact_in:
        least = limit_out(spent, marginal, quote, slippage)
        quoted = Quoted(candidate, spent, quote, spent, least)
        broken = got < least or least == 0
        numbers = f"{got} would come, the limit is {least}"
    else:
        most = limit_in(got, marginal, quote, slippage)
        quoted = Quoted(candidate, quote, got, most, got)
        broken = spent > most
        numbers = f"{spent} would be spent, the limit is {most}"
    if broken:
        raise NoPlan(
            "slippage_exceeded",
            f"{candidate.venue}: {numbers} at max_slippage {slippage} against the worse of the price before"
            f" fees and impact and the quote on chain ({quote}); nothing was sent",
            # At one block it is fee and impact that cost too much, and waiting does not change them; against an
            # earlier price it is the market that moved, and it may come back.
            retryable=bool(references) or scene.head.hash != scene.snapshot.block.hash,
        )
    return quoted


def _slices(scene: Scene, candidate: Candidate) -> tuple[int, str]:
    if scene.constraints.execution_style is not ExecutionStyle.ADAPTIVE:
        return 1, f"whole: the style is {scene.constraints.execution_style}"
    exact_in = scene.size.exact_in
    deep = depth(
        candidate.amount_in,
        candidate.amount_out,
        candidate.solution.marginal_after_fees,
        exact_in=exact_in,
    )
    return slices(scene.size.amount, deep, candidate.gas_in_exact_asset)


def _no_route(left_out: Sequence[LeftOut]) -> str:
    reasons = "; ".join(f"{one.name}: {one.reason}" for one in left_out[:3])
    told = f" ({reasons})" if reasons else ""
    return f"no path leads from what the account may spend to what is wanted{told}; nothing was sent"
