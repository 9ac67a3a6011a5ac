"""From terms to calls: orders for the venues, the executor's transaction, approvals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sep_hooks.errors import VenueError
from sep_hooks.types import Address, Amount, AssetId, Bundle, PlanMode, SwapOrder, Trade

from sep_core.planning.approvals import Approval, approvals
from sep_core.planning.bundle import VenueCall, bundle_call, venue_call
from sep_core.planning.draft import Draft
from sep_core.planning.flows import takes_rest
from sep_core.planning.passage import Passage
from sep_core.planning.scene import Scene
from sep_core.planning.terms import Terms
from sep_core.planning.venues import VenueFailed, Venues
from sep_core.telemetry.crashpoints import crossing

MOST_STEPS: Final = 8
"""How many transactions a plan has at most: so many nonces of an account may wait for a block."""


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A draft without its approvals; `needed` is what each spender may take."""

    draft: Draft
    needed: tuple[tuple[AssetId, Address, Amount], ...]


class Drafting:
    """Asks venues for their calls, and the chain for what is allowed already."""

    def __init__(self, venues: Venues) -> None:
        self._venues = venues

    async def draft(self, scene: Scene, terms: Terms, *, reset_first: bool) -> Draft:
        """The calls of the terms. Raises `VenueFailed` where a venue or an executor cannot do its part, `NotBundled`
        where a bundle needs more approvals than may wait for a block together with it.
        """
        made = self._bundle(scene, terms) if _bundled(terms) else self._swap(scene, terms)
        before: list[Approval] = []
        after: list[Approval] = []
        owner = scene.request.account
        for asset, spender, amount in made.needed:
            allowed = await crossing(
                "planning.allowance", scene.chain.allowance(asset, owner, spender, scene.head.ref)
            )
            first, last = approvals(asset, spender, allowed, amount, reset_first=reset_first)
            before += first
            after += last
        draft, room = made.draft, MOST_STEPS - len(before) - 1
        if room < 0:
            raise NotBundled(
                f"it needs {len(before)} approvals, and at most {MOST_STEPS} transactions of an account may wait"
            )
        # What a bundle that reverts leaves allowed can be taken by the account's own executor alone, for the account
        # alone; where there is no room to take it back at once, the plan says so.
        stays = tuple(one.token for one in after[room:])
        return Draft(
            draft.venue,
            draft.exchange,
            tuple(before),
            tuple(after[:room]),
            draft.order,
            draft.bundle,
            stays,
        )

    def _swap(self, scene: Scene, terms: Terms) -> _Exchange:
        (part,) = terms.choice.now
        spent, received = terms.spends[0], terms.receives[0]
        order = SwapOrder(
            part.legs,
            terms.choice.exact_in,
            spent.limit,
            received.limit,
            scene.request.account,
            scene.deadline,
        )
        spender = self._venues.spender(part.venue, order)
        call = self._venues.swap_call(part.venue, order)
        if call.value:
            raise VenueFailed(part.venue, f"its call sends {call.value} wei along, though tokens are spent")
        draft = Draft(part.venue, call, (), (), order=order)
        return _Exchange(draft, ((spent.asset, spender, spent.limit),))

    def _bundle(self, scene: Scene, terms: Terms) -> _Exchange:
        executor = scene.request.executor
        if executor is None:
            raise VenueError("the account has no executor")
        parts = terms.choice.passages
        try:
            calls = self._calls(scene, terms, parts, executor)
        except NotBundled:
            # A path in one call may be too long or hide its amount; leg by leg it need not.
            apart = tuple(one for part in parts for one in part.apart())
            if len(apart) == len(parts):
                raise
            calls = self._calls(scene, terms, apart, executor)
        bundle = Bundle(
            executor, tuple(one.trade for one in calls), terms.spends, terms.receives, scene.deadline
        )
        try:
            call = bundle_call(bundle, calls)
        except VenueFailed:
            raise
        except VenueError as error:
            raise NotBundled(error.message) from error
        needed = tuple((flow.asset, executor, flow.limit) for flow in terms.spends)
        return _Exchange(Draft("", call, (), (), bundle=bundle), needed)

    def _calls(
        self, scene: Scene, terms: Terms, parts: Sequence[Passage], executor: Address
    ) -> Sequence[VenueCall]:
        rests = takes_rest(parts)
        made: list[VenueCall] = []
        for part, rest in zip(parts, rests, strict=True):
            trade = Trade(part.venue, _order(scene, terms, part, executor), takes_rest=rest)
            made.append(self._call(trade))
        return made

    def _call(self, trade: Trade) -> VenueCall:
        venue = trade.venue
        try:
            return venue_call(
                trade,
                lambda order: self._venues.swap_call(venue, order),
                lambda order: self._venues.spender(venue, order),
            )
        except VenueFailed:
            raise
        except VenueError as error:
            raise NotBundled(f"{venue} cannot be part of a bundle: {error.message}") from error


class NotBundled(VenueError):
    """An executor cannot run these trades; another way may do."""

    code = "not_bundled"


def _bundled(terms: Terms) -> bool:
    return terms.choice.mode is PlanMode.BUNDLE


def _order(scene: Scene, terms: Terms, part: Passage, executor: Address) -> SwapOrder:
    """One trade of a bundle: exact in it may bring whatever it brings, for the bundle has a minimum at its end;
    exact out it may spend its share of what the bundle may spend.
    """
    if terms.choice.exact_in:
        return SwapOrder(part.legs, True, part.amount_in, Amount(1), executor, scene.deadline)
    flow = next((one for one in terms.spends if one.asset == part.asset_in), None)
    most = part.amount_in if flow is None else Amount(part.amount_in * flow.limit // flow.expected)
    return SwapOrder(part.legs, False, most, part.amount_out, executor, scene.deadline)
