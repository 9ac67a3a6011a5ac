"""The terms of a plan: what its own steps spend and bring, at which limits, and the same of the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from sep_hooks.types import Amount, AssetId, Flow, PlanMode, Quantity, ratio_parts

from sep_core.planning.candidate import Candidate, flows_of
from sep_core.planning.candidate import Fraction as Price
from sep_core.planning.flows import net_of
from sep_core.planning.limits import least_out, most_in, strictest
from sep_core.planning.passage import Passage
from sep_core.planning.progress import Progress
from sep_core.planning.rebalance import Rebalance
from sep_core.planning.request import NoPlan
from sep_core.planning.scene import Scene

_NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Terms:
    """Flows of this plan's steps. `whole` is what binds several transactions together, None for one alone."""

    choice: Candidate
    spends: tuple[Flow, ...]
    receives: tuple[Flow, ...]
    whole: tuple[Flow, Flow] | None

    def within(self, held: Sequence[Amount]) -> "Terms":
        """The same, no limit above what may be spent of its asset."""
        capped = tuple(
            replace(flow, limit=min(flow.limit, most)) for flow, most in zip(self.spends, held, strict=True)
        )
        return replace(self, spends=capped)


def terms_of(
    scene: Scene, choice: Candidate, confirmed: Sequence[Passage], at_head: Sequence[Passage]
) -> Terms:
    """The terms that follow from the chain's quotes. Raises `NoPlan` where what is expected breaks them already."""
    choice = replace(choice, passages=tuple(confirmed))
    if scene.rebalance is not None:
        return _of_weights(scene, scene.rebalance, choice, at_head)
    spends, receives = _limited(scene, choice, at_head)
    progress = scene.request.progress
    if progress is not None:
        spends, receives = _bound(progress, spends, receives, choice.exact_in)
    _check(scene, choice, spends, receives)
    before = None if progress is None else (progress.spends, progress.receives)
    if choice.mode is not PlanMode.SEQUENCE:
        return Terms(choice, spends, (receives,), before)
    own = _first(scene, choice, at_head[0], spends[0], receives)
    _check(scene, choice, (own[0],), own[1])
    return Terms(choice, (own[0],), (own[1],), before or (spends[0], receives))


def _limited(scene: Scene, choice: Candidate, at_head: Sequence[Passage]) -> tuple[tuple[Flow, ...], Flow]:
    slippage, wanted = scene.constraints.max_slippage, choice.asset_out
    spends, received = flows_of(choice.passages, [wanted])
    head_spends, head_received = flows_of(at_head, [wanted])
    quoted_out = head_received[0][1] if head_received else Amount(0)
    prices = [
        _price(scene, asset, wanted, marginal)
        for (asset, _), marginal in zip(spends, choice.marginals, strict=True)
    ]
    if choice.exact_in:
        given = [(int(amount), price) for (_, amount), price in zip(spends, prices, strict=True)]
        got = received[0][1] if received else Amount(0)
        return (
            tuple(Flow(asset, amount, amount, amount) for asset, amount in spends),
            Flow(wanted, got, least_out(given, quoted_out, slippage), quoted_out),
        )
    asked = dict(head_spends)
    quotes = [asked.get(asset, amount) for asset, amount in spends]
    most = most_in(scene.size.amount, list(zip(quotes, prices, strict=True)), slippage)
    flows = tuple(
        Flow(asset, amount, limit, quote)
        for (asset, amount), limit, quote in zip(spends, most, quotes, strict=True)
    )
    return flows, Flow(wanted, scene.size.amount, scene.size.amount, scene.size.amount)


def _price(scene: Scene, spent: AssetId, wanted: AssetId, marginal: Price) -> Price:
    references = [
        (int(one.amount_out), int(one.amount_in))
        for one in scene.request.references
        if (one.asset_in, one.asset_out) == (spent, wanted)
    ]
    return strictest(references, marginal)


def _bound(
    progress: Progress, spends: tuple[Flow, ...], receives: Flow, exact_in: bool
) -> tuple[tuple[Flow, ...], Flow]:
    """Never below the limit of the whole: what came before counts, what is left must make up for the rest."""
    if exact_in:
        least = Amount(max(receives.limit, progress.receives.limit - progress.received))
        return spends, replace(receives, limit=least)
    most = max(0, progress.spends.limit - progress.spent)
    return tuple(replace(flow, limit=Amount(min(flow.limit, most))) for flow in spends), receives


def _first(
    scene: Scene, choice: Candidate, at_head: Passage, whole_in: Flow, whole_out: Flow
) -> tuple[Flow, Flow]:
    """The first of several transactions: its own minimum, and no more than its share of the whole's slack."""
    slippage = scene.constraints.max_slippage
    part, *others = choice.passages
    if choice.exact_in:
        least = least_out([], at_head.amount_out, slippage)
        if part.asset_out == choice.asset_out:
            still = sum(one.amount_out for one in others if one.asset_out == choice.asset_out)
            least = Amount(max(least, whole_out.limit - still))
        spent = Flow(part.asset_in, part.amount_in, part.amount_in, part.amount_in)
        return spent, Flow(part.asset_out, part.amount_out, least, at_head.amount_out)
    (most,) = most_in(part.amount_out, [(at_head.amount_in, None)], slippage)
    still = sum(one.amount_in for one in others)
    most = Amount(max(0, min(most, whole_in.limit - still)))
    spent = Flow(part.asset_in, part.amount_in, most, at_head.amount_in)
    return spent, Flow(part.asset_out, part.amount_out, part.amount_out, part.amount_out)


def _of_weights(scene: Scene, wanted: Rebalance, choice: Candidate, at_head: Sequence[Passage]) -> Terms:
    """Each asset bought has a minimum of its own, and together they keep the slippage in worth at reference prices,
    with what earlier transactions have lost. Of several transactions the next one alone is bound, for the weights are
    looked at afresh after it: by itself, and so that the others can keep what binds all.
    """
    slippage = scene.constraints.max_slippage
    targets = [one.asset for one in wanted.parts]
    spends, receives = flows_of(choice.passages, targets)
    quoted = dict(flows_of(at_head, targets)[1])
    worth = {one.asset: one.price for one in wanted.parts}
    part, below = ratio_parts(slippage)
    kept = Fraction(max(0, below - part), below)
    given = sum((amount * worth[asset] for asset, amount in spends), Fraction(0))
    coming = sum((quoted.get(asset, 0) * worth[asset] for asset, _ in receives), Fraction(0))
    loss, most = _lost_before(scene, worth), _losable(scene, worth, spends, kept)
    wanted_worth = given - min((1 - kept) * given, most - loss)
    if wanted_worth > coming:
        raise _too_dear(scene, choice.name, coming, given, loss)
    share = max(kept, wanted_worth / coming) if coming else Fraction(1)
    sold = tuple(Flow(asset, amount, amount, amount) for asset, amount in spends)
    bought = tuple(
        Flow(asset, amount, _ceiling(quoted.get(asset, 0) * share), quoted.get(asset, Amount(0)))
        for asset, amount in receives
    )
    if choice.mode is not PlanMode.SEQUENCE:
        return Terms(choice, sold, bought, None)
    first, quote = choice.passages[0], at_head[0].amount_out
    if first.asset_in not in worth or first.asset_out not in worth:
        raise NoPlan(
            "not_in_parts",
            f"{choice.name}: in several transactions the account would hold {first.asset_out} in between, which the"
            " intent does not weigh; only an executor could run it in one; nothing was sent",
            retryable=True,
        )
    price = worth[first.asset_out]
    own = first.amount_in * worth[first.asset_in]
    expected = sum((amount * worth[asset] for asset, amount in receives), Fraction(0))
    others = max(Fraction(0), given - expected - (own - first.amount_out * price))
    least_worth = own - min((1 - kept) * own, most - loss - others)
    least = Amount(max(least_out([], quote, slippage), _ceiling(least_worth / price)))
    if least > min(first.amount_out, quote):
        raise _too_dear(scene, choice.name, quote * price, own, loss + others)
    return Terms(
        choice,
        (Flow(first.asset_in, first.amount_in, first.amount_in, first.amount_in),),
        (Flow(first.asset_out, first.amount_out, least, at_head[0].amount_out),),
        None,
    )


def _lost_before(scene: Scene, worth: Mapping[AssetId, Fraction]) -> Fraction:
    """What earlier transactions of a rebalance have cost in worth, at the prices that the weights are measured at."""
    return -sum((change * worth.get(asset, _NOTHING) for asset, change in _before(scene)), _NOTHING)


def _losable(
    scene: Scene,
    worth: Mapping[AssetId, Fraction],
    spends: Sequence[tuple[AssetId, Amount]],
    kept: Fraction,
) -> Fraction:
    """What a rebalance may lose in all: its slippage of what is sold, before and now."""
    net = net_of([*_before(scene), *((asset, -int(amount)) for asset, amount in spends)])
    sold = sum(
        (-amount * worth.get(asset, _NOTHING) for asset, amount in net.items() if amount < 0), _NOTHING
    )
    return (1 - kept) * sold


def _before(scene: Scene) -> Sequence[tuple[AssetId, Quantity]]:
    # Without prices that stay, what the market did since would count as a loss of ours.
    return scene.request.moved if scene.request.references else ()


def _too_dear(scene: Scene, name: str, coming: Fraction, given: Fraction, besides: Fraction) -> NoPlan:
    more = f", and {float(besides / given):.4%} of it are lost besides" if besides > 0 else ""
    return NoPlan(
        "slippage_exceeded",
        f"{name}: what is bought is worth {float(1 - coming / given):.4%} less than what is sold{more},"
        f" max_slippage is {scene.constraints.max_slippage}; nothing was sent",
        retryable=True,
    )


def _ceiling(amount: Fraction) -> Amount:
    return Amount(-(-amount.numerator // amount.denominator))


def _check(scene: Scene, choice: Candidate, spends: Sequence[Flow], receives: Flow) -> None:
    slippage = scene.constraints.max_slippage
    if choice.exact_in:
        broken = receives.expected < receives.limit or receives.limit == 0
        numbers = f"{receives.expected} would come, the limit is {receives.limit}"
        quote = str(receives.quoted)
    else:
        broken = any(flow.expected > flow.limit for flow in spends)
        spent, most, asked = (
            " + ".join(str(getattr(flow, figure)) for flow in spends)
            for figure in ("expected", "limit", "quoted")
        )
        numbers, quote = f"{spent} would be spent, the limit is {most}", asked
    if broken:
        raise NoPlan(
            "slippage_exceeded",
            f"{choice.name}: {numbers} at max_slippage {slippage} against the worse of the price before"
            f" fees and impact and the quote on chain ({quote}); nothing was sent",
            # At one block it is fee and impact that cost too much, and waiting does not change them; against an
            # earlier price it is the market that moved, and it may come back.
            retryable=bool(scene.request.references or scene.request.progress)
            or scene.head.hash != scene.snapshot.block.hash,
        )
