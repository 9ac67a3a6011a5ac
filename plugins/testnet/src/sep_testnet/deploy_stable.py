"""Deploys our own StableSwap pools of two coins."""

from dataclasses import dataclass

from .deployment import StablePool
from .transactor import Transactor


@dataclass(frozen=True, slots=True)
class StablePools:
    """Makes pools out of the contract's creation code and fills them; the sender owns them and pays."""

    code: bytes
    me: Transactor

    def create(
        self, coins: tuple[tuple[str, int, int], tuple[str, int, int]], amplification: int, fee: int
    ) -> StablePool:
        """Create a pool of (coin, decimals, amount) in this order; fee in parts of 10^10."""
        addresses = [coin for coin, _, _ in coins]
        pool = self.me.deploy(
            self.code,
            ("address[2]", "uint256[2]", "uint256", "uint256"),
            addresses,
            [decimals for _, decimals, _ in coins],
            amplification,
            fee,
        )
        amounts = [amount for _, _, amount in coins]
        for coin, amount in zip(addresses, amounts, strict=True):
            self.me.execute(coin, "approve(address,uint256)", pool, amount)
        self.me.execute(pool, "add_liquidity(uint256[2],uint256)", amounts, 0)
        return StablePool(pool, tuple(addresses))
