"""Approvals as steps of a plan: of exactly what the swap may take, and of nothing once it is done.

What the swap leaves over (exact out spends less than its limit; a reverted or expired swap spends nothing) is taken
back by the plan's last step, signed together with the others: no allowance of ours outlives its plan. One that is
there already and suffices is used and then taken back too, unless it is unlimited: that one is the owner's own.
Only a bundle that sells so many assets that not all can be taken back leaves some to the account's own executor;
its plan names them.
"""

from dataclasses import dataclass

from sep_hooks.types import Address, Amount, AssetId, Call, token_address

UNLIMITED = 2**255
_APPROVE = bytes.fromhex("095ea7b3")


@dataclass(frozen=True, slots=True)
class Approval:
    """What the spender shall be allowed to take."""

    token: AssetId
    spender: Address
    amount: Amount

    @property
    def call(self) -> Call:
        """`approve(spender, amount)` on the token."""
        spender = bytes.fromhex(self.spender[2:]).rjust(32, b"\0")
        return Call(token_address(self.token), _APPROVE + spender + self.amount.to_bytes(32))


def approvals(
    token: AssetId, spender: Address, allowed: int, needed: Amount, *, reset_first: bool
) -> tuple[tuple[Approval, ...], tuple[Approval, ...]]:
    """The approvals before and after a swap that may take `needed`, given what is allowed now.

    `reset_first` is for tokens that refuse to change an allowance which is not zero.
    """
    nothing = Approval(token, spender, Amount(0))
    if allowed >= needed:
        return (), () if allowed >= UNLIMITED else (nothing,)
    before = Approval(token, spender, needed)
    return ((nothing, before) if reset_first and allowed else (before,)), (nothing,)
