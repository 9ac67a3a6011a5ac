"""What can go wrong with a local testnet; no real money is ever touched by it."""

from sep_hooks.errors import Permanent, Retryable


class TestnetError(Permanent):
    """The local testnet could not do what was asked."""

    __test__ = False
    code = "testnet_error"


class TestnetUnavailable(Retryable):
    """Node or contracts are neither cached nor fetchable here; tests skip with this reason."""

    __test__ = False
    code = "testnet_unavailable"


class ArtifactRefused(TestnetError):
    """A fetched or cached file is not the one that the lock names."""

    code = "artifact_refused"


class NodeRejected(TestnetError):
    """The node answered a JSON-RPC error; `rpc_code` and `data` are its own."""

    code = "node_rejected"

    def __init__(self, message: str, *, rpc_code: int, data: str | None) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code
        self.data = data


class TransactionReverted(TestnetError):
    """A transaction was mined and had no effect but its gas; `transaction_hash` names it."""

    code = "transaction_reverted"

    def __init__(self, message: str, *, transaction_hash: str) -> None:
        super().__init__(message)
        self.transaction_hash = transaction_hash
