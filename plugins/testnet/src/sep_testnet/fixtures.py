"""Pytest fixtures: `pytest_plugins = ["sep_testnet.fixtures"]`, then ask for `testnet`."""

from collections.abc import Iterator

import pytest

from .artifacts import Artifacts, load_artifacts
from .errors import TestnetUnavailable
from .node import NodeOptions
from .open import open_testnet
from .testnet import Testnet


@pytest.fixture(scope="session")
def testnet_artifacts() -> Artifacts:
    """The verified node and contracts; skips, with the reason, where they cannot be had."""
    try:
        return load_artifacts()
    except TestnetUnavailable as error:
        pytest.skip(f"the local testnet is not available: {error}")


@pytest.fixture(scope="session")
def testnet_node(testnet_artifacts: Artifacts) -> Iterator[Testnet]:
    """Chain 1 with everything deployed, for the whole session; tests ask for `testnet` instead."""
    with open_testnet(NodeOptions(chain_id=1), artifacts=testnet_artifacts) as opened:
        yield opened


@pytest.fixture
def testnet(testnet_node: Testnet) -> Iterator[Testnet]:
    """Chain 1 with everything deployed; what a test does to it is undone after it."""
    with testnet_node.isolated():
        yield testnet_node
