"""The table `[venues.<name>]` with `use = "uniswap-v2"`."""

from pydantic import Field
from sep_hooks.config import AddressText, PluginConfig

FEE_PPM = 3000


class UniswapV2Config(PluginConfig):
    """Contracts are known on mainnet and needed elsewhere.

    Markets are the `pools`, and the factory's pair of each pair of token addresses in `pairs`. Forks that charge
    another fee than Uniswap say so in `fee_ppm`, in millionths.
    """

    factory: AddressText | None = None
    router: AddressText | None = None
    pools: tuple[AddressText, ...] = ()
    pairs: tuple[tuple[AddressText, AddressText], ...] = ()
    fee_ppm: int = Field(FEE_PPM, ge=0, lt=1_000_000)
