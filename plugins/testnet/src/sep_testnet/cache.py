"""The user's cache folder: fetched artifacts and deployed chain states."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import TestnetUnavailable


def cache_folder() -> Path:
    """Give the cache's root: `SEP_TESTNET_CACHE`, else `sep-testnet` in the user's cache folder."""
    chosen = os.environ.get("SEP_TESTNET_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sep-testnet"


@contextmanager
def filled_at_once(target: Path) -> Iterator[Path]:
    """Hand out an empty folder that becomes `target` when the block ends well, and vanishes otherwise.

    Several processes may fill the same target: the first to finish wins, the others' work is dropped.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".filling-", dir=target.parent))
    except OSError as error:
        raise TestnetUnavailable(
            f"cannot write to the testnet's cache folder {target.parent}: {error.strerror}",
            next_step="set SEP_TESTNET_CACHE to a folder that can be written",
        ) from error
    try:
        yield staging
        try:
            staging.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
