"""Independent endpoints of a chain, asked whether a transaction has a receipt."""

from sep_hooks.context import RpcOk, RpcRequest

from sep_core.chains.access import ChainAccess
from sep_core.chains.endpoints import EndpointRpc

TIMEOUT_SECONDS = 10.0


class EndpointWitnesses:
    """Counts endpoints that have a final block and hold no receipt; execution's `Witnesses`.

    A chain behind a single transport has one voice at most, so that it never concludes absence.
    """

    def __init__(self, access: ChainAccess) -> None:
        self._access = access

    async def without_receipt(self, transaction_hash: str) -> int:
        """How many endpoints answered both questions, and the second by null."""
        rpc = self._access.rpc
        if not isinstance(rpc, EndpointRpc):
            return 1
        final = RpcRequest("eth_getBlockByNumber", ("finalized", False))
        with_final = {
            name for name, one in await rpc.each(final, timeout_seconds=TIMEOUT_SECONDS) if _found(one)
        }
        receipt = RpcRequest("eth_getTransactionReceipt", (transaction_hash,))
        answers = await rpc.each(receipt, timeout_seconds=TIMEOUT_SECONDS)
        if any(_found(one) for _, one in answers):
            return 0
        return sum(name in with_final and isinstance(one, RpcOk) for name, one in answers)


def _found(outcome: object) -> bool:
    return isinstance(outcome, RpcOk) and outcome.result.strip() != b"null"
