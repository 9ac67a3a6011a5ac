"""Symbols and decimals of tokens that nobody configured, as they tell them of themselves."""

from collections.abc import Iterable
from typing import Final

from sep_hooks.errors import SepError
from sep_hooks.types import Asset, AssetId, BlockRef, Call, token_address

from sep_core.chains.access import ChainAccess

_LONGEST_SYMBOL: Final = 32
_MOST_DECIMALS: Final = 77


async def described(access: ChainAccess, assets: Iterable[AssetId], at: BlockRef) -> list[Asset]:
    """The assets with their own symbols and decimals; one that tells none goes by its short address, in base units."""
    return [await _described(access, asset, at) for asset in assets]


async def _described(access: ChainAccess, asset: AssetId, at: BlockRef) -> Asset:
    token = token_address(asset)
    short = f"{token[:6]}…{token[-4:]}"
    try:
        answer = await access.call(Call(token, access.abi.encode_call("decimals()", ())), at=at)
        (decimals,) = access.abi.decode("(uint256)", answer)
    except (SepError, ValueError):
        return Asset(asset, short, 0)
    if not isinstance(decimals, int) or decimals > _MOST_DECIMALS:
        return Asset(asset, short, 0)
    return Asset(asset, await _symbol(access, asset, at) or short, decimals)


async def _symbol(access: ChainAccess, asset: AssetId, at: BlockRef) -> str:
    """The symbol, as text or as the 32 bytes that old tokens answer; empty where it is none to print."""
    try:
        answer = await access.call(Call(token_address(asset), access.abi.encode_call("symbol()", ())), at=at)
        if len(answer) == 32:
            text = answer.rstrip(b"\0").decode()
        else:
            (told,) = access.abi.decode("(string)", answer)
            text = told if isinstance(told, str) else ""
    except (SepError, ValueError):
        return ""
    return text if text == text.strip() and text.isprintable() and len(text) <= _LONGEST_SYMBOL else ""
