"""The table `[chains.<name>]` with `use = "ethereum"`."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator
from sep_hooks.config import PluginConfig

from .networks import BLOCK_TIME_SECONDS, MAINNET, MINIMUM_TIP, WRAPPED_NATIVE, host_of


def _several(value: object) -> object:
    """One endpoint may stand without brackets."""
    return (value,) if isinstance(value, str | SecretStr) else value


class EthereumConfig(PluginConfig):
    """Endpoints may hold keys and are secrets. `wrapped_native` is known for mainnet and Sepolia."""

    model_config = ConfigDict(hide_input_in_errors=True)  # an endpoint may hold a key

    rpc: Annotated[tuple[SecretStr, ...], BeforeValidator(_several), Field(min_length=1)]
    chain_id: int = Field(MAINNET, ge=1)
    block_time_seconds: float = Field(BLOCK_TIME_SECONDS, gt=0)
    finality: Literal["finalized", "safe", "depth"] = "finalized"
    finality_depth: int = Field(0, ge=0)
    minimum_tip: int = Field(MINIMUM_TIP, ge=1)
    wrapped_native: str | None = Field(None, pattern=r"^0x[0-9a-fA-F]{40}$")

    @field_validator("rpc")
    @classmethod
    def _http(cls, rpc: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for endpoint in rpc:
            if host_of(endpoint.get_secret_value()) is None:
                raise ValueError("an endpoint is no http:// or https:// address")
        return rpc

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.finality == "depth") != (self.finality_depth > 0):
            raise ValueError('finality_depth belongs to finality = "depth", and there it is at least 1')
        if self.wrapped_native is None and self.chain_id not in WRAPPED_NATIVE:
            raise ValueError(f"wrapped_native is not known for chain {self.chain_id}: name its address")
        return self
