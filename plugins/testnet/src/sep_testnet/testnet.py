"""A deployed local chain as tests use it: money from nothing, blocks on demand, every test undone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .artifacts import Artifacts
from .deployment import Deployment
from .encoding import Argument, encode_call
from .errors import TestnetError
from .node import Account, Node
from .rpc import Json, NodeRpc
from .state_cache import settle_clock
from .transactor import Receipt, Transactor, await_receipt, read_contract

_BLOCK_GAS_LIMIT = 30_000_000


class Testnet:
    """One node and what stands on it. Blocking: from a coroutine call it in a thread.

    The first account deployed the contracts; the others are untouched and hold 10,000 ether each.
    """

    __test__ = False

    def __init__(self, node: Node, deployment: Deployment, artifacts: Artifacts) -> None:
        self.node = node
        self.deployment = deployment
        self.artifacts = artifacts

    @property
    def rpc(self) -> NodeRpc:
        """The node's JSON-RPC, for what has no helper here."""
        return self.node.rpc

    @property
    def url(self) -> str:
        """The address of the node's JSON-RPC over HTTP."""
        return self.node.url

    @property
    def websocket_url(self) -> str:
        """The address of the node's JSON-RPC over WebSocket."""
        return self.node.websocket_url

    @property
    def chain_id(self) -> int:
        """The chain's id."""
        return self.deployment.chain_id

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Funded, unlocked accounts with their keys; the first is the deployer."""
        return self.node.accounts

    def send(
        self, sender: str, to: str | None, data: bytes = b"", *, value: int = 0, gas: int = 9_000_000
    ) -> Receipt:
        """Send from an unlocked account and give the receipt; needs automatic mining.

        Raises `TransactionReverted`.
        """
        return Transactor(self.rpc, sender, mines=False).send(to, data, value=value, gas=gas)

    def execute(self, sender: str, to: str, signature: str, *arguments: Argument, value: int = 0) -> Receipt:
        """Call a contract in a transaction, e.g. `execute(me, token, "approve(address,uint256)", to, 1)`."""
        return self.send(sender, to, encode_call(signature, *arguments), value=value)

    def submit(self, sender: str, to: str | None, data: bytes = b"", *, value: int = 0) -> str:
        """Put a transaction of an unlocked account into the pool and give its hash, without waiting."""
        return Transactor(self.rpc, sender, mines=False).submit(to, data, value=value)

    def read(
        self, to: str, signature: str, returns: tuple[str, ...], *arguments: Argument
    ) -> tuple[object, ...]:
        """Call a contract at the latest block without a transaction."""
        return read_contract(self.rpc, to, signature, returns, *arguments)

    def receipt(self, transaction_hash: str) -> Receipt:
        """Wait for a receipt, whatever its status."""
        return await_receipt(self.rpc, transaction_hash)

    def balance_of(self, token: str, owner: str) -> int:
        """Give a token balance in base units."""
        (balance,) = self.read(token, "balanceOf(address)", ("uint256",), owner)
        return int(str(balance))

    def ether_of(self, owner: str) -> int:
        """Give a balance of ether in wei."""
        return self.rpc.number("eth_getBalance", owner, "latest")

    def set_ether(self, owner: str, wei: int) -> None:
        """Set a balance of ether."""
        self.rpc.call("anvil_setBalance", owner, hex(wei))

    def mint(self, token: str, owner: str, amount: int) -> None:
        """Give somebody tokens, in base units; wrapped ether is deposited for them."""
        deployer = self.deployment.deployer
        if token == self.deployment.weth:
            self.set_ether(deployer, self.ether_of(deployer) + amount)
            self.execute(deployer, token, "deposit()", value=amount)
            self.execute(deployer, token, "transfer(address,uint256)", owner, amount)
        else:
            self.execute(deployer, token, "mint(address,uint256)", owner, amount)

    def mine(self, blocks: int = 1) -> None:
        """Mine blocks, one second apart, each with what the pool holds for it."""
        self.rpc.call("anvil_mine", hex(blocks), hex(1))

    def finalize(self) -> None:
        """Mine until everything so far is final, and put the base fee back to where it was."""
        fee = int(str(self.block()["baseFeePerGas"]), 16)
        self.mine(max(2 * self.node.options.slots_in_an_epoch + 1, 3))
        self.set_base_fee(fee)

    def set_automine(self, enabled: bool) -> None:
        """Mine each transaction at once, or only on demand."""
        self.rpc.call("evm_setAutomine", enabled)

    def set_base_fee(self, wei: int) -> None:
        """Set the base fee of the next block."""
        self.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(wei))

    def advance_time(self, seconds: int) -> None:
        """Mine one block whose time lies this far after the latest."""
        latest = int(str(self.block()["timestamp"]), 16)
        self.rpc.call("evm_setNextBlockTimestamp", latest + seconds)
        self.mine()

    def block(self, tag: str = "latest") -> dict[str, Json]:
        """Give a block by tag or hexadecimal number, without its transactions."""
        return self.rpc.record("eth_getBlockByNumber", tag, False)

    def reorg(self, depth: int, transactions: Sequence[tuple[str, int]] = ()) -> None:
        """Replace the last `depth` blocks by empty ones, with raw transactions at the given offsets.

        It reaches no deeper than the deployment's last block: older states are not kept.
        """
        self.rpc.call("anvil_reorg", depth, [[raw, offset] for raw, offset in transactions])

    def drop(self, transaction_hash: str) -> None:
        """Remove a transaction from the pool."""
        self.rpc.call("anvil_dropTransaction", transaction_hash)

    def drop_all(self) -> None:
        """Empty the pool."""
        self.rpc.call("anvil_dropAllTransactions")

    @contextmanager
    def impersonated(self, address: str) -> Iterator[str]:
        """Unlock any address, contracts included, for a while."""
        self.rpc.call("anvil_impersonateAccount", address)
        try:
            yield address
        finally:
            self.rpc.call("anvil_stopImpersonatingAccount", address)

    def snapshot(self) -> str:
        """Remember the chain; the answer is good for one `revert`."""
        return self.rpc.text("evm_snapshot")

    def revert(self, snapshot: str) -> None:
        """Put chain, pool, mining, clock and base fee back to a snapshot. Raises `TestnetError`."""
        self.set_automine(False)
        self.drop_all()
        if self.rpc.call("evm_revert", snapshot) is not True:
            raise TestnetError(f"snapshot {snapshot} is gone: each can be reverted to once")
        self.drop_all()
        self.rpc.call("anvil_autoImpersonateAccount", False)
        self.rpc.call("evm_setBlockGasLimit", hex(_BLOCK_GAS_LIMIT))
        settle_clock(self.node)
        self.set_automine(True)

    @contextmanager
    def isolated(self) -> Iterator[None]:
        """Undo everything that the block did to the chain."""
        snapshot = self.snapshot()
        try:
            yield
        finally:
            self.revert(snapshot)
