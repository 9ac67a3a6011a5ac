"""Where the protocol's own contracts stand."""

from collections.abc import Mapping
from dataclasses import dataclass

from sep_hooks.errors import ConfigurationError
from sep_hooks.types import Address

from .config import UniswapV2Config


@dataclass(frozen=True, slots=True)
class Contracts:
    """`router` is UniswapV2Router02."""

    factory: Address
    router: Address


KNOWN: Mapping[int, Contracts] = {
    1: Contracts(
        factory=Address("0x5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f"),
        router=Address("0x7a250d5630b4cf539739df2c5dacb4c659f2488d"),
    )
}


def contracts_of(config: UniswapV2Config, chain_id: int, instance: str) -> Contracts:
    """The contracts of a configuration: both set, or neither where the chain's own are known.

    Raises `ConfigurationError`.
    """
    if config.factory is not None and config.router is not None:
        return Contracts(Address(config.factory), Address(config.router))
    missing = "factory" if config.factory is None else "router"
    if config.factory is None and config.router is None and chain_id in KNOWN:
        return KNOWN[chain_id]
    raise ConfigurationError(
        f"venue {instance}: the address of {missing} is not known on chain {chain_id}",
        pointer=f"venues.{instance}.{missing}",
        next_step="set factory and router in its table",
    )
