"""The conformance suite of venues, on genuine contracts of a local node."""

import pytest
from sep_hooks.context import VenueContext
from sep_hooks.testing.abi import EthAbi
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.testing.venue import VenueSuite
from sep_hooks.types import BlockRef
from sep_testnet.node_reads import NodeReads
from sep_testnet.testnet import Testnet
from sep_venue_uniswap_v3 import UniswapV3, UniswapV3Config

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = pytest.mark.anvil


class TestUniswapV3(VenueSuite):
    @pytest.fixture
    async def venue(self, testnet: Testnet) -> UniswapV3:
        deployment = testnet.deployment
        config = UniswapV3Config.model_validate(
            {
                "factory": deployment.v3_factory,
                "router": deployment.swap_router_02,
                "quoter": deployment.quoter_v2,
                "tick_lens": deployment.tick_lens,
                "pools": [pool.address for pool in deployment.v3_pools],
            }
        )
        context = VenueContext(
            "uni", FakeClock(), FakeLog(), NodeReads(testnet), EthAbi(), deployment.chain_id
        )
        venue = UniswapV3(config, context)
        await venue.markets()
        return venue

    @pytest.fixture
    def head(self, testnet: Testnet) -> BlockRef:
        return NodeReads(testnet).head()
