"""Where the protocol's own contracts stand."""

from collections.abc import Mapping
from dataclasses import dataclass

from sep_hooks.errors import ConfigurationError
from sep_hooks.types import Address

from .config import BalancerConfig


@dataclass(frozen=True, slots=True)
class Contracts:
    """`vault` holds all tokens, `queries` is BalancerQueries."""

    vault: Address
    queries: Address


_EVERYWHERE = Contracts(
    vault=Address("0xba12222222228d8ba445958a75a0704d566bf2c8"),
    queries=Address("0xe39b5e3b6d74016b2f6a9673d7d7493b6df549d5"),
)
KNOWN: Mapping[int, Contracts] = dict.fromkeys((1, 10, 137, 42161), _EVERYWHERE)


def contracts_of(config: BalancerConfig, chain_id: int, instance: str) -> Contracts:
    """The contracts of a configuration: both set, or neither where the chain's own are known.

    Raises `ConfigurationError`.
    """
    if config.vault is not None and config.queries is not None:
        return Contracts(Address(config.vault), Address(config.queries))
    missing = "vault" if config.vault is None else "queries"
    if config.vault is None and config.queries is None and chain_id in KNOWN:
        return KNOWN[chain_id]
    raise ConfigurationError(
        f"venue {instance}: the address of {missing} is not known on chain {chain_id}",
        pointer=f"venues.{instance}.{missing}",
        next_step="set vault and queries in its table",
    )
