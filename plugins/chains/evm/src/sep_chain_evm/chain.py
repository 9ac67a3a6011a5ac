"""Ethereum and its test networks."""

from typing import ClassVar

from sep_hooks.chain import ChainAdapter, ChainPreset, Finality
from sep_hooks.config import PluginConfig
from sep_hooks.types import address

from .answers import BROADCAST_TEXTS
from .config import EthereumConfig
from .networks import TEST_CHAINS, TRANSACTION_GAS_LIMIT, WRAPPED_NATIVE, is_loopback


class Ethereum(ChainAdapter[EthereumConfig]):
    """Mainnet by default; another network by its `chain_id`."""

    Config: ClassVar[type[PluginConfig]] = EthereumConfig

    def preset(self) -> ChainPreset:
        """The preset; `test` where the chain is a known test network or every endpoint is on this machine."""
        config = self.config
        return ChainPreset(
            family="ethereum",
            name=self.context.instance,
            chain_id=config.chain_id,
            test=config.chain_id in TEST_CHAINS or all(is_loopback(url) for url in self.endpoints()),
            block_time_seconds=config.block_time_seconds,
            finality=Finality(config.finality, config.finality_depth),
            transaction_gas_limit=TRANSACTION_GAS_LIMIT,
            minimum_tip=config.minimum_tip,
            wrapped_native=address(config.wrapped_native or WRAPPED_NATIVE[config.chain_id]),
            broadcast_texts=BROADCAST_TEXTS,
        )

    def endpoints(self) -> tuple[str, ...]:
        """The endpoints, keys included."""
        return tuple(endpoint.get_secret_value() for endpoint in self.config.rpc)
