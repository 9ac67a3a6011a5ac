"""Chains: presets of known families, or a transport of their own."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from sep_hooks.config import PluginConfig
from sep_hooks.context import PluginContext, Rpc
from sep_hooks.types import AnswerKind


@dataclass(frozen=True, slots=True)
class Finality:
    """When a block counts as final: by the chain's tag, or by a number of blocks on top."""

    rule: Literal["safe", "finalized", "depth"]
    depth: int = 0


@dataclass(frozen=True, slots=True)
class ChainPreset:
    """What is known of a chain before asking it. `family` names the code that speaks to it.

    `broadcast_texts` maps lower-case fragments of an endpoint's answer to what they mean; unknown is ambiguous.
    """

    family: Literal["ethereum"]
    name: str
    chain_id: int
    test: bool
    block_time_seconds: float
    finality: Finality
    transaction_gas_limit: int
    minimum_tip: int
    wrapped_native: str
    broadcast_texts: tuple[tuple[str, AnswerKind], ...]


class ChainAdapter[ConfigT: PluginConfig](ABC):
    """A chain as configured. The kernel owns the connection, the heads and the sending."""

    Config: ClassVar[type[PluginConfig]]

    def __init__(self, config: ConfigT, context: PluginContext) -> None:
        self.config = config
        self.context = context

    @abstractmethod
    def preset(self) -> ChainPreset:
        """The chain's preset with the configuration applied."""

    def endpoints(self) -> tuple[str, ...]:
        """HTTP endpoints that the kernel shall speak to."""
        return ()

    def transport(self) -> Rpc | None:
        """The chain's own way to speak JSON-RPC, or None for the kernel's HTTP client over `endpoints`."""
        return None
