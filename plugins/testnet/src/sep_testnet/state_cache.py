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

BASE_FEE_WEI = 1_000_000_000
_DEPLOY_SOURCES = ("deploy.py", "deployment.py", "encoding.py", "node.py", "state_cache.py", "transactor.py")


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
    flags = " ".join(deploy_options(chain_id).arguments())
    digest.update(f"{artifacts.lock_digest} {artifacts.node_version} {flags} {chain_id}".encode())
    return digest.hexdigest()


def ensure_state(artifacts: Artifacts, chain_id: int, progress: Progress = quiet) -> DeployedState:
    """Give a chain's deployed state, made where the cache lacks it."""
    folder = cache_folder() / "states" / f"{chain_id}-{state_key(artifacts, chain_id)[:32]}"
    if not folder.is_dir():
        progress(f"deploying the contracts on chain {chain_id}, once")
        with filled_at_once(folder) as staging:
            dump = staging / "state.json"
            options = replace(deploy_options(chain_id), dump_state=dump)
            with running_node(artifacts.anvil, options) as node:
                deployment = deploy(node, artifacts)
            if not dump.is_file():
                raise TestnetError(f"the test node wrote no state of chain {chain_id}")
            (staging / "deployment.json").write_text(deployment.to_json())
    try:
        deployment = Deployment.from_json((folder / "deployment.json").read_text())
    except (OSError, ValueError) as error:
        raise _broken(folder) from error
    return DeployedState(folder / "state.json", deployment)


@contextmanager
def deployed_node(
    artifacts: Artifacts, options: NodeOptions, progress: Progress = quiet
) -> Iterator[tuple[Node, Deployment]]:
    """Run a node on which the contracts stand; its next block follows the deployment's last by a second."""
    cached = ensure_state(artifacts, options.chain_id, progress)
    try:
        node = Node.start(artifacts.anvil, replace(options, load_state=cached.state))
    except TestnetError as error:
        if "state" not in error.message.lower():
            raise
        raise _broken(cached.state.parent) from error
    try:
        if _head_hash(node) != cached.deployment.head_hash:
            raise _broken(cached.state.parent)
        settle_clock(node)
        yield node, cached.deployment
    finally:
        node.stop()


def settle_clock(node: Node) -> None:
    """Make the next block one second younger than the last, at the usual base fee."""
    latest = node.rpc.record("eth_getBlockByNumber", "latest", False)
    node.rpc.call("anvil_setBlockTimestampInterval", 1)
    node.rpc.call("anvil_setTime", int(str(latest["timestamp"]), 16))
    node.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(BASE_FEE_WEI))


def _head_hash(node: Node) -> str:
    return str(node.rpc.record("eth_getBlockByNumber", "latest", False)["hash"])


def _broken(folder: Path) -> TestnetError:
    """A state that does not load is thrown away: the next start makes it anew."""
    shutil.rmtree(folder, ignore_errors=True)
    return TestnetError(
        f"the cached chain state {folder} was damaged and has been removed",
        next_step="start again: it is made anew",
    )
