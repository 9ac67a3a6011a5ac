"""The signer's own configuration, `signer.toml`: who may ask, and what may be signed; nothing else is."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sep_hooks.config import AddressText
from sep_hooks.errors import ConfigurationError

type WeiText = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,77})$")]
type SelectorText = Annotated[str, Field(pattern=r"^0x[0-9a-f]{8}$")]

NATIVE = "native"
"""What the coin of a chain is called among the caps."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CallRule(_Table):
    """One function of one contract that may be called, with at most `max_value` wei.

    `recipient` is the index of the 32-byte word of its arguments that names who receives: the account itself or an
    address of the withdrawal list. `asset` and `amount` say which token it spends and which word says how much.
    """

    to: AddressText
    selector: SelectorText
    max_value: WeiText = "0"
    recipient: int | None = Field(None, ge=0, le=63)
    asset: AddressText | None = None
    amount: int | None = Field(None, ge=0, le=63)


class AccountRules(_Table):
    """`[accounts.NAME]`: a key file, and what it may sign.

    `tokens` may be approved, to `spenders` alone, and moved, to addresses of the withdrawal list alone. `daily`
    caps what leaves in 24 hours, by token address or `native` (values and the most that gas may cost); a token
    without a cap may not be spent by a rule that names it, nor moved. `max_approval` caps one approval by token.
    """

    key: Path
    password_file: Path
    chains: tuple[int, ...] = Field(min_length=1)
    max_gas_cost: WeiText = "1000000000000000000"
    calls: tuple[CallRule, ...] = ()
    tokens: tuple[AddressText, ...] = ()
    spenders: tuple[AddressText, ...] = ()
    max_approval: dict[AddressText, WeiText] = {}
    daily: dict[str, WeiText] = {}


class SignerSettings(_Table):
    """The whole file. `engines` and `operators` are user ids: the first may have things signed, the second move the
    kill switch and the withdrawal list. A new recipient waits `recipient_delay_hours` and for two operators.
    """

    socket: Path = Path("signer.sock")
    database: Path = Path("signer.db")
    engines: tuple[int, ...] = Field(min_length=1)
    operators: tuple[int, ...] = ()
    recipient_delay_hours: int = Field(24, ge=24, le=720)
    metrics_port: int | None = Field(None, ge=1, le=65535)
    accounts: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")], AccountRules]


def read_settings(path: Path) -> SignerSettings:
    """The configuration, paths made absolute beside the file. Raises `ConfigurationError`."""
    try:
        said = SignerSettings.model_validate(tomllib.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}", next_step="sep-signer init") from error
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)
        ]
        raise ConfigurationError(f"{path}: " + "; ".join(wrong)) from None
    folder = path.absolute().parent
    accounts = {
        name: one.model_copy(update={"key": folder / one.key, "password_file": folder / one.password_file})
        for name, one in said.accounts.items()
    }
    return said.model_copy(
        update={"socket": folder / said.socket, "database": folder / said.database, "accounts": accounts}
    )
