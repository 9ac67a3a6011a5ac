"""The table `[venues.<name>]` with `use = "balancer"`."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from sep_hooks.config import AddressText, PluginConfig
from sep_hooks.errors import InvalidAsset
from sep_hooks.types import address

_POOL_ID = re.compile(r"0x[0-9a-fA-F]{64}")


def _pool(text: str) -> str:
    if _POOL_ID.fullmatch(text):
        return text.lower()
    try:
        return address(text)
    except InvalidAsset as error:
        raise ValueError(
            f"{text} is neither a pool's id of 32 bytes nor its address: {error.message}"
        ) from error


type PoolText = Annotated[str, AfterValidator(_pool)]


class BalancerConfig(PluginConfig):
    """Markets are the `pools`, by id or address. Vault and queries are known on some chains and needed elsewhere."""

    pools: Annotated[tuple[PoolText, ...], Field(min_length=1)]
    vault: AddressText | None = None
    queries: AddressText | None = None
