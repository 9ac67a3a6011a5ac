"""Random pools of genuine contracts, for tests that compare our mathematics with theirs."""

import math
import random

from .deploy import (
    MAX_TICK,
    MAX_UINT256,
    TICK_SPACINGS,
    PositionManager,
    add_v2_liquidity,
    deploy_token,
    sorted_tokens,
    widest_range,
)
from .deployment import V2Pair, V3Pool
from .testnet import Testnet
from .transactor import Transactor

_DECIMALS = (6, 8, 18)
_Q96 = 2**96
_PLENTY = 10**60
_MOST_IN_A_POSITION = 2**110
_LEAST_IN_A_POSITION = 10**4
_MOST_IN_A_PAIR = 10**33


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
