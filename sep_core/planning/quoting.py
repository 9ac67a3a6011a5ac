"""The chain's own quotes of passages: the check on ours at the snapshot's block, and what holds at the head."""

from collections.abc import Sequence
from dataclasses import replace

from sep_hooks.errors import CallReverted
from sep_hooks.types import Amount, Block, Leg, SwapOrder

from sep_core.planning.flows import takes_rest
from sep_core.planning.passage import Passage
from sep_core.planning.request import NoPlan
from sep_core.planning.scene import Scene
from sep_core.planning.venues import VenueFailed, Venues
from sep_core.telemetry.crashpoints import crossing


class Quoting:
    """Asks for each passage what its venue's contracts say; changes nothing."""

    def __init__(self, venues: Venues) -> None:
        self._venues = venues

    async def confirmed(self, scene: Scene, parts: Sequence[Passage]) -> tuple[Passage, ...]:
        """The passages as the chain quotes them at the snapshot's block, which must be ours to the unit; of markets
        that are known by samples alone the chain's amounts are taken. Raises `NoPlan` and `VenueFailed`.
        """
        return await self._quoted(scene, parts, scene.snapshot.block, compare=True)

    async def at_head(self, scene: Scene, parts: Sequence[Passage]) -> tuple[Passage, ...]:
        """The same at the latest block. Raises `VenueFailed`."""
        if scene.head.hash == scene.snapshot.block.hash:
            return tuple(parts)
        return await self._quoted(scene, parts, scene.head, compare=False)

    async def _quoted(
        self, scene: Scene, parts: Sequence[Passage], at: Block, *, compare: bool
    ) -> tuple[Passage, ...]:
        if not scene.size.exact_in:
            return tuple([await self._backwards(scene, part, at, compare=compare) for part in parts])
        rests = takes_rest(parts)
        left: dict[str, int] = {}  # how much more or less than planned there is of each asset on the way
        made: list[Passage] = []
        for part, rest in zip(parts, rests, strict=True):
            amount = part.amount_in + (left.pop(part.asset_in, 0) if rest else 0)
            quote = await self._ask(scene, part, amount, part.amount_out, at) if amount > 0 else Amount(0)
            sampled = any(scene.sampled(leg.market) for leg in part.legs)
            if compare and amount == part.amount_in and quote != part.amount_out and not sampled:
                raise QuoteDisagrees(part, quote, part.amount_out, at)
            left[part.asset_out] = left.get(part.asset_out, 0) + quote - part.amount_out
            made.append(_with_ends(part, amount, quote))
        return tuple(made)

    async def _backwards(self, scene: Scene, part: Passage, at: Block, *, compare: bool) -> Passage:
        quote = await self._ask(scene, part, part.amount_in, part.amount_out, at)
        if compare and quote != part.amount_in:
            raise QuoteDisagrees(part, quote, part.amount_in, at)
        return _with_ends(part, quote, part.amount_out)

    async def _ask(self, scene: Scene, part: Passage, amount_in: int, amount_out: int, at: Block) -> Amount:
        owner = scene.request.account
        order = SwapOrder(
            part.legs, scene.size.exact_in, Amount(amount_in), Amount(amount_out), owner, scene.deadline
        )
        call = self._venues.quote_call(part.venue, order)
        try:
            output = await crossing("planning.quote", scene.chain.call(call, owner, at.ref))
        except CallReverted as error:
            raise VenueFailed(part.venue, f"its quote on chain reverts: {error.message}") from error
        return self._venues.quoted_amount(part.venue, order, output)


class QuoteDisagrees(NoPlan):
    """A venue's contracts say another amount than its state gives; its markets are left out of the plan."""

    def __init__(self, part: Passage, quote: int, ours: int, at: Block) -> None:
        super().__init__(
            "quote_disagrees",
            f"{part.venue} quotes {quote} on chain at block {at.number}, the snapshot says {ours}; nothing was sent",
            retryable=True,
        )
        self.venue = part.venue


def _with_ends(part: Passage, amount_in: int, amount_out: int) -> Passage:
    legs: list[Leg] = list(part.legs)
    legs[0] = replace(legs[0], amount_in=Amount(amount_in))
    legs[-1] = replace(legs[-1], amount_out=Amount(amount_out))
    return Passage(part.venue, tuple(legs))
