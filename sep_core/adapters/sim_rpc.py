"""The simulated chain in this process, as the kernel's ordinary way to speak JSON-RPC."""

from collections.abc import Sequence

import orjson
from sep_hooks.context import RpcFailed, RpcOk, RpcOutcome, RpcRequest
from sep_hooks.errors import (
    Ambiguous,
    CallReverted,
    RpcLimited,
    RpcRejected,
    RpcUnavailable,
    SepError,
    UnknownBlock,
)
from sep_native.sim import TIMEOUT_CODE, SimChain, SimRpcError

_REVERT_CODE = 3
_LIMIT_CODES = frozenset({429, -32005, -32029})
_UNKNOWN_BLOCK = (
    "unknown block",
    "header not found",
    "header for hash not found",
    "not currently canonical",
    "missing trie node",
)


class SimRpc:
    """Implements `Rpc` over a `SimChain`. Calls are performed one after the other, in the order they are made."""

    def __init__(self, chain: SimChain) -> None:
        self.chain = chain

    async def call(self, request: RpcRequest, *, timeout_seconds: float = 10.0) -> bytes:
        """See `Rpc.call`; nothing here waits."""
        try:
            return self.chain.rpc(request.method, orjson.dumps(params(request)).decode())
        except SimRpcError as error:
            raise classified(request.method, error.code, error.message, error.data) from None

    async def calls(
        self, requests: Sequence[RpcRequest], *, timeout_seconds: float = 10.0
    ) -> Sequence[RpcOutcome]:
        """See `Rpc.calls`."""
        outcomes: list[RpcOutcome] = []
        for request in requests:
            try:
                outcomes.append(RpcOk(await self.call(request)))
            except SepError as error:
                outcomes.append(RpcFailed(error))
        return outcomes


def params(request: RpcRequest) -> list[object]:
    """The parameters on the wire, with the block by hash behind them."""
    listed: list[object] = list(request.params)
    if request.at is not None:
        listed.append({"blockHash": request.at.hash, "requireCanonical": True})
    return listed


def sends(method: str) -> bool:
    """Whether a call has an effect, so that its failure is ambiguous."""
    return method.startswith("eth_send")


def unanswered(method: str, reason: str) -> SepError:
    """What it means that no answer came."""
    if sends(method):
        return Ambiguous(
            f"simulated chain: {reason}; the transaction may have arrived",
            next_step="broadcast the same bytes again and look for the receipt",
        )
    return RpcUnavailable(f"simulated chain: {reason}")


def classified(method: str, code: int, message: str, data: str | None) -> SepError:
    """The error of the contract's tree for a JSON-RPC error of the chain."""
    if code == TIMEOUT_CODE:
        return unanswered(method, message)
    if code == _REVERT_CODE:
        return CallReverted(f"the call reverted: {message}", output=bytes.fromhex((data or "0x")[2:]))
    if code in _LIMIT_CODES:
        return RpcLimited(f"simulated chain: {message}")
    if any(fragment in message for fragment in _UNKNOWN_BLOCK):
        return UnknownBlock(f"simulated chain: {message}")
    return RpcRejected(f"simulated chain refused: {message} (code {code})", rpc_code=code, data=data)
