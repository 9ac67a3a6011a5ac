"""The table `[relays.<name>]` with `use = "flashbots"`."""

import re
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, SecretStr, field_validator
from sep_hooks.config import PluginConfig

MOST_BLOCKS: Final = 25
"""A private transaction is tried for at most so many blocks; more is cut down without a word."""

_KEY = re.compile(r"0x[0-9a-fA-F]{64}")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class FlashbotsConfig(PluginConfig):
    """`auth_key` is no key of an account: it names the sender to the relay, which lets nobody else withdraw.

    `hints` are what the relay may show to searchers of a private transaction; nothing but its hash by default.
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # an address may hold a key

    url: SecretStr
    auth_key: SecretStr
    method: Literal["private-transaction", "bundle"] = "private-transaction"
    blocks: int = Field(MOST_BLOCKS, ge=1, le=MOST_BLOCKS)
    hints: tuple[Literal["hash", "calldata", "contract_address", "function_selector", "logs"], ...] = (
        "hash",
    )

    @field_validator("url")
    @classmethod
    def _closed(cls, url: SecretStr) -> SecretStr:
        said = urlsplit(url.get_secret_value())
        if not said.hostname or said.scheme not in ("http", "https"):
            raise ValueError("it is no https:// address")
        if said.scheme == "http" and said.hostname not in _LOOPBACK:
            raise ValueError("http:// would show transactions to everybody on the way; use https://")
        return url

    @field_validator("auth_key")
    @classmethod
    def _key(cls, key: SecretStr) -> SecretStr:
        if not _KEY.fullmatch(key.get_secret_value()):
            raise ValueError("it is no 0x with 64 hexadecimal digits")
        return key
