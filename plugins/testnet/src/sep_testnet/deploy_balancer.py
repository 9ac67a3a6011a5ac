"""Deploys the genuine Balancer V2 vault, its helpers, and pools by their factories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .deployment import BalancerPool
from .encoding import checksum_address, encode_arguments
from .errors import TestnetError
from .transactor import Receipt, Transactor

ZERO_ADDRESS = "0x" + "00" * 20
MAX_UINT256 = 2**256 - 1
WHOLE = 10**18
PAUSE_WINDOW_SECONDS = 90 * 86_400
BUFFER_PERIOD_SECONDS = 30 * 86_400
_VERSION = "SEP testnet"
_CREATE_WEIGHTED = "create(string,string,address[],uint256[],address[],uint256,address)"
_CREATE_STABLE = "create(string,string,address[],uint256,address[],uint256[],bool[],uint256,address)"
_JOIN = "joinPool(bytes32,address,address,(address[],uint256[],bytes,bool))"
_INITIAL_JOIN = 0


@dataclass(frozen=True, slots=True)
class BalancerPools:
    """Makes pools by the factories and fills them; the sender owns them and pays."""

    vault: str
    queries: str
    weighted_factory: str
    stable_factory: str
    me: Transactor

    def weighted(self, parts: Sequence[tuple[str, int, int]], fee: int) -> BalancerPool:
        """Create a weighted pool of (token, weight, amount), weights and fee as parts of 10^18."""
        chosen = sorted(parts, key=lambda part: int(part[0], 16))
        tokens = [token for token, _, _ in chosen]
        receipt = self.me.execute(
            self.weighted_factory,
            _CREATE_WEIGHTED,
            "Weighted",
            "WP",
            tokens,
            [weight for _, weight, _ in chosen],
            [ZERO_ADDRESS] * len(tokens),
            fee,
            self.me.sender,
        )
        return self._filled(receipt, "weighted", {token: amount for token, _, amount in chosen})

    def stable(
        self,
        parts: Sequence[tuple[str, int]],
        amplification: int,
        fee: int,
        rate_providers: Mapping[str, str] | None = None,
    ) -> BalancerPool:
        """Create a composable stable pool of (token, amount), fee in parts of 10^18; no provider means rate one."""
        chosen = sorted(parts, key=lambda part: int(part[0], 16))
        tokens = [token for token, _ in chosen]
        count = len(tokens)
        receipt = self.me.execute(
            self.stable_factory,
            _CREATE_STABLE,
            "Stable",
            "SP",
            tokens,
            amplification,
            [(rate_providers or {}).get(token, ZERO_ADDRESS) for token in tokens],
            [0] * count,
            [False] * count,
            fee,
            self.me.sender,
        )
        return self._filled(receipt, "stable", dict(chosen))

    def _filled(self, receipt: Receipt, kind: str, amounts: Mapping[str, int]) -> BalancerPool:
        """Put the first amounts into a new pool. The pool's own token stands among the vault's, unpaid."""
        address = _created(receipt, self.weighted_factory if kind == "weighted" else self.stable_factory)
        (pool_id,) = self.me.read(address, "getPoolId()", ("bytes32",))
        assert isinstance(pool_id, bytes)
        (listed, _, _) = self.me.read(
            self.vault, "getPoolTokens(bytes32)", ("address[]", "uint256[]", "uint256"), pool_id
        )
        assert isinstance(listed, tuple)
        tokens = tuple(checksum_address(str(token)) for token in listed)
        for token, amount in amounts.items():
            self.me.execute(token, "approve(address,uint256)", self.vault, amount)
        paid = [amounts.get(token, 0) for token in tokens]
        most = [amounts.get(token, MAX_UINT256) for token in tokens]
        request = (tokens, most, encode_arguments(("uint256", "uint256[]"), (_INITIAL_JOIN, paid)), False)
        self.me.execute(self.vault, _JOIN, pool_id, self.me.sender, self.me.sender, request)
        return BalancerPool(address, "0x" + pool_id.hex(), kind, tokens)


def deploy_balancer(me: Transactor, code: Mapping[str, bytes], weth: str) -> BalancerPools:
    """Deploy authorizer, vault, fee provider, queries and both factories, with the sender in charge."""
    authorizer = me.deploy(code["Authorizer"], ("address",), me.sender)
    vault = me.deploy(
        code["Vault"],
        ("address", "address", "uint256", "uint256"),
        authorizer,
        weth,
        PAUSE_WINDOW_SECONDS,
        BUFFER_PERIOD_SECONDS,
    )
    fee_provider = me.deploy(
        code["ProtocolFeePercentagesProvider"], ("address", "uint256", "uint256"), vault, WHOLE, WHOLE
    )
    queries = me.deploy(code["BalancerQueries"], ("address",), vault)
    types = ("address", "address", "string", "string")
    weighted, stable = (
        me.deploy(code[name], types, vault, fee_provider, _VERSION, _VERSION)
        for name in ("WeightedPoolFactory", "ComposableStablePoolFactory")
    )
    return BalancerPools(vault, queries, weighted, stable, me)


def _created(receipt: Receipt, factory: str) -> str:
    """Give the pool that a factory's `PoolCreated` names."""
    logs = receipt["logs"]
    assert isinstance(logs, list)
    for log in logs:
        assert isinstance(log, dict)
        topics = log["topics"]
        # Two topics in a log of the factory's own: no other event of it has an indexed argument.
        if str(log["address"]).lower() == factory.lower() and isinstance(topics, list) and len(topics) == 2:
            return checksum_address(bytes.fromhex(str(topics[1])[2:]))
    raise TestnetError(f"the factory {factory} created no pool")
