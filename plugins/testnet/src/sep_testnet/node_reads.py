"""The local node as what a venue reads its chain by."""

import json
from collections.abc import Sequence

from sep_hooks.context import RpcFailed, RpcOk, RpcOutcome, RpcRequest
from sep_hooks.errors import CallReverted, RpcRejected, SepError, UnknownBlock
from sep_hooks.types import BlockRef
from sep_hooks.types import Json as HookJson

from .errors import NodeRejected
from .rpc import Json
from .testnet import Testnet


class NodeReads:
    """An `Rpc` of the contract over a testnet, one call at a time; for tests of venues without a kernel."""

    def __init__(self, testnet: Testnet) -> None:
        self._testnet = testnet

    def head(self) -> BlockRef:
        """The newest block."""
        block = self._testnet.block()
        return BlockRef(int(str(block["number"]), 16), str(block["hash"]))

    async def call(self, request: RpcRequest, *, timeout_seconds: float = 10.0) -> bytes:
        """The raw JSON of the result. Raises `CallReverted`, `UnknownBlock` or `RpcRejected`."""
        del timeout_seconds
        params: list[Json] = [_json(one) for one in request.params]
        if request.at is not None:
            params.append({"blockHash": request.at.hash, "requireCanonical": True})
        try:
            return json.dumps(self._testnet.rpc.call(request.method, *params)).encode()
        except NodeRejected as error:
            raise _error(error) from error

    async def calls(
        self, requests: Sequence[RpcRequest], *, timeout_seconds: float = 10.0
    ) -> Sequence[RpcOutcome]:
        """One outcome for each request."""
        outcomes: list[RpcOutcome] = []
        for request in requests:
            try:
                outcomes.append(RpcOk(await self.call(request, timeout_seconds=timeout_seconds)))
            except SepError as error:
                outcomes.append(RpcFailed(error))
        return outcomes


def _json(value: HookJson) -> Json:
    copied: Json = json.loads(json.dumps(value))
    return copied


def _error(error: NodeRejected) -> SepError:
    told = error.message.lower()
    if "revert" in told:
        data = error.data if error.data and error.data.startswith("0x") else "0x"
        return CallReverted(error.message, output=bytes.fromhex(data[2:]))
    if "block" in told and ("not found" in told or "out of range" in told):
        return UnknownBlock(error.message)
    return RpcRejected(error.message, rpc_code=error.rpc_code, data=error.data)
