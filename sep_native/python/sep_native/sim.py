"""The simulated chain: deterministic, in memory, spoken to by JSON-RPC."""

from sep_native._native import SimChain, SimRpcError, default_genesis

TIMEOUT_CODE = -32098
"""Code of a `SimRpcError` that stands for an answer that never came."""

__all__ = ["TIMEOUT_CODE", "SimChain", "SimRpcError", "default_genesis"]
