"""The conformance suite of venues, on a StableSwap pool of a local node."""

import pytest
from sep_hooks.context import VenueContext
from sep_hooks.testing.abi import EthAbi
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.testing.packaging import PackagingSuite
from sep_hooks.testing.venue import VenueSuite
from sep_hooks.types import BlockRef
from sep_testnet.node_reads import NodeReads
from sep_testnet.testnet import Testnet
from sep_venue_curve import Curve, CurveConfig

pytest_plugins = ["sep_testnet.fixtures"]


class TestPackaging(PackagingSuite):
    dist = "sep-venue-curve"


@pytest.mark.anvil
class TestCurve(VenueSuite):
    @pytest.fixture
    async def venue(self, testnet: Testnet) -> Curve:
        pools = [pool.address for pool in testnet.deployment.stable_pools]
        context = VenueContext(
            "curve", FakeClock(), FakeLog(), NodeReads(testnet), EthAbi(), testnet.deployment.chain_id
        )
        venue = Curve(CurveConfig.model_validate({"pools": pools}), context)
        await venue.markets()
        return venue

    @pytest.fixture
    def head(self, testnet: Testnet) -> BlockRef:
        return NodeReads(testnet).head()
