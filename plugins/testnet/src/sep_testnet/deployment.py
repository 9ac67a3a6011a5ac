"""What stands on a deployed chain, and where."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True)
class V3Pool:
    """A Uniswap V3 pool; `fee` is in millionths."""

    address: str
    token0: str
    token1: str
    fee: int
    tick_spacing: int


@dataclass(frozen=True, slots=True)
class V2Pair:
    """A Uniswap V2 pair."""

    address: str
    token0: str
    token1: str


@dataclass(frozen=True, slots=True)
class BalancerPool:
    """A pool of the Balancer V2 vault; `tokens` are the vault's, so a stable pool's own token is one of them.

    `kind` is `weighted` or `stable`.
    """

    address: str
    pool_id: str
    kind: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StablePool:
    """A plain StableSwap pool of two coins, in the pool's own order."""

    address: str
    coins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """Addresses of the genuine contracts on one chain, with checksums, and the block that ends their set-up.

    `deployer` is the node's first account: it owns the factories and holds the rest of each token.
    """

    chain_id: int
    deployer: str
    weth: str
    usdc: str
    dai: str
    wbtc: str
    v3_factory: str
    position_manager: str
    swap_router: str
    quoter_v2: str
    tick_lens: str
    multicall: str
    v2_factory: str
    v2_router: str
    swap_router_02: str
    balancer_vault: str
    balancer_queries: str
    weighted_factory: str
    composable_stable_factory: str
    v3_pools: tuple[V3Pool, ...]
    v2_pairs: tuple[V2Pair, ...]
    balancer_pools: tuple[BalancerPool, ...]
    stable_pools: tuple[StablePool, ...]
    head_number: int
    head_hash: str

    @property
    def tokens(self) -> dict[str, str]:
        """Addresses by symbol."""
        return {"WETH": self.weth, "USDC": self.usdc, "DAI": self.dai, "WBTC": self.wbtc}

    def v3_pool(self, token_a: str, token_b: str, fee: int) -> V3Pool:
        """Find a pool by its tokens, in any order, and fee. Raises `KeyError`."""
        for pool in self.v3_pools:
            if {pool.token0, pool.token1} == {token_a, token_b} and pool.fee == fee:
                return pool
        raise KeyError(f"no V3 pool of {token_a} and {token_b} at fee {fee}")

    def balancer_pool(self, kind: str) -> BalancerPool:
        """Find the first Balancer pool of a kind. Raises `KeyError`."""
        for pool in self.balancer_pools:
            if pool.kind == kind:
                return pool
        raise KeyError(f"no {kind} pool of Balancer")

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote. Raises `ValueError` on anything else."""
        try:
            raw = json.loads(text)
            raw["v3_pools"] = tuple(V3Pool(**pool) for pool in raw["v3_pools"])
            raw["v2_pairs"] = tuple(V2Pair(**pair) for pair in raw["v2_pairs"])
            raw["balancer_pools"] = tuple(
                BalancerPool(**{**pool, "tokens": tuple(pool["tokens"])}) for pool in raw["balancer_pools"]
            )
            raw["stable_pools"] = tuple(
                StablePool(pool["address"], tuple(pool["coins"])) for pool in raw["stable_pools"]
            )
            return cls(**{field.name: raw[field.name] for field in fields(cls)})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a deployment: {error!r}") from error


TOKEN_DECIMALS = {"WETH": 18, "USDC": 6, "DAI": 18, "WBTC": 8}
