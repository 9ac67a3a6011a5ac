"""The room's only door to the native core: checksums, calls, leaf hashes, marginal prices, the demonstration."""

from sep_native.decode import checksum_address, decode_call, is_checksum_valid
from sep_native.log import leaf_hash
from sep_native.route import Network, PathProblem
from sep_native.sim import default_genesis

__all__ = [
    "Network",
    "checksum_address",
    "decode_call",
    "default_genesis",
    "is_checksum_valid",
    "leaf_hash",
    "marginal_price",
]


def marginal_price(network: Network, base: str, quote: str, size: int) -> tuple[int, int]:
    """Output per input at size zero before fees, along the best path for `size` (base units of `base`).

    Raises `NoRoute`.
    """
    return network.best_path(PathProblem(want=quote, amount=size, exact_in=True, funding=[base])).marginal
