"""Random pools of genuine contracts, for tests that compare our mathematics with theirs."""

import math
import random
from collections.abc import Sequence

from .deploy import (
    MAX_TICK,
    MAX_UINT256,
    TICK_SPACINGS,
    PositionManager,
    add_v2_liquidity,
    deploy_token,
    sorted_tokens,
    sqrt_price_of,
    widest_range,
)
from .deploy_balancer import BalancerPools
from .deploy_stable import StablePools
from .deployment import BalancerPool, StablePool, V2Pair, V3Pool
from .testnet import Testnet
from .transactor import Transactor

_DECIMALS = (6, 8, 18)
_Q96 = 2**96
_PLENTY = 10**60
_MOST_IN_A_POSITION = 2**110
_LEAST_IN_A_POSITION = 10**4
_MOST_IN_A_PAIR = 10**33
_WHOLE = 10**18
_LEAST_WEIGHT = 10**16
_MOST_BALANCER_WEIGHTED = 8
_MOST_BALANCER_STABLE = 5


class RandomPools:
    """Builds pools of fresh tokens out of one seeded source; the first account provides and holds them."""

    def __init__(self, testnet: Testnet, source: random.Random) -> None:
        self._testnet = testnet
        self._source = source
        self._me = Transactor(testnet.rpc, testnet.deployment.deployer, mines=True)

    def token(self) -> str:
        """Deploy a token with random decimals and give the first account plenty of it."""
        self._testnet.set_automine(False)
        try:
            decimals = self._source.choice(_DECIMALS)
            code = self._testnet.artifacts.creation["MintableERC20"]
            token = deploy_token(self._me, code, "Random", f"R{decimals}", decimals)
            self._me.execute(token, "mint(address,uint256)", self._me.sender, _PLENTY)
            return token
        finally:
            self._testnet.set_automine(True)

    def v3_pool(
        self, *, fee: int | None = None, positions: int | None = None, widest_tick: int = 200_000
    ) -> V3Pool:
        """Build a V3 pool at a random price with overlapping positions, at least one around the price."""
        token0, token1 = sorted_tokens(self.token(), self.token())
        deployment = self._testnet.deployment
        manager = PositionManager(deployment.position_manager, deployment.v3_factory, self._me)
        chosen_fee = fee if fee is not None else self._source.choice(tuple(TICK_SPACINGS))
        count = positions if positions is not None else self._source.randint(1, 6)
        tick = self._source.randint(-widest_tick, widest_tick)
        self._testnet.set_automine(False)
        try:
            for token in (token0, token1):
                self._me.execute(token, "approve(address,uint256)", manager.address, MAX_UINT256)
            pool = manager.create_pool(token0, token1, chosen_fee, self._sqrt_price(tick))
            for index in range(count):
                lower, upper = self._range(tick, pool.tick_spacing, around=index == 0)
                manager.mint(pool, lower, upper, *self._amounts(tick, lower, upper))
            return pool
        finally:
            self._testnet.set_automine(True)

    def v3_pool_over_all(self, fee: int, amount: int) -> V3Pool:
        """Build a V3 pool at a price of one with one position of equal amounts over all usable ticks."""
        a, b = self.token(), self.token()
        deployment = self._testnet.deployment
        manager = PositionManager(deployment.position_manager, deployment.v3_factory, self._me)
        self._testnet.set_automine(False)
        try:
            for token in (a, b):
                self._me.execute(token, "approve(address,uint256)", manager.address, MAX_UINT256)
            pool = manager.create_pool(a, b, fee, sqrt_price_of(1, 1))
            manager.mint(pool, *widest_range(pool.tick_spacing), amount, amount)
            return pool
        finally:
            self._testnet.set_automine(True)

    def v2_pair(self) -> V2Pair:
        """Build a V2 pair with random reserves over thirty orders of magnitude."""
        a, b = self.token(), self.token()
        deployment = self._testnet.deployment
        self._testnet.set_automine(False)
        try:
            return add_v2_liquidity(
                self._me,
                deployment.v2_factory,
                deployment.v2_router,
                (a, self._log_uniform(10**4, _MOST_IN_A_PAIR)),
                (b, self._log_uniform(10**4, _MOST_IN_A_PAIR)),
            )
        finally:
            self._testnet.set_automine(True)

    def weighted_pool(self, *, assets: int | None = None) -> BalancerPool:
        """Build a Balancer weighted pool of 2 to 8 tokens with random weights, fee and amounts."""
        count = assets or self._source.randint(2, _MOST_BALANCER_WEIGHTED)
        tokens = [self.token() for _ in range(count)]
        weights = self._weights(count)
        amounts = [self._units(token, 10**9) for token in tokens]
        self._testnet.set_automine(False)
        try:
            parts = list(zip(tokens, weights, amounts, strict=True))
            return self._balancer().weighted(parts, self._log_uniform(10**12, 10**17))
        finally:
            self._testnet.set_automine(True)

    def composable_stable_pool(self, *, assets: int | None = None) -> BalancerPool:
        """Build a Balancer composable stable pool of 2 to 5 tokens, some of them with a rate other than one."""
        count = assets or self._source.randint(2, _MOST_BALANCER_STABLE)
        tokens = [self.token() for _ in range(count)]
        parts = list(zip(tokens, self._alike(tokens), strict=True))
        providers = {token: self._rate_provider() for token in tokens if self._source.random() < 0.4}
        self._testnet.set_automine(False)
        try:
            amplification, fee = self._log_uniform(1, 5000), self._log_uniform(10**12, 10**17)
            return self._balancer().stable(parts, amplification, fee, providers)
        finally:
            self._testnet.set_automine(True)

    def stable_pool(self) -> StablePool:
        """Build a plain StableSwap pool of two coins with random decimals, amplification, fee and amounts."""
        tokens = (self.token(), self.token())
        one, other = zip(tokens, map(self._decimals, tokens), self._alike(tokens), strict=True)
        pools = StablePools(self._testnet.artifacts.creation["StablePool"], self._me)
        self._testnet.set_automine(False)
        try:
            return pools.create((one, other), self._log_uniform(1, 10**5), self._log_uniform(1, 10**8))
        finally:
            self._testnet.set_automine(True)

    def _balancer(self) -> BalancerPools:
        deployment = self._testnet.deployment
        return BalancerPools(
            deployment.balancer_vault,
            deployment.balancer_queries,
            deployment.weighted_factory,
            deployment.composable_stable_factory,
            self._me,
        )

    def _weights(self, count: int) -> list[int]:
        """Give weights of at least a hundredth each, which sum to exactly one."""
        shares = [self._log_uniform(10**6, 10**9) for _ in range(count)]
        free = _WHOLE - count * _LEAST_WEIGHT
        weights = [_LEAST_WEIGHT + free * share // sum(shares) for share in shares]
        return [weights[0] + _WHOLE - sum(weights), *weights[1:]]

    def _alike(self, tokens: Sequence[str]) -> list[int]:
        """Give amounts that differ by less than a factor of 20, each in its own decimals."""
        units = self._log_uniform(10**3, 10**9)
        return [
            int(units * math.exp(self._source.uniform(-1.5, 1.5)) * 10**3) * 10 ** (self._decimals(token) - 3)
            for token in tokens
        ]

    def _units(self, token: str, most: int) -> int:
        """Give an amount of up to `most` whole units, in base units."""
        decimals = self._decimals(token)
        return self._log_uniform(10**decimals, most * 10**decimals)

    def _decimals(self, token: str) -> int:
        (decimals,) = self._testnet.read(token, "decimals()", ("uint8",))
        return int(str(decimals))

    def _rate_provider(self) -> str:
        """Place a contract that answers every call with one rate between 0.5 and 2, in parts of 10^18."""
        rate = self._source.randint(_WHOLE // 2, 2 * _WHOLE)
        place = "0x" + self._source.randbytes(20).hex()
        # PUSH32 rate, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN
        code = "0x7f" + rate.to_bytes(32).hex() + "5f5260205ff3"
        self._testnet.rpc.call("anvil_setCode", place, code)
        return place

    def _sqrt_price(self, tick: int) -> int:
        """Give a root price somewhere inside a tick."""
        return int(_root(tick) * (1 + self._source.random() * 4e-5) * _Q96)

    def _range(self, tick: int, spacing: int, *, around: bool) -> tuple[int, int]:
        lowest, highest = widest_range(spacing)
        if around and self._source.random() < 0.2:
            return lowest, highest
        centre = tick // spacing
        reach = MAX_TICK // spacing
        below = self._log_uniform(1, max(2, reach // 8))
        above = self._log_uniform(1, max(2, reach // 8))
        shift = 0 if around else self._source.choice((-1, 1)) * self._log_uniform(1, max(2, reach // 16))
        lower = max(lowest, (centre + shift - below) * spacing)
        upper = min(highest, (centre + shift + above) * spacing)
        return (lower, upper) if lower < upper else (lowest, highest)

    def _amounts(self, tick: int, lower: int, upper: int) -> tuple[int, int]:
        """Give amounts of a random liquidity: enough on each needed side, and never beyond what fits."""
        price, low, high = _root(tick), _root(lower), _root(upper)
        inside = min(max(price, low), high)
        per_liquidity0 = 1 / inside - 1 / high
        per_liquidity1 = inside - low
        needed = [share for share in (per_liquidity0, per_liquidity1) if share > 0]
        least = max(_LEAST_IN_A_POSITION / share for share in needed)
        most = min(_MOST_IN_A_POSITION, *(_PLENTY / 1000 / share for share in needed))
        liquidity = math.exp(self._source.uniform(math.log(least), math.log(max(least * 2, min(most, 1e30)))))
        return int(liquidity * per_liquidity0) + 2, int(liquidity * per_liquidity1) + 2

    def _log_uniform(self, low: int, high: int) -> int:
        return int(math.exp(self._source.uniform(math.log(low), math.log(high))))


def _root(tick: int) -> float:
    return math.pow(1.0001, tick / 2)
