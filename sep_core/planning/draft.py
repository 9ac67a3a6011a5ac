"""The steps of a plan before they have gas limits: calls in order, each with what it is for."""

from collections.abc import Sequence
from dataclasses import dataclass

from sep_hooks.types import Amount, AssetId, Bundle, Call, ChainRef, Step, StepKind, SwapOrder

from sep_core.planning.approvals import Approval


@dataclass(frozen=True, slots=True)
class Draft:
    """The calls of one plan in the order of their nonces: approvals, the exchange, and what takes approvals back.

    The exchange is the `order` of one venue, or a `bundle` of several. `stays` are the tokens of which the executor
    stays allowed what the bundle does not take: there is no room for a transaction that takes it back.
    """

    venue: str
    exchange: Call
    before: tuple[Approval, ...]
    after: tuple[Approval, ...]
    order: SwapOrder | None = None
    bundle: Bundle | None = None
    stays: tuple[AssetId, ...] = ()

    @property
    def remark(self) -> str:
        """What a plan has to say of allowances that outlive it; empty where none can."""
        if not self.stays:
            return ""
        tokens = ", ".join(self.stays)
        return (
            f"; what the bundle does not take of {tokens} stays allowed to the account's executor, which no one but"
            " the account can call, until a later plan of that token takes it back"
        )

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls, for simulation."""
        return (*(one.call for one in self.before), self.exchange, *(one.call for one in self.after))

    @property
    def exchange_at(self) -> int:
        """The place of the exchange among the calls."""
        return len(self.before)

    @property
    def what(self) -> str:
        """How the exchange is called."""
        return "the swap" if self.bundle is None else "the bundle"

    def steps(self, chain: ChainRef, attempt: int, gas_limits: Sequence[int]) -> tuple[Step, ...]:
        """The steps of a plan. Their ids say attempt and place: a new plan never repeats the id of an old step."""
        parts: list[Approval | None] = [*self.before, None, *self.after]
        return tuple(
            self._step(f"{attempt}.{place}", part, chain, gas_limit)
            for place, (part, gas_limit) in enumerate(zip(parts, gas_limits, strict=True), start=1)
        )

    def _step(self, place: str, approval: Approval | None, chain: ChainRef, gas_limit: int) -> Step:
        if approval is None and self.bundle is not None:
            return Step(
                f"{place}-bundle",
                StepKind.BUNDLE,
                chain,
                self.exchange,
                gas_limit,
                self.venue,
                bundle=self.bundle,
            )
        if approval is None:
            return Step(
                f"{place}-swap", StepKind.SWAP, chain, self.exchange, gas_limit, self.venue, self.order
            )
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
