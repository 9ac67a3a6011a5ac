"""The same lock gives the same chain: fresh or loaded, to the block hash."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sep_testnet.artifacts import Artifacts
from sep_testnet.deploy import MAINNET_WETH, deploy
from sep_testnet.deployment import Deployment
from sep_testnet.errors import TestnetError
from sep_testnet.node import NodeOptions, running_node
from sep_testnet.open import open_testnet
from sep_testnet.state_cache import deploy_options, ensure_state, state_key

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = pytest.mark.anvil


@pytest.fixture
def own_states(testnet_artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Artifacts:
    """An empty cache of states; the artifacts are verified already."""
    monkeypatch.setenv("SEP_TESTNET_CACHE", str(tmp_path))
    return testnet_artifacts


def deployed_anew(artifacts: Artifacts, chain_id: int) -> Deployment:
    with running_node(artifacts.anvil, deploy_options(chain_id)) as node:
        return deploy(node, artifacts)


@pytest.mark.parametrize("chain_id", [1, 42161])
def test_two_fresh_runs_and_two_loads_are_equal(own_states: Artifacts, chain_id: int) -> None:
    fresh = [deployed_anew(own_states, chain_id) for _ in range(2)]
    next_blocks = []
    loaded = []
    for _ in range(2):
        with open_testnet(NodeOptions(chain_id), artifacts=own_states) as testnet:
            loaded.append(testnet.deployment)
            testnet.mint(testnet.deployment.usdc, testnet.accounts[1].address, 1)
            testnet.mine()
            next_blocks.append(testnet.block()["hash"])
    assert fresh[0] == fresh[1] == loaded[0] == loaded[1]
    assert next_blocks[0] == next_blocks[1]


def test_chains_have_keys_of_their_own(testnet_artifacts: Artifacts) -> None:
    keys = {state_key(testnet_artifacts, chain_id) for chain_id in (1, 10, 137, 8453, 42161)}
    assert len(keys) == 5
    assert state_key(replace(testnet_artifacts, lock_digest="other"), 1) not in keys


def test_wrapped_ether_stands_at_its_mainnet_address_on_chain_1_only(own_states: Artifacts) -> None:
    deployed = ensure_state(own_states, 1).deployment
    assert deployed.weth == MAINNET_WETH
    assert ensure_state(own_states, 8453).deployment.weth != MAINNET_WETH


def halve(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("damage", [halve, Path.unlink])
@pytest.mark.parametrize("name", ["state.json", "state.sha256", "deployment.json"])
def test_a_damaged_state_is_made_anew(
    own_states: Artifacts, damage: Callable[[Path], None], name: str
) -> None:
    cached = ensure_state(own_states, 1)
    damage(cached.state.parent / name)
    told: list[str] = []
    with open_testnet(NodeOptions(1), artifacts=own_states, progress=told.append) as testnet:
        assert testnet.deployment == cached.deployment
    assert told == ["deploying the contracts on chain 1, once"]


def test_a_state_of_another_chain_is_not_taken_for_this_one(own_states: Artifacts) -> None:
    cached, other = ensure_state(own_states, 1), ensure_state(own_states, 8453)
    for name in ("state.json", "state.sha256"):
        shutil.copy(other.state.parent / name, cached.state.parent / name)
    with (
        pytest.raises(TestnetError, match="is not that of chain 1"),
        open_testnet(NodeOptions(1), artifacts=own_states),
    ):
        pass
