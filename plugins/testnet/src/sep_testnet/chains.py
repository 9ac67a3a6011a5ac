"""The chains that a box can hold, by the name of the chain plugin that speaks to them."""

from importlib.metadata import entry_points

from .errors import TestnetError

CHAIN_NAMES = {1: "ethereum", 10: "optimism", 137: "polygon", 8453: "base", 42161: "arbitrum"}
_MAINNET = 1


def check_chain_plugin(chain_id: int) -> None:
    """Refuse a chain that no installed plugin offers: the configuration for it would be of no use."""
    name = CHAIN_NAMES[chain_id]
    offered = {entry.name for entry in entry_points(group="sep_core.chains")}
    if chain_id != _MAINNET and name not in offered:
        raise TestnetError(
            f"no installed chain plugin offers {name!r} (chain {chain_id}), so SEP could not use such a node",
            next_step="leave --chain out for chain 1, or install a plugin that offers it",
        )
