"""The table `[venues.<name>]` with `use = "uniswap-v3"`."""

from typing import Annotated

from pydantic import Field
from sep_hooks.config import AddressText, PluginConfig

FEES_PPM = (100, 500, 3000, 10000)


class UniswapV3Config(PluginConfig):
    """Contracts are known on mainnet and needed elsewhere.

    Markets are the `pools`, and for each pair of token addresses in `pairs` the factory's pools at the `fees`.
    Without `tick_lens` the ticks are read from the pools alone, in more calls.
    """

    factory: AddressText | None = None
    router: AddressText | None = None
    quoter: AddressText | None = None
    tick_lens: AddressText | None = None
    pools: tuple[AddressText, ...] = ()
    pairs: tuple[tuple[AddressText, AddressText], ...] = ()
    fees: tuple[Annotated[int, Field(gt=0, lt=1_000_000)], ...] = FEES_PPM
