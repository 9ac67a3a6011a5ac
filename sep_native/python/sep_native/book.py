"""The simulated exchange: a price-time matching book, other people, latency and faults, all from one seed."""

from sep_native._native import SimExchange

__all__ = ["SimExchange"]
