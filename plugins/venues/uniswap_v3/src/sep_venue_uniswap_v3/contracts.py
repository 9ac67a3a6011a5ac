"""Where the protocol's own contracts stand."""

from collections.abc import Mapping
from dataclasses import dataclass

from sep_hooks.errors import ConfigurationError
from sep_hooks.types import Address

from .config import UniswapV3Config


@dataclass(frozen=True, slots=True)
class Contracts:
    """`router` is SwapRouter02, `quoter` QuoterV2."""

    factory: Address
    router: Address
    quoter: Address
    tick_lens: Address | None


KNOWN: Mapping[int, Contracts] = {
    1: Contracts(
        factory=Address("0x1f98431c8ad98523631ae4a59f267346ea31f984"),
        router=Address("0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45"),
        quoter=Address("0x61ffe014ba17989e743c5f6cb21bf9697530b21e"),
        tick_lens=Address("0xbfd8137f7d1516d3ea5ca83523914859ec47f573"),
    )
}


def contracts_of(config: UniswapV3Config, chain_id: int, instance: str) -> Contracts:
    """The contracts of a configuration. Raises `ConfigurationError` for one that is neither set nor known."""
    known = KNOWN.get(chain_id)
    # A configured factory is another deployment: nothing of the known one belongs to it.
    if config.factory is not None and known is not None and config.factory != known.factory:
        known = None

    def chosen(name: str, configured: str | None, default: Address | None) -> Address:
        if configured is not None:
            return Address(configured)
        if default is None:
            raise ConfigurationError(
                f"venue {instance}: the address of {name} is not known on chain {chain_id}",
                pointer=f"venues.{instance}.{name}",
                next_step=f"set {name} in its table",
            )
        return default

    lens = config.tick_lens or (known.tick_lens if known else None)
    return Contracts(
        factory=chosen("factory", config.factory, known.factory if known else None),
        router=chosen("router", config.router, known.router if known else None),
        quoter=chosen("quoter", config.quoter, known.quoter if known else None),
        tick_lens=Address(lens) if lens else None,
    )
