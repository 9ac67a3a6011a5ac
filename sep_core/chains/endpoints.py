"""What may be asked of several endpoints of one chain; without the HTTP that asks them."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from sep_hooks.context import Rpc, RpcOutcome, RpcRequest


@runtime_checkable
class EndpointRpc(Rpc, Protocol):
    """An `Rpc` that can also ask each of its endpoints, by name."""

    async def each(
        self, request: RpcRequest, *, timeout_seconds: float = 10.0, grace_seconds: float | None = None
    ) -> Sequence[tuple[str, RpcOutcome]]:
        """What every endpoint answers, once each, in the order of the configuration.

        With a grace, the others have only that much longer once one endpoint gave a result.
        """
        ...
