"""The base of every plugin's configuration section, and texts that many of them hold."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from sep_hooks.errors import InvalidAsset
from sep_hooks.types.asset import address


class PluginConfig(BaseModel):
    """One table of the configuration file, without the keys that the kernel reads itself (`use`, `chain`, `id`,
    `account`). Unknown keys are refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def _address(text: str) -> str:
    try:
        return address(text)
    except InvalidAsset as error:
        raise ValueError(error.message) from error


type AddressText = Annotated[str, AfterValidator(_address)]
"""An address in a configuration; held in lower case."""
