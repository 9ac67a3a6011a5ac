"""Deploys the genuine contracts, always in the same order: another order would change all addresses."""

from dataclasses import dataclass
from math import isqrt

from .artifacts import Artifacts
from .deploy_balancer import ZERO_ADDRESS, BalancerPools, deploy_balancer
from .deploy_stable import StablePools
from .deployment import TOKEN_DECIMALS, BalancerPool, Deployment, StablePool, V2Pair, V3Pool
from .node import Node
from .transactor import Transactor

MAINNET_CHAIN_ID = 1
MAINNET_WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
MAX_UINT256 = 2**256 - 1
FAR_DEADLINE = 2**40
TICK_SPACINGS = {100: 1, 500: 10, 3000: 60, 10000: 200}
MAX_TICK = 887272
_MINT = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
_TOKEN_NAMES = {"USDC": "USD Coin", "DAI": "Dai", "WBTC": "WBTC"}
_NARROW_SPACINGS = 20


def deploy(node: Node, artifacts: Artifacts) -> Deployment:
    """Deploy everything on a fresh node that was started with `timestamp`; two runs give equal blocks."""
    node.rpc.call("anvil_setBlockTimestampInterval", 1)
    node.rpc.call("evm_setAutomine", False)
    me = Transactor(node.rpc, node.accounts[0].address, mines=True)
    builder = _Builder(node, artifacts, me)
    deployment = builder.build()
    node.rpc.call("evm_setAutomine", True)
    return deployment


@dataclass(frozen=True, slots=True)
class PositionManager:
    """Makes V3 pools and positions through the genuine manager; tokens must be approved to it."""

    address: str
    factory: str
    me: Transactor

    def create_pool(self, token_a: str, token_b: str, fee: int, sqrt_price: int) -> V3Pool:
        """Create and initialise a pool at a price (Q64.96 root of raw token1 per raw token0)."""
        token0, token1 = sorted_tokens(token_a, token_b)
        signature = "createAndInitializePoolIfNecessary(address,address,uint24,uint160)"
        self.me.execute(self.address, signature, token0, token1, fee, sqrt_price)
        (found,) = self.me.read(
            self.factory, "getPool(address,address,uint24)", ("address",), token0, token1, fee
        )
        return V3Pool(str(found), token0, token1, fee, TICK_SPACINGS[fee])

    def mint(self, pool: V3Pool, lower: int, upper: int, amount0: int, amount1: int) -> None:
        """Add a position between two ticks, out of at most these amounts."""
        where = (pool.token0, pool.token1, pool.fee, lower, upper)
        order = (*where, amount0, amount1, 0, 0, self.me.sender, FAR_DEADLINE)
        self.me.execute(self.address, _MINT, order)


def sorted_tokens(token_a: str, token_b: str) -> tuple[str, str]:
    """Order two addresses as the factories do."""
    first, second = sorted((token_a, token_b), key=lambda token: int(token, 16))
    return first, second


def sqrt_price_of(raw0: int, raw1: int) -> int:
    """Give the Q64.96 root price at which these raw amounts have equal value."""
    return isqrt((raw1 << 192) // raw0)


def widest_range(tick_spacing: int) -> tuple[int, int]:
    """Give the lowest and highest usable tick."""
    edge = MAX_TICK // tick_spacing * tick_spacing
    return -edge, edge


class _Builder:
    def __init__(self, node: Node, artifacts: Artifacts, me: Transactor) -> None:
        self._node = node
        self._code = artifacts.creation
        self._runtime = artifacts.runtime
        self._me = me

    def build(self) -> Deployment:
        me = self._me
        weth = self._weth()
        me.execute(weth, "deposit()", value=5000 * 10**18)
        tokens = {symbol: self._token(symbol) for symbol in _TOKEN_NAMES}
        usdc, dai, wbtc = tokens["USDC"], tokens["DAI"], tokens["WBTC"]

        v3_factory = me.deploy(self._code["UniswapV3Factory"])
        two = ("address", "address")
        position_manager = me.deploy(
            self._code["NonfungiblePositionManager"], (*two, "address"), v3_factory, weth, ZERO_ADDRESS
        )
        swap_router = me.deploy(self._code["SwapRouter"], two, v3_factory, weth)
        quoter_v2 = me.deploy(self._code["QuoterV2"], two, v3_factory, weth)
        tick_lens = me.deploy(self._code["TickLens"])
        multicall = me.deploy(self._code["UniswapInterfaceMulticall"])
        me.execute(v3_factory, "enableFeeAmount(uint24,int24)", 100, TICK_SPACINGS[100])

        for token in (weth, usdc, dai):
            me.execute(token, "approve(address,uint256)", position_manager, MAX_UINT256)
        manager = PositionManager(position_manager, v3_factory, me)
        v3_pools = (
            self._pool(manager, (weth, 100 * 10**18), (usdc, 300_000 * 10**6), 3000),
            self._pool(manager, (weth, 300 * 10**18), (usdc, 900_000 * 10**6), 500),
            self._pool(manager, (dai, 10**6 * 10**18), (usdc, 10**6 * 10**6), 100),
        )

        v2_factory = me.deploy(self._code["UniswapV2Factory"], ("address",), me.sender)
        v2_router = me.deploy(self._code["UniswapV2Router02"], two, v2_factory, weth)
        pair = add_v2_liquidity(me, v2_factory, v2_router, (weth, 100 * 10**18), (usdc, 300_000 * 10**6))
        swap_router_02 = me.deploy(
            self._code["SwapRouter02"], two + two, v2_factory, v3_factory, position_manager, weth
        )
        balancer = deploy_balancer(me, self._code, weth)
        balancer_pools = self._balancer_pools(balancer, tokens | {"WETH": weth})
        stable_pool = self._stable_pool(dai, usdc)
        head = self._node.rpc.record("eth_getBlockByNumber", "latest", False)
        return Deployment(
            chain_id=self._node.options.chain_id,
            deployer=me.sender,
            weth=weth,
            usdc=usdc,
            dai=dai,
            wbtc=wbtc,
            v3_factory=v3_factory,
            position_manager=position_manager,
            swap_router=swap_router,
            quoter_v2=quoter_v2,
            tick_lens=tick_lens,
            multicall=multicall,
            v2_factory=v2_factory,
            v2_router=v2_router,
            swap_router_02=swap_router_02,
            balancer_vault=balancer.vault,
            balancer_queries=balancer.queries,
            weighted_factory=balancer.weighted_factory,
            composable_stable_factory=balancer.stable_factory,
            v3_pools=v3_pools,
            v2_pairs=(pair,),
            balancer_pools=balancer_pools,
            stable_pools=(stable_pool,),
            head_number=int(str(head["number"]), 16),
            head_hash=str(head["hash"]),
        )

    def _balancer_pools(
        self, balancer: BalancerPools, tokens: dict[str, str]
    ) -> tuple[BalancerPool, BalancerPool]:
        half, quarter = 5 * 10**17, 25 * 10**16
        weighted = balancer.weighted(
            (
                (tokens["WETH"], half, 200 * 10**18),
                (tokens["USDC"], quarter, 300_000 * 10**6),
                (tokens["WBTC"], quarter, 5 * 10**8),
            ),
            10**15,
        )
        stable = balancer.stable(
            ((tokens["DAI"], 10**6 * 10**18), (tokens["USDC"], 10**6 * 10**6)), 200, 10**14
        )
        return weighted, stable

    def _stable_pool(self, dai: str, usdc: str) -> StablePool:
        pools = StablePools(self._code["StablePool"], self._me)
        return pools.create(((dai, 18, 10**6 * 10**18), (usdc, 6, 13 * 10**5 * 10**6)), 200, 4 * 10**6)

    def _weth(self) -> str:
        """On chain 1 the wrapped ether stands where the world expects it, constructor effects included."""
        if self._node.options.chain_id != MAINNET_CHAIN_ID:
            return self._me.deploy(self._code["WETH9"])
        rpc = self._node.rpc
        rpc.call("anvil_setCode", MAINNET_WETH, "0x" + self._runtime["WETH9"].hex())
        storage = (_short_text(b"Wrapped Ether"), _short_text(b"WETH"), TOKEN_DECIMALS["WETH"])
        for slot, word in enumerate(storage):
            rpc.call("anvil_setStorageAt", MAINNET_WETH, hex(slot), f"0x{word:064x}")
        return MAINNET_WETH

    def _token(self, symbol: str) -> str:
        decimals = TOKEN_DECIMALS[symbol]
        token = deploy_token(self._me, self._code["MintableERC20"], _TOKEN_NAMES[symbol], symbol, decimals)
        self._me.execute(token, "mint(address,uint256)", self._me.sender, 10**9 * 10**decimals)
        return token

    def _pool(self, manager: PositionManager, a: tuple[str, int], b: tuple[str, int], fee: int) -> V3Pool:
        amounts = dict((a, b))
        token0, token1 = sorted_tokens(a[0], b[0])
        amount0, amount1 = amounts[token0], amounts[token1]
        pool = manager.create_pool(token0, token1, fee, sqrt_price_of(amount0, amount1))
        types = ("uint160", "int24", "uint16", "uint16", "uint16", "uint8", "bool")
        tick = int(str(self._me.read(pool.address, "slot0()", types)[1]))
        spacing = pool.tick_spacing
        centre = tick // spacing * spacing
        narrow = (centre - _NARROW_SPACINGS * spacing, centre + _NARROW_SPACINGS * spacing)
        for lower, upper in (widest_range(spacing), narrow):
            manager.mint(pool, lower, upper, amount0, amount1)
        return pool


def deploy_token(me: Transactor, code: bytes, name: str, symbol: str, decimals: int) -> str:
    """Deploy a token that anybody may mint (`mint(address,uint256)`)."""
    return me.deploy(code, ("string", "string", "uint8"), name, symbol, decimals)


def add_v2_liquidity(
    me: Transactor, factory: str, router: str, a: tuple[str, int], b: tuple[str, int]
) -> V2Pair:
    """Approve and add two token amounts to their V2 pair, which comes to be when it is new."""
    for token, amount in (a, b):
        me.execute(token, "approve(address,uint256)", router, amount)
    signature = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
    me.execute(router, signature, a[0], b[0], a[1], b[1], 0, 0, me.sender, FAR_DEADLINE)
    token0, token1 = sorted_tokens(a[0], b[0])
    (found,) = me.read(factory, "getPair(address,address)", ("address",), token0, token1)
    return V2Pair(str(found), token0, token1)


def _short_text(text: bytes) -> int:
    """Give the storage word of a text shorter than 32 bytes: left-aligned, twice its length at the end."""
    return int.from_bytes(text.ljust(31, b"\0") + bytes([2 * len(text)]))
