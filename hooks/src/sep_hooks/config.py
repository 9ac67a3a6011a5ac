"""The base of every plugin's configuration section."""

from pydantic import BaseModel, ConfigDict


class PluginConfig(BaseModel):
    """One table of the configuration file, without the keys that the kernel reads itself (`use`, `chain`, `id`,
    `account`). Unknown keys are refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
