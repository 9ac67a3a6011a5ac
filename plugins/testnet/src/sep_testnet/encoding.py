"""Contract calls as bytes: selectors, arguments, results, addresses."""

from collections.abc import Sequence
from functools import lru_cache

from Crypto.Hash import keccak as _keccak

type Argument = int | str | bytes | bool | Sequence[Argument]


def keccak(data: bytes) -> bytes:
    """Hash as the EVM does (Keccak-256)."""
    return _keccak.new(digest_bits=256, data=data).digest()


def checksum_address(raw: str | bytes) -> str:
    """Write an address of 20 bytes with its checksum (EIP-55)."""
    digits = (raw if isinstance(raw, str) else "0x" + raw[-20:].hex()).lower().removeprefix("0x")
    digest = keccak(digits.encode()).hex()
    return "0x" + "".join(
        sign.upper() if int(nibble, 16) > 7 else sign for sign, nibble in zip(digits, digest, strict=False)
    )


@lru_cache(maxsize=256)
def selector(signature: str) -> bytes:
    """Give the four bytes that name a function, e.g. `transfer(address,uint256)`."""
    return keccak(signature.encode())[:4]


def encode_arguments(types: Sequence[str], arguments: Sequence[Argument]) -> bytes:
    """Encode arguments as a constructor takes them."""
    # eth_abi costs half a second to import: those who only ask for help do not pay it.
    from eth_abi.abi import encode

    return encode(types, arguments)


def encode_call(signature: str, *arguments: Argument) -> bytes:
    """Encode a call of the function with this signature, tuples included."""
    return selector(signature) + encode_arguments(_argument_types(signature), arguments)


def decode_result(types: Sequence[str], data: bytes) -> tuple[object, ...]:
    """Decode what a call returned; addresses come with their checksum."""
    from eth_abi.abi import decode

    return tuple(
        checksum_address(str(value)) if kind == "address" else value
        for kind, value in zip(types, decode(types, data), strict=True)
    )


@lru_cache(maxsize=256)
def _argument_types(signature: str) -> tuple[str, ...]:
    inner = signature[signature.index("(") + 1 : -1]
    types: list[str] = []
    depth = 0
    start = 0
    for position, sign in enumerate(inner):
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        elif sign == "," and depth == 0:
            types.append(inner[start:position])
            start = position + 1
    if inner:
        types.append(inner[start:])
    return tuple(types)
