"""Assets, identified by chain and address as CAIP-19 texts."""

import re
from dataclasses import dataclass
from typing import NewType

from sep_hooks.errors import InvalidAsset

ChainRef = NewType("ChainRef", str)
"""A chain as CAIP-2 text, e.g. `eip155:1`."""

AssetId = NewType("AssetId", str)
"""An asset as CAIP-19 text, e.g. `eip155:1/erc20:0xc02a…`; EVM addresses in lower case."""

Address = NewType("Address", str)
"""An EVM address as `0x` and 40 lower-case hex digits; checksums are presentation."""

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_CAIP19 = re.compile(
    r"(?P<chain>[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32})/(?P<namespace>[-a-z0-9]{3,8}):(?P<reference>[-.%a-zA-Z0-9]{1,128})"
)


def address(text: str) -> Address:
    """The address in canonical (lower) case. Raises `InvalidAsset`."""
    lowered = text.lower()
    if not _ADDRESS.fullmatch(lowered):
        raise InvalidAsset(f"{text[:100]!r} is no address: 0x and 40 hex digits")
    return Address(lowered)


def evm_chain(chain_id: int) -> ChainRef:
    """The CAIP-2 text of an EVM chain."""
    return ChainRef(f"eip155:{chain_id}")


def chain_id_of(chain: ChainRef) -> int:
    """The numeric id of an EVM chain. Raises `InvalidAsset` for another namespace."""
    namespace, _, reference = chain.partition(":")
    if namespace != "eip155" or not reference.isdigit():
        raise InvalidAsset(f"{chain!r} is no EVM chain")
    return int(reference)


def erc20(chain_id: int, token: str) -> AssetId:
    """The id of an ERC-20 token."""
    return AssetId(f"eip155:{chain_id}/erc20:{address(token)}")


def native_asset(chain_id: int) -> AssetId:
    """The id of the asset that pays for gas (SLIP-44 60: ether)."""
    return AssetId(f"eip155:{chain_id}/slip44:60")


def asset_id(text: str) -> AssetId:
    """The asset id that a CAIP-19 text means. Raises `InvalidAsset`."""
    match = _CAIP19.fullmatch(text)
    if match is None:
        raise InvalidAsset(f"{text[:100]!r} is no CAIP-19 asset")
    if match["namespace"] == "erc20":
        return AssetId(f"{match['chain']}/erc20:{address(match['reference'])}")
    return AssetId(text)


def chain_of(asset: AssetId) -> ChainRef:
    """The chain that an asset lives on."""
    return ChainRef(asset.partition("/")[0])


def token_address(asset: AssetId) -> Address:
    """The contract of an ERC-20 token. Raises `InvalidAsset` for any other asset."""
    _, _, rest = asset.partition("/")
    namespace, _, reference = rest.partition(":")
    if namespace != "erc20":
        raise InvalidAsset(f"{asset!r} is no ERC-20 token")
    return Address(reference)


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset with what people call it and the power of ten of its base unit."""

    id: AssetId
    symbol: str
    decimals: int

    @property
    def chain(self) -> ChainRef:
        """The chain that it lives on."""
        return chain_of(self.id)
