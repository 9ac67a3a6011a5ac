"""The contract as it was compiled when this package was built, and the address that it gets for an owner."""

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from Crypto.Hash import keccak
from sep_hooks.types import Address, address

from .errors import ExecutorError

EXECUTE: Final = (
    "execute(address[],uint256[],uint256[],"
    "(address,address,uint256,uint256,uint256,uint256)[],bytes[],uint256)"
)
"""The one function that the engine calls."""

FACTORY: Final = Address("0x4e59b44847b379578588920ca78fbf26c0b4956c")
"""The deterministic deployment proxy, which stands at this address on every common chain.

It creates what is sent to it behind a salt, whoever sends it; so an owner's executor has one address everywhere.
"""

_SALT: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Contract:
    """Creation code without the constructor's argument, and runtime code without the owner behind it."""

    compiler: str
    creation_code: bytes
    runtime_code: bytes

    def creation(self, owner: Address) -> bytes:
        """The creation code of an owner's executor."""
        return self.creation_code + bytes.fromhex(owner[2:]).rjust(32, b"\0")

    def deployment(self, owner: Address) -> bytes:
        """What is sent to the factory."""
        return _SALT + self.creation(owner)

    def address(self, owner: Address) -> Address:
        """Where the factory puts it."""
        code = _keccak(self.creation(owner))
        return address("0x" + _keccak(b"\xff" + bytes.fromhex(FACTORY[2:]) + _SALT + code)[12:].hex())

    def is_of(self, owner: Address, code: bytes) -> bool:
        """Whether code found on a chain is this contract's, made for this owner."""
        return code == self.runtime_code + bytes.fromhex(owner[2:]).rjust(32, b"\0")


def contract() -> Contract:
    """What was built from the source beside it. Raises `ExecutorError` where it was built from another one."""
    place = files("sep_executor")
    source = place.joinpath("contracts", "executor.vy").read_bytes()
    try:
        built = json.loads(place.joinpath("built", "executor.json").read_text(encoding="ascii"))
    except FileNotFoundError:
        raise ExecutorError("the executor contract was not compiled", next_step="run `make sync`") from None
    if built["source_sha256"] != hashlib.sha256(source).hexdigest():
        raise ExecutorError(
            "the executor contract was compiled from another source than the one beside it",
            next_step="run `uv sync --all-packages --reinstall-package sep-executor`",
        )
    return Contract(
        built["compiler"], bytes.fromhex(built["creation_code"][2:]), bytes.fromhex(built["runtime_code"][2:])
    )


def _keccak(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()
