"""`[store]` with `use = "postgres"`: checked whole before anything is connected."""

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from sep_hooks.config import PluginConfig


class PostgresConfig(PluginConfig):
    """A database and the pool of readers; the appender has one connection of its own.

    `dsn` must lead to the server itself: behind a pooler that shares connections between transactions, the lock of the
    leader would be nobody's. Times are seconds. `keys` is a folder for the keys of the log, which every engine of one
    log needs; by default that of the data folder.
    """

    dsn: SecretStr
    min_size: int = Field(1, ge=0, le=100)
    max_size: int = Field(4, ge=1, le=100)
    max_inactive_connection_lifetime: int = Field(300, ge=1, le=86_400)
    command_timeout: int = Field(30, ge=1, le=3600)
    keys: Path | None = None

    @field_validator("dsn")
    @classmethod
    def _leads_somewhere(cls, value: SecretStr) -> SecretStr:
        """Refuses what cannot be connected to; the text of the refusal never shows the value."""
        parts = _split(value.get_secret_value())
        if parts is None or parts.scheme not in ("postgres", "postgresql"):
            raise ValueError("is no address of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        if not parts.path.strip("/"):
            raise ValueError("names no database; the form is postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        return value

    @model_validator(mode="after")
    def _sizes_fit(self) -> "PostgresConfig":
        if self.min_size > self.max_size:
            raise ValueError(f"min_size is {self.min_size}, above max_size, which is {self.max_size}")
        return self

    @property
    def place(self) -> str:
        """Where the log is, for messages: no user, no password."""
        parts = _split(self.dsn.get_secret_value())
        if parts is None:
            return "PostgreSQL"
        host = parts.hostname or "the local socket"
        port = "" if parts.port is None else f":{parts.port}"
        return f"PostgreSQL at {host}{port}, database {unquote(parts.path.strip('/'))}"


def _split(dsn: str) -> SplitResult | None:
    try:
        parts = urlsplit(dsn)
        _ = parts.port
    except ValueError:
        return None
    return parts
