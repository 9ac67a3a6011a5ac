"""The conformance suite of venues, on genuine contracts of a local node."""

import pytest
from sep_hooks.context import VenueContext
from sep_hooks.testing.abi import EthAbi
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.testing.packaging import PackagingSuite
from sep_hooks.testing.venue import VenueSuite
from sep_hooks.types import BlockRef
from sep_testnet.node_reads import NodeReads
from sep_testnet.testnet import Testnet
from sep_venue_balancer import Balancer, BalancerConfig

pytest_plugins = ["sep_testnet.fixtures"]


class TestPackaging(PackagingSuite):
    dist = "sep-venue-balancer"


@pytest.mark.anvil
class TestBalancer(VenueSuite):
    @pytest.fixture
    async def venue(self, testnet: Testnet) -> Balancer:
        deployment = testnet.deployment
        config = BalancerConfig.model_validate(
            {
                "vault": deployment.balancer_vault,
                "queries": deployment.balancer_queries,
                "pools": [pool.pool_id for pool in deployment.balancer_pools],
            }
        )
        context = VenueContext(
            "balancer", FakeClock(), FakeLog(), NodeReads(testnet), EthAbi(), deployment.chain_id
        )
        venue = Balancer(config, context)
        await venue.markets()
        return venue

    @pytest.fixture
    def head(self, testnet: Testnet) -> BlockRef:
        return NodeReads(testnet).head()
