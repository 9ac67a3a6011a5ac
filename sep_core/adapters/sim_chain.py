"""The simulated chain as a chain of the kernel."""

from pathlib import Path
from typing import ClassVar

import orjson
from pydantic import Field
from sep_hooks.chain import ChainAdapter, ChainPreset, Finality
from sep_hooks.config import PluginConfig
from sep_hooks.context import PluginContext, Rpc
from sep_hooks.errors import ConfigurationError
from sep_hooks.types import AnswerKind, address
from sep_native.sim import SimChain, default_genesis

from .sim_rpc import SimRpc
from .sim_socket import SimSocketRpc

TRANSACTION_GAS_LIMIT = 2**24
BROADCAST_TEXTS = (
    ("already known", AnswerKind.KNOWN),
    ("nonce too low", AnswerKind.NONCE_TOO_LOW),
    ("replacement transaction underpriced", AnswerKind.UNDERPRICED),
)


class SimulatedChainConfig(PluginConfig):
    """With `socket`, the chain is a process of its own behind it; without, it lives and ends with this one.

    `genesis` is a document's path, else the demonstration's of this `seed`. `block_time_seconds` is how often the
    chain is looked at. In this process a transaction makes its own block, final after `finality_depth` more; a
    chain that `share` has put under `shared` is found again by every engine of this process, and mines as it is told.
    """

    socket: Path | None = None
    genesis: Path | None = None
    seed: int = Field(7, ge=0, lt=2**64)
    block_time_seconds: float = Field(0.05, gt=0)
    finality_depth: int = Field(0, ge=0)
    shared: str | None = None


class SimulatedChain(ChainAdapter[SimulatedChainConfig]):
    """A deterministic chain with markets, for demonstration and tests. Reads its genesis when it is made."""

    Config: ClassVar[type[PluginConfig]] = SimulatedChainConfig

    def __init__(self, config: SimulatedChainConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._text = _genesis_text(config, context.instance)
        self._genesis = orjson.loads(self._text)
        self._transport: Rpc | None = None

    def preset(self) -> ChainPreset:
        """The genesis as a preset; finality by the chain's own tag."""
        wrapped = [token["address"] for token in self._genesis["tokens"] if token.get("wrapped_native")]
        if not wrapped:
            raise ConfigurationError(
                f"chain {self.context.instance}: its genesis has no token with wrapped_native",
                pointer=f"chains.{self.context.instance}.genesis",
            )
        return ChainPreset(
            family="ethereum",
            name=self.context.instance,
            chain_id=self._genesis["chain_id"],
            test=True,
            block_time_seconds=self.config.block_time_seconds,
            finality=Finality("finalized"),
            transaction_gas_limit=TRANSACTION_GAS_LIMIT,
            minimum_tip=1,
            wrapped_native=address(wrapped[0]),
            broadcast_texts=BROADCAST_TEXTS,
        )

    def transport(self) -> Rpc:
        """The same transport every time, so that a chain in this process keeps its state."""
        if self._transport is None:
            self._transport = self._opened()
        return self._transport

    def _opened(self) -> Rpc:
        if self.config.socket is not None:
            return SimSocketRpc(self.config.socket)
        if self.config.shared is not None:
            return SimRpc(_shared(self.config.shared, self.context.instance))
        chain = SimChain(self._text)
        chain.rpc("sim_setAutomine", "[true]")
        chain.rpc("sim_setFinality", f"[{self.config.finality_depth}]")
        return SimRpc(chain)


_CHAINS: dict[str, SimChain] = {}


def share(name: str, chain: SimChain | None) -> None:
    """Puts a chain under a name, so that it outlives the engines of this process; None takes it away."""
    if chain is None:
        _CHAINS.pop(name, None)
    else:
        _CHAINS[name] = chain


def _shared(name: str, instance: str) -> SimChain:
    if name not in _CHAINS:
        raise ConfigurationError(
            f"chain {instance}: no chain is shared as {name!r} in this process",
            pointer=f"chains.{instance}.shared",
        )
    return _CHAINS[name]


def _genesis_text(config: SimulatedChainConfig, instance: str) -> str:
    if config.genesis is None:
        return default_genesis(config.seed)
    try:
        text = config.genesis.read_text()
        SimChain(text)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"chain {instance}: {config.genesis}: {error}", pointer=f"chains.{instance}.genesis"
        ) from None
    return text
