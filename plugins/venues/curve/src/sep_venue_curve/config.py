"""The table `[venues.<name>]` with `use = "curve"`."""

from typing import Annotated

from pydantic import Field
from sep_hooks.config import AddressText, PluginConfig


class CurveConfig(PluginConfig):
    """Markets are the `pools`: addresses of plain StableSwap pools, each its own contract."""

    pools: Annotated[tuple[AddressText, ...], Field(min_length=1)]
