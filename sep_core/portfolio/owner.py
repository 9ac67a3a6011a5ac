"""For whom an account is kept."""

from dataclasses import dataclass

from sep_hooks.types import Address, ChainRef

UNALLOCATED = "unallocated"
"""The strategy of what belongs to none; an account's only strategy owns it whole."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A configured account, its address on a chain, and the strategy that its money belongs to."""

    account: str
    chain: ChainRef
    address: Address
    strategy: str = UNALLOCATED


def owner_of(account: str, chain: ChainRef, address: Address, strategies: tuple[str, ...]) -> Owner:
    """The owner of an account for which these strategies act: the only one, or none of several."""
    return Owner(account, chain, address, strategies[0] if len(strategies) == 1 else UNALLOCATED)
