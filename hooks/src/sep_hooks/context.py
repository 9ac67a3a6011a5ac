"""What the kernel hands to plugins: Protocols, so that tests can fake them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sep_hooks.errors import SepError
from sep_hooks.types import AbiValue, BlockRef, Json


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        ...


class Log(Protocol):
    """Structured messages for people; never a record of fact."""

    def info(self, event: str, **fields: Json) -> None:
        """Something worth knowing."""
        ...

    def warning(self, event: str, **fields: Json) -> None:
        """Something that deserves a look."""
        ...


@dataclass(frozen=True, slots=True)
class RpcRequest:
    """One JSON-RPC call. `at` appends the block, by hash and required canonical, as the last parameter."""

    method: str
    params: tuple[Json, ...] = ()
    at: BlockRef | None = None


@dataclass(frozen=True, slots=True)
class RpcOk:
    """The raw JSON bytes of a result. `null` and `[]` are answers, not evidence of absence."""

    result: bytes


@dataclass(frozen=True, slots=True)
class RpcFailed:
    """A call that has no result, and the error that says why."""

    error: SepError


type RpcOutcome = RpcOk | RpcFailed


class Rpc(Protocol):
    """JSON-RPC to one chain. Outcomes come in the order of the requests, matched by id."""

    async def call(self, request: RpcRequest, *, timeout_seconds: float = 10.0) -> bytes:
        """The raw JSON of the result.

        Raises `RpcUnavailable`, `RpcLimited`, `RpcRejected`, `UnknownBlock`, `CallReverted` or `Ambiguous`.
        """
        ...

    async def calls(
        self, requests: Sequence[RpcRequest], *, timeout_seconds: float = 10.0
    ) -> Sequence[RpcOutcome]:
        """One outcome for each request; a failing one does not fail the others."""
        ...


class Abi(Protocol):
    """The Ethereum ABI, in native code; signatures are Solidity's, e.g. `swap(address,uint256)`."""

    def encode_call(self, signature: str, arguments: Sequence[AbiValue]) -> bytes:
        """Selector and encoded arguments."""
        ...

    def encode(self, types: str, values: Sequence[AbiValue]) -> bytes:
        """Values of a tuple of types, e.g. `(address,uint256[])`."""
        ...

    def decode(self, types: str, data: bytes) -> tuple[AbiValue, ...]:
        """The values of a tuple of types. Raises `Permanent` for malformed data."""
        ...

    def decode_call(self, signature: str, data: bytes) -> tuple[AbiValue, ...]:
        """The arguments of a call with this signature."""
        ...


@dataclass(frozen=True, slots=True)
class PluginContext:
    """What every instance of a plugin may use. `instance` is its name in the configuration."""

    instance: str
    clock: Clock
    log: Log


@dataclass(frozen=True, slots=True)
class SignerContext:
    """What a signer may use besides: the chain of the account that it signs for. `instance` is the account."""

    instance: str
    clock: Clock
    log: Log
    chain_id: int


@dataclass(frozen=True, slots=True)
class VenueContext:
    """What a venue may use besides: reads of its chain, and the ABI."""

    instance: str
    clock: Clock
    log: Log
    rpc: Rpc
    abi: Abi
    chain_id: int
