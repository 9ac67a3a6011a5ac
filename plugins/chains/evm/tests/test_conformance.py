"""The conformance suite of chains."""

import pytest
from sep_chain_evm import Ethereum, EthereumConfig
from sep_hooks.context import PluginContext
from sep_hooks.testing.chain import ChainSuite
from sep_hooks.testing.fakes import FakeClock, FakeLog

TABLES: dict[str, dict[str, object]] = {
    "mainnet": {"rpc": ["https://one.example/key", "https://two.example/key"]},
    "local": {"rpc": "http://127.0.0.1:8545", "finality": "depth", "finality_depth": 3},
    "sepolia": {"rpc": "https://one.example", "chain_id": 11155111, "finality": "safe"},
}


class TestEthereum(ChainSuite):
    @pytest.fixture(params=TABLES)
    def chain(self, request: pytest.FixtureRequest) -> Ethereum:
        config = EthereumConfig.model_validate(TABLES[request.param])
        return Ethereum(config, PluginContext("ethereum", FakeClock(), FakeLog()))
