"""The conformance suite of venues, on genuine contracts of a local node."""

import pytest
from sep_hooks.context import VenueContext
from sep_hooks.testing.abi import EthAbi
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.testing.venue import VenueSuite
from sep_hooks.types import BlockRef
from sep_testnet.node_reads import NodeReads
from sep_testnet.testnet import Testnet
from sep_venue_uniswap_v2 import UniswapV2, UniswapV2Config

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = pytest.mark.anvil


class TestUniswapV2(VenueSuite):
    @pytest.fixture
    async def venue(self, testnet: Testnet) -> UniswapV2:
        deployment = testnet.deployment
        config = UniswapV2Config.model_validate(
            {
                "factory": deployment.v2_factory,
                "router": deployment.v2_router,
                "pools": [pair.address for pair in deployment.v2_pairs],
            }
        )
        context = VenueContext(
            "uni", FakeClock(), FakeLog(), NodeReads(testnet), EthAbi(), deployment.chain_id
        )
        venue = UniswapV2(config, context)
        await venue.markets()
        return venue

    @pytest.fixture
    def head(self, testnet: Testnet) -> BlockRef:
        return NodeReads(testnet).head()
