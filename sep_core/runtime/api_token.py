"""The bearer token of a data folder: who can read the file may write through the API."""

import re
import secrets
from pathlib import Path
from typing import Final

from sep_hooks.errors import Permanent

from sep_core.adapters.data_folder import write_durably

TOKEN_NAME: Final = "api-token"  # noqa: S105  # a file's name
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,256}")


class TokenUnavailable(Permanent):
    """The token's file is missing, damaged or open to others; nothing was sent or served."""

    code = "token_unavailable"


def token_path(folder: Path) -> Path:
    """Where the token of a data folder stands."""
    return folder / TOKEN_NAME


def ensure_token(folder: Path) -> tuple[Path, str]:
    """The token's file and the token; both are made once and kept. Raises `TokenUnavailable`."""
    path = token_path(folder)
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_durably(path, secrets.token_urlsafe(32).encode() + b"\n", mode=0o600)
        except OSError as error:
            raise TokenUnavailable(
                f"the API's token {path} cannot be written ({error.strerror})",
                next_step="mend the folder's permissions, or name another data folder",
            ) from error
    return path, read_token(folder)


def read_token(folder: Path) -> str:
    """The token of a data folder. Raises `TokenUnavailable`."""
    path = token_path(folder)
    try:
        if path.stat().st_mode & 0o077:
            raise TokenUnavailable(
                f"{path} is open to other users of this machine", next_step=f"chmod 600 {path}"
            )
        token = path.read_bytes().decode("ascii", errors="replace").strip()
    except FileNotFoundError:
        raise TokenUnavailable(
            f"there is no token {path}", next_step="start the engine with its API once: `sep serve`"
        ) from None
    except OSError as error:
        raise TokenUnavailable(
            f"the API's token {path} cannot be read ({error.strerror})", next_step="mend its permissions"
        ) from error
    if not _TOKEN.fullmatch(token):
        raise TokenUnavailable(
            f"{path} holds no token", next_step=f"remove {path} and start `sep serve`: it makes a new one"
        )
    return token
