"""The room's only door to the native core: hashing, the ABI, and logs by declared signatures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sep_hooks.errors import ConfigurationError, Permanent
from sep_hooks.types import AbiValue, ChainLog, DecodedLog
from sep_native.decode import keccak256

from sep_native import decode as native

__all__ = ["NativeAbi", "VenueLogs", "keccak256"]


class NativeAbi:
    """Implements `sep_hooks.context.Abi`. Raises `Permanent` for what does not fit its types."""

    def encode_call(self, signature: str, arguments: Sequence[AbiValue]) -> bytes:
        """Selector and encoded arguments."""
        with _refusals():
            return native.encode_call(signature, arguments)

    def encode(self, types: str, values: Sequence[AbiValue]) -> bytes:
        """Values of a tuple of types."""
        with _refusals():
            return native.encode(_members(types), values)

    def decode(self, types: str, data: bytes) -> tuple[AbiValue, ...]:
        """The values of a tuple of types."""
        with _refusals():
            return native.decode(_members(types), data)

    def decode_call(self, signature: str, data: bytes) -> tuple[AbiValue, ...]:
        """The arguments of a call with this signature."""
        with _refusals():
            return native.decode_call(signature, data)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        raise Permanent(str(error)) from error


def _members(types: str) -> str:
    """`(address,uint256[])` without its own brackets, as the native core takes it."""
    text = types.strip()
    if not (text.startswith("(") and text.endswith(")")):
        raise Permanent(f"{types!r} is no tuple of types")
    return text[1:-1]


class VenueLogs:
    """Decodes logs by a venue's declared signatures, compiled once; wrong ones are refused here, at load.

    `malformed` counts logs that carry a declared event's topic and contradict it.
    """

    def __init__(self, signatures: Sequence[str]) -> None:
        try:
            self._decoder = native.EventDecoder(list(signatures))
        except ValueError as error:
            raise ConfigurationError(
                f"a declared signature is no event: {error}",
                next_step="correct event_signatures of the plugin",
            ) from error
        self.malformed = 0

    def decode(self, logs: Sequence[ChainLog]) -> Sequence[DecodedLog]:
        """The logs that match a signature, in order."""
        batch = self._decoder.decode(
            [(bytes.fromhex(log.address[2:]), list(log.topics), log.data) for log in logs]
        )
        decoded: list[DecodedLog] = []
        for log, row in zip(logs, batch, strict=True):
            if row.kind == "decoded":
                decoded.append(DecodedLog(row.event, row.arguments, log))
            elif row.kind == "malformed":
                self.malformed += 1
        return decoded
