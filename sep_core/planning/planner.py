"""The planner: snapshot, routes, quotes, limits, approvals, simulation, plan."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from anyio import to_thread
from sep_hooks.context import Clock
from sep_hooks.errors import SepError, UnknownBlock, VenueError
from sep_hooks.types import (
    Amount,
    AssetId,
    CallResult,
    ChainRef,
    Constraints,
    ExecutionStyle,
    IntentType,
    LeftOut,
    MarketId,
    Plan,
    PlanMode,
    PriceBook,
    chain_id_of,
    chain_of,
    erc20,
    native_asset,
)

from sep_core.planning import simulation
from sep_core.planning.candidate import Candidate, Found
from sep_core.planning.candidate import Fraction as Price
from sep_core.planning.digest import named
from sep_core.planning.draft import Draft
from sep_core.planning.drafting import Drafting
from sep_core.planning.marginal import compact
from sep_core.planning.ports import Holdings, Markets, PlanningChain, TransferReader
from sep_core.planning.prices import price_book, value_of
from sep_core.planning.quoting import QuoteDisagrees, Quoting
from sep_core.planning.rebalance import Rebalance, rebalance_of
from sep_core.planning.request import NoPlan, Planned, PlanRefused, PlanRequest, Sliced
from sep_core.planning.routes import find
from sep_core.planning.sandwich import sandwich_bound
from sep_core.planning.scene import Scene, chain_deadline
from sep_core.planning.size import Size, size_of
from sep_core.planning.slices import depth, slices
from sep_core.planning.terms import Terms, terms_of
from sep_core.planning.venues import VenueFailed, Venues, told
from sep_core.telemetry.crashpoints import crossing

UNFORESEEN = "planning_failed"
"""The code of a refusal for a failure of the planner's own."""

MOST_LEFT_OUT = 64
"""How many markets and venues a plan names that took no part."""

_SAMPLE = 10**18


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
        self._quoting = Quoting(venues)
        self._drafting = Drafting(venues)
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
            return await self._chosen(*await self._scene(request))
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
        weights = request.intent.type is IntentType.REBALANCE
        size = self._measure(request) if weights else size_of(request, self._holdings)
        name = chain_of(size.asset)
        constraints = request.intent.constraints
        chain = self._chains.get(name)
        if chain is None or (constraints.chains and name not in constraints.chains):
            why = "is not configured" if chain is None else "is not among those that the intent allows"
            raise NoPlan("chain_not_allowed", f"chain {name} {why}; nothing was sent")
        others = tuple(other for other in size.others if weights or _allowed(other, name, constraints))
        if not others or not (weights or _allowed(size.asset, name, constraints)):
            raise NoPlan(
                "asset_not_allowed",
                "the intent's allow-list of assets leaves nothing to trade with; nothing was sent",
            )
        head = await crossing("planning.head", chain.head())
        fees = await crossing("planning.fees", chain.fees())
        seconds_left = (request.deadline - self._clock.now()).total_seconds()
        scene = Scene(
            request,
            chain,
            name,
            self._markets.snapshot(name, head.timestamp),
            head,
            fees,
            replace(size, others=others),
            _wrapped(chain),
            chain_deadline(request, head, seconds_left),
        )
        if weights:
            scene = replace(scene, rebalance=self._weights(scene))
        found = await self._found(scene)
        if found.narrow:
            # A better path may lie beyond the ticks that are loaded: load them and look again, once.
            await crossing("planning.widen", self._markets.widen(name, found.narrow))
            scene = replace(scene, snapshot=self._markets.snapshot(name, head.timestamp))
            found = await self._found(scene)
        return scene, found

    def _measure(self, request: PlanRequest) -> Size:
        """What the shares of a rebalance are measured in: the numéraire where it is on that chain."""
        if any(one.percentage is None for one in request.intent.assets) or len(request.intent.assets) < 2:
            raise NoPlan(
                "unsupported_intent",
                "a REBALANCE names the weights of at least two assets; nothing was sent",
            )
        first = request.intent.assets[0].asset.id
        numeraire = self._numeraire
        near = numeraire is not None and chain_of(numeraire) == chain_of(first)
        measure = numeraire if near and numeraire is not None else first
        return Size(measure, Amount(0), True, (measure,))

    def _weights(self, scene: Scene) -> Rebalance:
        measure, network = scene.size.asset, scene.snapshot.network

        fixed = {
            one.asset_in: Fraction(one.amount_out, one.amount_in)
            for one in scene.request.references
            if one.asset_out == measure
        }

        def price(asset: AssetId) -> Fraction | None:
            if asset in fixed:
                return fixed[asset]
            worth = value_of(network, asset, _SAMPLE, measure)
            return None if worth is None else Fraction(worth, _SAMPLE)

        return rebalance_of(scene.request, self._holdings, price, measure)

    async def _found(self, scene: Scene, broken: Collection[str] = ()) -> Found:
        """All candidates; the search leaves the loop and the interpreter to others."""
        return await crossing("planning.routes", to_thread.run_sync(self._find, scene, frozenset(broken)))

    def _find(self, scene: Scene, broken: Collection[str] = ()) -> Found:
        allowed = scene.constraints.venues
        names = [
            venue
            for venue in scene.snapshot.networks
            if venue in self._venues and venue not in broken and (not allowed or venue in allowed)
        ]
        return find(scene, names, self._venues.takes_paths, self._venues.dates_calls, used=self._used(scene))

    def _used(self, scene: Scene) -> Collection[MarketId]:
        """On paper the markets do not move, so what the intent took of them is not there a second time."""
        request = scene.request
        before = request.progress.markets if request.progress is not None else frozenset()
        return request.used | before if self._paper else ()

    async def _chosen(self, scene: Scene, found: Found) -> Planned | Sliced:
        """The best candidate that quotes and simulation confirm. A venue that fails is left out of all of them."""
        left_out = [*scene.snapshot.left_out, *found.left_out]
        refusal: NoPlan | None = None
        refused: set[object] = set()
        broken: set[str] = set()
        while (choice := _next(found, refused)) is not None:
            try:
                number, why = _slices(scene, choice)
                if number > 1:
                    return Sliced(scene.size.amount, number, why)
                await self._in_time(scene, choice)
                terms = self._afforded(scene, await self._terms(scene, choice))
                return await self._planned(scene, terms, number, why, left_out)
            except VenueFailed as error:
                left_out.append(LeftOut(error.venue, error.message))
                refusal = refusal or NoPlan(
                    "venue_error", f"venue {error.venue}: {error.message}; nothing was sent", retryable=True
                )
                broken.add(error.venue)
                found = await self._found(scene, broken)
            except QuoteDisagrees as error:
                left_out.append(LeftOut(error.venue, error.refused.reason))
                refusal = refusal or error
                broken.add(error.venue)
                found = await self._found(scene, broken)
            except VenueError as error:
                left_out.append(LeftOut(choice.name, error.message))
                refusal = refusal or NoPlan(error.code, f"{error.message}; nothing was sent", retryable=True)
            except NoPlan as error:
                left_out.append(LeftOut(choice.name, error.refused.reason))
                refusal = refusal or error
            refused.add(choice.key)
        # Where no state is usable now, the next block may bring some: that is no answer about routes.
        blind = not scene.snapshot.markets
        if scene.rebalance is not None and refusal is None and not blind:
            raise NoPlan(
                "nothing_to_do",
                "no trade brings the holdings nearer to their weights for less than it costs; nothing was sent",
            )
        raise refusal or NoPlan("no_route", _no_route(left_out), retryable=blind)

    async def _in_time(self, scene: Scene, choice: Candidate) -> None:
        """Whether several transactions, each final before the next, end before the deadline. Of what is exchanged in
        part already the rest is tried in any case. Raises `NoPlan`.
        """
        if choice.mode is not PlanMode.SEQUENCE or scene.request.progress is not None:
            return
        try:
            final = await crossing("planning.final", scene.chain.final_block())
        except UnknownBlock:
            return  # a young chain, of which nobody knows yet how long finality takes
        each = scene.head.timestamp - final.timestamp + scene.chain.preset.block_time_seconds
        needed, left = each * len(choice.passages), scene.deadline - scene.head.timestamp
        if needed > left:
            raise NoPlan(
                "not_in_time",
                f"{len(choice.passages)} transactions, each final before the next, need about {needed:.0f} s,"
                f" {left} s are left; nothing was sent",
            )

    async def _terms(self, scene: Scene, choice: Candidate) -> Terms:
        confirmed = await self._quoting.confirmed(scene, choice.passages)  # sep-ok: it crosses itself
        at_head = await self._quoting.at_head(scene, confirmed)  # sep-ok: it crosses itself
        return terms_of(scene, choice, confirmed, at_head)

    def _afforded(self, scene: Scene, terms: Terms) -> Terms:
        """The same within what the books say may be spent: an exact-out limit never goes beyond that."""
        intent = scene.request.intent
        held: list[Amount] = []
        for flow in terms.spends:
            held.append(self._holdings.holding(intent.account, intent.strategy, flow.asset))
            if held[-1] < flow.expected:
                raise NoPlan(
                    "insufficient_funds",
                    f"account {scene.request.account_name} may spend {held[-1]} of {flow.asset},"
                    f" {flow.expected} are needed; nothing was sent",
                )
        return terms.within(held)

    async def _planned(
        self, scene: Scene, terms: Terms, number: int, why: str, left_out: Sequence[LeftOut]
    ) -> Planned:
        draft = await self._drafting.draft(scene, terms, reset_first=False)  # sep-ok: it crosses itself
        funded = await self._funded(scene, terms)
        if funded:
            draft, results = await self._simulated(scene, terms, draft)
            limits = simulation.gas_limits(results)
        else:
            limits = simulation.assumed_gas_limits(draft, terms.choice.gas)
        self._check_gas(scene, limits)
        plan = self._plan(scene, terms, draft, limits, number, why, left_out, simulated=funded)
        if not self._paper:
            await self._check_gas_money(scene, plan)
        return Planned(plan, self._prices(scene, plan))

    async def _simulated(
        self, scene: Scene, terms: Terms, draft: Draft
    ) -> tuple[Draft, Sequence[CallResult]]:
        results = await self._simulate(scene, draft)
        if simulation.failing_approval(draft, results) is not None:
            draft = await self._drafting.draft(scene, terms, reset_first=True)  # sep-ok: it crosses itself
            results = await self._simulate(scene, draft)
        failing = simulation.failing_call(draft, results)
        if failing is None:
            transfers = self._transfers[scene.name]([log for one in results for log in one.logs])
            failing = simulation.disagreement(terms, scene.request.account, transfers)
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

    async def _funded(self, scene: Scene, terms: Terms) -> bool:
        """Whether the chain itself knows the money; on paper it need not, elsewhere it must."""
        owner = scene.request.account
        assets = tuple(flow.asset for flow in terms.spends)
        balances = await crossing("planning.balances", scene.chain.balances(owner, assets, scene.head.ref))
        for flow in terms.spends:
            needed = flow.limit if not self._paper else flow.expected
            if balances[flow.asset] >= needed:
                continue
            if self._paper:
                return False
            raise NoPlan(
                "insufficient_funds",
                f"{owner} holds {balances[flow.asset]} of {flow.asset} on chain, up to {needed} may be spent;"
                " nothing was sent",
            )
        return True

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
        terms: Terms,
        draft: Draft,
        limits: Sequence[int],
        number: int,
        why: str,
        left_out: Sequence[LeftOut],
        *,
        simulated: bool,
    ) -> Plan:
        choice = terms.choice
        marginal, *others = [_marginal(one) for one in choice.marginals[: len(terms.spends)]]
        how = "simulated" if simulated else "predicted: the balance exists in the books only"
        return named(
            Plan(
                digest="",
                intent_id=scene.request.intent.id,
                account=scene.request.account_name,
                snapshot=scene.snapshot.ref,
                steps=draft.steps(scene.name, scene.request.attempt, limits),
                exact_in=choice.exact_in,
                spends=terms.spends,
                receives=terms.receives,
                marginal=marginal,
                gas_limit=sum(limits),
                max_fee_per_gas=scene.fees.max_fee_per_gas,
                method=f"{choice.method}, {how}",
                slices=number,
                slices_reason=why,
                left_out=_named(left_out),
                mode=choice.mode,
                mode_reason=choice.mode_reason + draft.remark,
                later=choice.later,
                certificate=choice.certificate,
                sandwich=sandwich_bound(terms.spends, terms.receives, exact_in=choice.exact_in),
                whole=terms.whole,
                more_marginals=tuple(others) if len(terms.receives) == 1 else (),
            )
        )

    def _prices(self, scene: Scene, plan: Plan) -> PriceBook | None:
        if self._numeraire is None:
            return None
        native = native_asset(chain_id_of(scene.name))
        amounts = (
            *((flow.asset, flow.limit) for flow in plan.spends),
            *((flow.asset, flow.expected) for flow in plan.receives),
            (native, plan.gas_cost_limit),
            # The weights of later transactions are measured at these, whatever of them this one trades.
            *((one.asset, _SAMPLE) for one in (scene.rebalance.parts if scene.rebalance else ())),
        )
        stand_ins = {native: scene.wrapped} if scene.wrapped is not None else {}
        return price_book(scene.snapshot.network, self._numeraire, amounts, stand_ins)


def _marginal(price: Price) -> tuple[Amount, Amount]:
    numerator, denominator = compact(*price)
    return Amount(numerator), Amount(denominator)


def _next(found: Found, refused: Collection[object]) -> Candidate | None:
    return next((one for one in found.candidates if one.key not in refused), None)


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


def _slices(scene: Scene, choice: Candidate) -> tuple[int, str]:
    if scene.request.progress is not None:
        return 1, "whole: a part of it is exchanged already"
    if scene.rebalance is not None:
        return 1, "whole: weights are reached at once"
    if scene.constraints.execution_style is not ExecutionStyle.ADAPTIVE:
        return 1, f"whole: the style is {scene.constraints.execution_style}"
    exact_in = scene.size.exact_in
    deep = depth(choice.amount_in, choice.amount_out, choice.marginal_after_fees, exact_in=exact_in)
    return slices(scene.size.amount, deep, choice.gas_in_exact_asset)


def _no_route(left_out: Sequence[LeftOut]) -> str:
    reasons = "; ".join(f"{one.name}: {one.reason}" for one in left_out[:3])
    told = f" ({reasons})" if reasons else ""
    return f"no path leads from what the account may spend to what is wanted{told}; nothing was sent"
