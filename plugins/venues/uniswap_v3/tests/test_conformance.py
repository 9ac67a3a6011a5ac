"""The conformance suite of venues, on genuine contracts of a local node."""

import json
from collections.abc import Sequence

import pytest
from sep_hooks.context import RpcFailed, RpcOk, RpcOutcome, RpcRequest, VenueContext
from sep_hooks.errors import RpcRejected
from sep_hooks.testing.abi import EthAbi
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.testing.venue import VenueSuite
from sep_hooks.types import BlockRef, Json
from sep_testnet.errors import NodeRejected
from sep_testnet.testnet import Testnet
from sep_venue_uniswap_v3 import UniswapV3, UniswapV3Config

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = pytest.mark.anvil


class NodeReads:
    """An `Rpc` over the local node, one call at a time."""

    def __init__(self, testnet: Testnet) -> None:
        self._testnet = testnet

    async def call(self, request: RpcRequest, *, timeout_seconds: float = 10.0) -> bytes:
        """The raw JSON of the result."""
        params: list[Json] = list(request.params)
        if request.at is not None:
            params.append({"blockHash": request.at.hash, "requireCanonical": True})
        try:
            return json.dumps(self._testnet.rpc.call(request.method, *params)).encode()  # type: ignore[arg-type]
        except NodeRejected as error:
            raise RpcRejected(error.message, rpc_code=error.rpc_code, data=error.data) from error

    async def calls(
        self, requests: Sequence[RpcRequest], *, timeout_seconds: float = 10.0
    ) -> Sequence[RpcOutcome]:
        """One outcome for each request."""
        outcomes: list[RpcOutcome] = []
        for request in requests:
            try:
                outcomes.append(RpcOk(await self.call(request)))
            except RpcRejected as error:
                outcomes.append(RpcFailed(error))
        return outcomes


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
        block = testnet.block()
        return BlockRef(int(str(block["number"]), 16), str(block["hash"]))
