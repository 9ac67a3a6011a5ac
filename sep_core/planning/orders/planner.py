"""The planner of orders: size, book, price limit, plan. One order at one venue, exact to the unit or better."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sep_hooks.context import Clock
from sep_hooks.types import (
    Address,
    Amount,
    AssetId,
    BlockRef,
    BookOrder,
    Call,
    Flow,
    LeftOut,
    Leg,
    MarketId,
    OrderSide,
    Plan,
    PlanMode,
    PriceBook,
    SnapshotRef,
    Step,
    StepKind,
    SwapOrder,
    TimeInForce,
    chain_of,
)

from sep_core.planning.digest import named
from sep_core.planning.limits import limit_in, limit_out, strictest
from sep_core.planning.marginal import compact
from sep_core.planning.orders.book import (
    BookView,
    Walk,
    at_price,
    highest_price,
    lots_for_at_least,
    lots_for_at_most,
    lowest_price,
    walk,
    with_fee,
)
from sep_core.planning.orders.proof import proof_of
from sep_core.planning.ports import Holdings
from sep_core.planning.request import NoPlan, Planned, PlanRefused, PlanRequest
from sep_core.planning.size import Size, size_of

NOBODY = Address("0x" + "00" * 20)
"""Whom an order's call is to: there is no call."""

METHOD = "one order in one book, walked level by level"


@dataclass(frozen=True, slots=True)
class OrderAccount:
    """An account at an order venue. `resting`: what is not taken at once rests until the deadline."""

    name: str
    venue: str
    resting: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What of an intent is exchanged already, of the asset that it is about."""

    asset: AssetId
    amount: int


class Books(Protocol):
    """The board of books."""

    def books(self, venue: str) -> Sequence[BookView]:
        """The venue's books that are followed now."""
        ...

    def left_out(self, venue: str) -> tuple[LeftOut, ...]:
        """What is not usable now, and why."""
        ...


type Prices = Callable[[Sequence[AssetId]], PriceBook | None]
"""What assets are worth now in the numéraire, by other markets."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An order before it has a price limit. `sized_in_base`: its lots are given, else what they bring or cost."""

    book: BookView
    side: OrderSide
    lots: int
    sized_in_base: bool
    limit: int


class OrderPlanner:
    """Plans intents of accounts at order venues from the books as they are followed; it changes nothing."""

    def __init__(
        self,
        books: Books,
        holdings: Holdings,
        clock: Clock,
        prices: Prices,
        *,
        numeraire: AssetId | None = None,
    ) -> None:
        self._books = books
        self._holdings = holdings
        self._clock = clock
        self._prices = prices
        self._numeraire = numeraire

    def plan(self, request: PlanRequest, account: OrderAccount, done: Done | None) -> Planned | PlanRefused:
        """The best order within the intent's constraints, or why there is none. Nothing is sent either way."""
        try:
            return self._planned(request, account, done)
        except NoPlan as refusal:
            return refusal.refused

    def _planned(self, request: PlanRequest, account: OrderAccount, done: Done | None) -> Planned:
        constraints = request.intent.constraints
        if constraints.venues and account.venue not in constraints.venues:
            raise NoPlan(
                "venue_not_allowed",
                f"account {account.name} trades at {account.venue}, which the intent does not allow; nothing was sent",
            )
        if request.deadline <= self._clock.now():
            raise NoPlan("deadline_passed", "the intent's deadline has passed; nothing was sent")
        size = _rest(request, self._holdings, done)
        refusal: NoPlan | None = None
        for other in size.others:
            if constraints.assets and other not in constraints.assets:
                continue
            for book in self._books.books(account.venue):
                if {book.base, book.quote} != {size.asset, other}:
                    continue
                try:
                    return self._chosen(request, account, _wanted(book, size), size)
                except NoPlan as error:
                    refusal = refusal or error
        if refusal is not None:
            raise refusal
        left_out = self._books.left_out(account.venue)
        why = "; ".join(f"{one.name}: {one.reason}" for one in left_out[:3])
        raise NoPlan(
            "no_route",
            f"{account.venue} has no book between what the account may spend and what is wanted"
            f"{f' ({why})' if why else ''}; nothing was sent",
            retryable=bool(left_out),
        )

    def _chosen(self, request: PlanRequest, account: OrderAccount, wanted: _Wanted, size: Size) -> Planned:
        book, side, lots = wanted.book, wanted.side, wanted.lots
        market = book.market
        taken = walk(market, book.against(side), lots)
        if taken.lots < lots and not account.resting:
            raise NoPlan(
                "insufficient_liquidity",
                f"{book.venue}/{market.name} offers {taken.lots} of the {lots} lots that are wanted; nothing was sent",
                retryable=True,
            )
        price = self._price(request, wanted, taken)
        if price * lots * market.tick < market.least_notional or lots > market.most_lots:
            raise NoPlan(
                "order_size_not_allowed",
                f"{book.venue}/{market.name} takes orders worth {market.least_notional} base units or more, of at most"
                f" {market.most_lots} lots; this one has {lots} and is worth {price * lots * market.tick};"
                " nothing was sent",
            )
        spends, receives = _flows(wanted, taken, price)
        held = self._holdings.holding(request.intent.account, request.intent.strategy, spends.asset)
        if held < spends.limit:
            raise NoPlan(
                "insufficient_funds",
                f"account {account.name} may spend {held} of {spends.asset}, up to {spends.limit} are needed;"
                " nothing was sent",
            )
        plan = self._plan(request, account, wanted, price, (spends, receives), size)
        return Planned(plan, self._priced(wanted, plan))

    def _price(self, request: PlanRequest, wanted: _Wanted, taken: Walk) -> int:
        """The limit of the order: never beyond the slippage that the intent allows, whatever it trades at."""
        book, side, lots = wanted.book, wanted.side, wanted.lots
        market, slippage = book.market, request.intent.constraints.max_slippage
        levels = book.against(side)
        if not levels:
            raise NoPlan(
                "insufficient_liquidity",
                f"nobody offers anything in {book.venue}/{market.name}; nothing was sent",
                retryable=True,
            )
        quantity = lots * market.lot
        marginal = _marginal(book, side)
        references = [
            (one.amount_out, one.amount_in)
            for one in request.references
            if (one.asset_in, one.asset_out) == _ends(book, side)
        ]
        strict = strictest(references, marginal)
        # What is not offered yet is measured at the best price, as is what is.
        rest = (lots - taken.lots) * levels[0][0] * market.tick
        quote = Amount(with_fee(market, side, taken.worth + rest))
        if side is OrderSide.BUY:
            bound = highest_price(market, lots, limit_in(quantity, strict, quote, slippage))
            fits = taken.last <= bound and wanted.limit <= bound
        else:
            bound = lowest_price(market, lots, limit_out(quantity, strict, quote, slippage))
            fits = taken.last >= bound and (wanted.sized_in_base or wanted.limit >= bound)
        if not fits:
            raise NoPlan(
                "slippage_exceeded",
                f"{lots} lots of {book.venue}/{market.name} reach from {levels[0][0]} to {taken.last} ticks, the limit"
                f" at max_slippage {slippage} is {bound}, fee included; nothing was sent",
                retryable=True,
            )
        return bound if wanted.sized_in_base else wanted.limit

    def _plan(
        self,
        request: PlanRequest,
        account: OrderAccount,
        wanted: _Wanted,
        price: int,
        flows: tuple[Flow, Flow],
        size: Size,
    ) -> Plan:
        (spends, receives), book = flows, wanted.book
        name = MarketId(f"{book.venue}/{book.market.name}")
        leg = Leg(name, spends.asset, receives.asset, spends.expected, receives.expected)
        how = TimeInForce.GOOD_TILL_CANCELLED if account.resting else TimeInForce.IMMEDIATE_OR_CANCEL
        step = Step(
            id=f"{request.attempt}.1-order",
            kind=StepKind.ORDER,
            chain=chain_of(spends.asset),
            call=Call(NOBODY, b""),
            gas_limit=0,
            venue=book.venue,
            order=SwapOrder(
                (leg,), size.exact_in, spends.limit, receives.limit, NOBODY, _seconds(request.deadline)
            ),
            book=BookOrder(book.market.name, wanted.side, price, wanted.lots, how),
        )
        marginal = compact(*_marginal(book, wanted.side))
        digest = book.digest
        return named(
            Plan(
                digest="",
                intent_id=request.intent.id,
                account=request.account_name,
                snapshot=SnapshotRef(digest, BlockRef(book.sequence, digest), _seconds(book.at), 1),
                steps=(step,),
                exact_in=size.exact_in,
                spends=(spends,),
                receives=(receives,),
                marginal=(Amount(marginal[0]), Amount(marginal[1])),
                gas_limit=0,
                max_fee_per_gas=0,
                method=METHOD,
                slices=1,
                slices_reason="whole: an order in a book pays no gas, so nothing says how small a slice may be",
                left_out=_dust(book, wanted, size),
                mode=PlanMode.ONE_CALL,
                mode_reason="the account is at this venue, and one book leads from one asset to the other",
                certificate=proof_of(
                    self._books.books(book.venue), (spends, receives), exact_in=size.exact_in, method=METHOD
                ),
            )
        )

    def _priced(self, wanted: _Wanted, plan: Plan) -> PriceBook | None:
        if self._numeraire is None:
            return None
        return self._prices([flow.asset for flow in (*plan.spends, *plan.receives)])


def _rest(request: PlanRequest, holdings: Holdings, done: Done | None) -> Size:
    """What is left of the intent. Raises `NoPlan`."""
    # Of the whole, whose share may have to be measured as it was before a part was exchanged.
    request = replace(request, progress=None)
    if done is None or done.amount == 0:
        return size_of(request, holdings)
    size = size_of(request, _Before(holdings, done, sold=request.intent.type.value == "DISPOSE"))
    left = size.amount - done.amount
    if left <= 0:
        raise NoPlan("nothing_to_do", "all that was wanted is exchanged already")
    return replace(size, amount=Amount(left))


class _Before:
    """Holdings as they were before a part was exchanged, so that a share stays the share that was asked for."""

    def __init__(self, holdings: Holdings, done: Done, *, sold: bool) -> None:
        self._holdings = holdings
        self._done = done
        self._sold = sold

    def holding(self, account: str, strategy: str, asset: AssetId) -> Amount:
        """What could be spent then."""
        held = self._holdings.holding(account, strategy, asset)
        if asset != self._done.asset:
            return held
        return Amount(max(0, held + self._done.amount if self._sold else held - self._done.amount))


def _wanted(book: BookView, size: Size) -> _Wanted:
    market = book.market
    side = OrderSide.BUY if (size.asset == book.base) != size.exact_in else OrderSide.SELL
    levels = book.against(side)
    if size.asset == book.base:
        lots, limit, sized = size.amount // market.lot, 0, True
    else:
        find = lots_for_at_most if side is OrderSide.BUY else lots_for_at_least
        (lots, limit), sized = find(market, levels, size.amount), False
    if lots == 0:
        raise NoPlan(
            "nothing_to_do" if sized else "insufficient_liquidity",
            f"{size.amount} of {size.asset} is less than one lot of {book.venue}/{market.name} ({market.lot} base"
            " units), or more than it offers; nothing was sent",
            retryable=not sized,
        )
    return _Wanted(book, side, lots, sized, limit)


def _flows(wanted: _Wanted, taken: Walk, price: int) -> tuple[Flow, Flow]:
    """What the order spends and receives: expected on this book, and at worst."""
    book, side, lots = wanted.book, wanted.side, wanted.lots
    market = book.market
    expected = Amount(with_fee(market, side, taken.worth + (lots - taken.lots) * price * market.tick))
    worst, quantity = Amount(at_price(market, side, price, lots)), Amount(lots * market.lot)
    base = Flow(book.base, quantity, quantity, quantity)
    quote = Flow(book.quote, expected, worst, expected)
    return (quote, base) if side is OrderSide.BUY else (base, quote)


def _ends(book: BookView, side: OrderSide) -> tuple[AssetId, AssetId]:
    return (book.quote, book.base) if side is OrderSide.BUY else (book.base, book.quote)


def _marginal(book: BookView, side: OrderSide) -> tuple[int, int]:
    """Output per input at the best price, before fees."""
    lot, cost = int(book.market.lot), book.against(side)[0][0] * book.market.tick
    return (lot, cost) if side is OrderSide.BUY else (cost, lot)


def _dust(book: BookView, wanted: _Wanted, size: Size) -> tuple[LeftOut, ...]:
    rest = size.amount - wanted.lots * book.market.lot if wanted.sized_in_base else 0
    if not rest:
        return ()
    return (
        LeftOut(
            f"{book.venue}/{book.market.name}",
            f"{rest} base units are less than a lot of {book.market.lot} and are not traded",
        ),
    )


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
