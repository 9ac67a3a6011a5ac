"""Deployed chains from the cache: one state per chain id, made once and loaded in a twentieth of a second."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from .artifacts import Artifacts
from .cache import cache_folder, filled_at_once
from .deploy import deploy
from .deployment import Deployment
from .errors import TestnetError
from .fetch import Progress, quiet
from .node import GENESIS_TIMESTAMP, Node, NodeOptions, running_node
from .own_contracts import SOURCES

BASE_FEE_WEI = 1_000_000_000
_STATE = "state.json"
_CHECKSUM = "state.sha256"
_DEPLOYMENT = "deployment.json"
_DEPLOY_SOURCES = (
    "deploy.py",
    "deploy_balancer.py",
    "deploy_stable.py",
    "deployment.py",
    "encoding.py",
    "node.py",
    "state_cache.py",
    "transactor.py",
)


@dataclass(frozen=True, slots=True)
class DeployedState:
    """A dumped chain and what stands on it."""

    state: Path
    deployment: Deployment


def deploy_options(chain_id: int) -> NodeOptions:
    """Say how the node is started on which contracts are deployed."""
    return NodeOptions(chain_id, timestamp=GENESIS_TIMESTAMP)


def state_key(artifacts: Artifacts, chain_id: int) -> str:
    """Name a state by everything that it depends on."""
    digest = hashlib.sha256()
    for name in _DEPLOY_SOURCES:
        digest.update(files("sep_testnet").joinpath(name).read_bytes())
    for name in sorted(SOURCES):
        digest.update(artifacts.creation[name])
    flags = " ".join(deploy_options(chain_id).arguments())
    digest.update(f"{artifacts.lock_digest} {artifacts.node_version} {flags} {chain_id}".encode())
    return digest.hexdigest()


def ensure_state(artifacts: Artifacts, chain_id: int, progress: Progress = quiet) -> DeployedState:
    """Give a chain's deployed state, made where the cache lacks it."""
    folder = cache_folder() / "states" / f"{chain_id}-{state_key(artifacts, chain_id)[:32]}"
    cached = _read_state(folder)
    if cached is None:
        progress(f"deploying the contracts on chain {chain_id}, once")
        shutil.rmtree(folder, ignore_errors=True)
        with filled_at_once(folder) as staging:
            _make_state(artifacts, chain_id, staging)
        cached = _read_state(folder)
    if cached is None:
        raise TestnetError(f"the state of chain {chain_id} in {folder} changed while it was made")
    return cached


def _make_state(artifacts: Artifacts, chain_id: int, folder: Path) -> None:
    dump = folder / _STATE
    options = replace(deploy_options(chain_id), dump_state=dump)
    with running_node(artifacts.anvil, options) as node:
        deployment = deploy(node, artifacts)
    if not dump.is_file():
        raise TestnetError(f"the test node wrote no state of chain {chain_id}")
    (folder / _CHECKSUM).write_text(_checksum(dump))
    (folder / _DEPLOYMENT).write_text(deployment.to_json())


def _read_state(folder: Path) -> DeployedState | None:
    """Give a cached state; none when it is absent or damaged, for then it is made anew."""
    try:
        if (folder / _CHECKSUM).read_text() != _checksum(folder / _STATE):
            return None
        return DeployedState(folder / _STATE, Deployment.from_json((folder / _DEPLOYMENT).read_text()))
    except (OSError, ValueError):
        return None


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def deployed_node(
    artifacts: Artifacts, options: NodeOptions, progress: Progress = quiet
) -> Iterator[tuple[Node, Deployment]]:
    """Run a node on which the contracts stand; its next block follows the deployment's last by a second."""
    cached = ensure_state(artifacts, options.chain_id, progress)
    with running_node(artifacts.anvil, replace(options, load_state=cached.state)) as node:
        if _head_hash(node) != cached.deployment.head_hash:
            raise TestnetError(
                f"the cached state {cached.state} is not that of chain {options.chain_id}'s deployment",
                next_step=f"delete {cached.state.parent}; the next start makes it anew",
            )
        settle_clock(node)
        yield node, cached.deployment


def settle_clock(node: Node) -> None:
    """Make the next block one second younger than the last, at the usual base fee."""
    latest = node.rpc.record("eth_getBlockByNumber", "latest", False)
    node.rpc.call("anvil_setBlockTimestampInterval", 1)
    node.rpc.call("anvil_setTime", int(str(latest["timestamp"]), 16))
    node.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(BASE_FEE_WEI))


def _head_hash(node: Node) -> str:
    return str(node.rpc.record("eth_getBlockByNumber", "latest", False)["hash"])
