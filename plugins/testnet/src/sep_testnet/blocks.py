"""Makes blocks as a real chain would, once a second, at a base fee that stays where it is."""

import threading
import time
from collections.abc import Sequence

from .errors import TestnetError
from .node import Node
from .state_cache import BASE_FEE_WEI

BLOCK_SECONDS = 1.0


def mine_block(node: Node) -> None:
    """Mine one block that carries the machine's time, or a second more than the last where that is later."""
    latest = node.rpc.record("eth_getBlockByNumber", "latest", False)
    timestamp = max(int(time.time()), int(str(latest["timestamp"]), 16) + 1)
    node.rpc.call("evm_setNextBlockTimestamp", timestamp)
    node.rpc.call("evm_mine")
    # Set right after the block, so that fee estimates between blocks see it too.
    hold_base_fee(node)


def hold_base_fee(node: Node) -> None:
    """Let the next block have the usual base fee."""
    node.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(BASE_FEE_WEI))


def make_blocks(nodes: Sequence[Node], stop: threading.Event) -> None:
    """Mine on all nodes each second until told to stop. Raises `TestnetError` when a node has ended."""
    # In the middle of the clock's second, where a late wake-up does not skip one.
    due = time.monotonic() + 1.5 - time.time() % 1
    while not stop.wait(max(0.0, due - time.monotonic())):
        for node in nodes:
            if not node.is_running():
                raise TestnetError(
                    f"the node of chain {node.options.chain_id} ended by itself; its chain is gone",
                    next_step="start again with --fresh",
                )
            mine_block(node)
            node.trim_log()
        due = max(due + BLOCK_SECONDS, time.monotonic())
