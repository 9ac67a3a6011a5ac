"""The steps of a plan before they have gas limits: calls in order, each with what it is for."""

from collections.abc import Sequence
from dataclasses import dataclass

from sep_hooks.types import Amount, Call, ChainRef, Step, StepKind, SwapOrder

from sep_core.planning.approvals import Approval


@dataclass(frozen=True, slots=True)
class Draft:
    """The calls of one plan in the order of their nonces; `swap_at` is the place of the swap."""

    venue: str
    order: SwapOrder
    swap: Call
    before: tuple[Approval, ...]
    after: tuple[Approval, ...]

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls, for simulation."""
        return (*(one.call for one in self.before), self.swap, *(one.call for one in self.after))

    @property
    def swap_at(self) -> int:
        """The place of the swap among the calls."""
        return len(self.before)

    def steps(self, chain: ChainRef, attempt: int, gas_limits: Sequence[int]) -> tuple[Step, ...]:
        """The steps of a plan. Their ids say attempt and place: a new plan never repeats the id of an old step."""
        parts: list[Approval | None] = [*self.before, None, *self.after]
        return tuple(
            self._step(f"{attempt}.{place}", part, chain, gas_limit)
            for place, (part, gas_limit) in enumerate(zip(parts, gas_limits, strict=True), start=1)
        )

    def _step(self, place: str, approval: Approval | None, chain: ChainRef, gas_limit: int) -> Step:
        if approval is None:
            return Step(f"{place}-swap", StepKind.SWAP, chain, self.swap, gas_limit, self.venue, self.order)
        name = "approve" if approval.amount > 0 else "revoke"
        return Step(
            f"{place}-{name}",
            StepKind.APPROVE,
            chain,
            approval.call,
            gas_limit,
            self.venue,
            token=approval.token,
            spender=approval.spender,
            allowance=Amount(approval.amount),
        )
