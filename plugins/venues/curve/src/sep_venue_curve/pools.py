"""Pools: the facts that never change, and the numbers that do."""

from collections.abc import Sequence
from dataclasses import dataclass

from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import Read, number
from sep_hooks.types import (
    AbiValue,
    Address,
    LiquidityFamily,
    Market,
    MarketId,
    erc20,
    evm_chain,
)

from .invariant import AMPLIFICATION_PRECISION

SWAP_GAS = 60_000
SWAP_GAS_PER_COIN = 30_000
"""About what one pass adds to a transaction: the invariant's rounds go over all coins."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool's immutable facts. `index_type` is how it numbers its coins, `precise` says that it tells A times 100,
    `ramps` that it can move A; `fee_ppm` is the fee when it was found.
    """

    address: Address
    coins: tuple[Address, ...]
    rates: tuple[int, ...]
    index_type: str
    precise: bool
    ramps: bool
    fee_ppm: int

    def reads(self) -> Sequence[Read]:
        """What to ask for `Numbers`, in its order."""
        balances = [
            Read(self.address, f"balances({self.index_type})", (index,), "(uint256)")
            for index in range(len(self.coins))
        ]
        amplification = "A_precise()" if self.precise else "A()"
        names = [amplification, "fee()", *(("future_A()",) if self.ramps else ())]
        return [*balances, *(Read(self.address, name, (), "(uint256)") for name in names)]

    def numbers(self, answers: Sequence[tuple[AbiValue, ...]]) -> "Numbers":
        """The numbers out of the answers to `reads`."""
        values = [number(value) for (value,) in answers]
        count = len(self.coins)
        amplification, fee = values[count], values[count + 1]
        goal = values[count + 2] if self.ramps else amplification
        unit = 1 if self.precise else AMPLIFICATION_PRECISION
        return Numbers(tuple(values[:count]), amplification * unit, fee, moves=goal != amplification)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What changes in a pool; `amplification` is kept times 100 and `moves` while it is being ramped."""

    balances: tuple[int, ...]
    amplification: int
    fee: int
    moves: bool


def market_of(pool: Pool, context: VenueContext) -> Market:
    """The pool as a market."""
    return Market(
        id=market_id(context, pool.address),
        venue=context.instance,
        chain=evm_chain(context.chain_id),
        family=LiquidityFamily.STABLE_SWAP,
        address=pool.address,
        assets=tuple(erc20(context.chain_id, coin) for coin in pool.coins),
        fee_ppm=pool.fee_ppm,
        gas=SWAP_GAS + SWAP_GAS_PER_COIN * len(pool.coins),
    )


def market_id(context: VenueContext, pool: Address) -> MarketId:
    """The market's name: instance and pool address."""
    return MarketId(f"{context.instance}/{pool}")
