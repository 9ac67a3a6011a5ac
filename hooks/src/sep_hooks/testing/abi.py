"""The Ethereum ABI over `eth_abi`, an implementation that shares nothing with the kernel's native one."""

from collections.abc import Sequence

from sep_hooks.errors import Permanent
from sep_hooks.types import AbiValue


class EthAbi:
    """Implements `Abi`. Needs the packages eth-abi and eth-utils with a Keccak behind it."""

    def encode_call(self, signature: str, arguments: Sequence[AbiValue]) -> bytes:
        """Selector and encoded arguments."""
        return selector(signature) + self.encode(_arguments(signature), arguments)

    def encode(self, types: str, values: Sequence[AbiValue]) -> bytes:
        """Values of a tuple of types. Raises `Permanent` for values that do not fit them."""
        from eth_abi.abi import encode
        from eth_abi.exceptions import EncodingError

        try:
            return bytes(encode(split_types(types), list(values)))
        except (EncodingError, TypeError, ValueError) as error:
            raise Permanent(f"these values are none of {types}: {error}") from error

    def decode(self, types: str, data: bytes) -> tuple[AbiValue, ...]:
        """The values of a tuple of types; addresses in lower case. Raises `Permanent`."""
        from eth_abi.abi import decode
        from eth_abi.exceptions import DecodingError

        try:
            return tuple(_plain(value) for value in decode(split_types(types), data))
        except (DecodingError, OverflowError, UnicodeDecodeError) as error:
            raise Permanent(f"this data is no {types}: {error}") from error

    def decode_call(self, signature: str, data: bytes) -> tuple[AbiValue, ...]:
        """The arguments of a call. Raises `Permanent` for another selector."""
        if data[:4] != selector(signature):
            raise Permanent(f"selector {data[:4].hex()} is not that of {signature}")
        return self.decode(_arguments(signature), data[4:])


def selector(signature: str) -> bytes:
    """The first four bytes of a function's hash; the signature is Solidity's, without names."""
    from eth_utils.crypto import keccak

    return bytes(keccak(text=signature.replace(" ", "")))[:4]


def split_types(types: str) -> list[str]:
    """`(address,(uint256,bytes)[])` as its members. Raises `Permanent`."""
    text = types.replace(" ", "")
    if not (text.startswith("(") and text.endswith(")")):
        raise Permanent(f"{types!r} is no tuple of types")
    result, depth, start = [], 0, 1
    for index, character in enumerate(text[:-1]):
        if character == "," and depth == 1:
            result.append(text[start:index])
            start = index + 1
        depth += {"(": 1, ")": -1}.get(character, 0)
    last = text[start:-1]
    return [*result, last] if last or result else []


def _arguments(signature: str) -> str:
    return signature[signature.index("(") :]


def _plain(value: object) -> AbiValue:
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, str):
        return value.lower() if value.startswith("0x") and len(value) == 42 else value
    if isinstance(value, bool | int | bytes):
        return value
    raise Permanent(f"an ABI value is never a {type(value).__name__}")
