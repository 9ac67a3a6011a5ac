"""Opens a deployed local chain for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager

from .artifacts import Artifacts, load_artifacts
from .fetch import Progress, quiet
from .node import NodeOptions
from .state_cache import deployed_node
from .testnet import Testnet


@contextmanager
def open_testnet(
    options: NodeOptions, *, artifacts: Artifacts | None = None, progress: Progress = quiet
) -> Iterator[Testnet]:
    """Run a node with everything deployed, from the cache where it can be.

    Raises `TestnetUnavailable` where node or contracts are neither cached nor fetchable.
    """
    chosen = artifacts or load_artifacts(progress)
    with deployed_node(chosen, options, progress) as (node, deployment):
        yield Testnet(node, deployment, chosen)
