"""What errors of a database mean for a log."""

import asyncio
import socket
from typing import Final

import asyncpg
from sep_hooks.errors import SepError
from sep_hooks.store import LogBroken, StoreFailed, StoreUnavailable

LOST: Final = (
    OSError,  # refused, reset, no route; also every time-out
    EOFError,
    asyncio.IncompleteReadError,
    asyncpg.InterfaceError,  # the connection is closed, or closing
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, crashed, starting up
    asyncpg.TooManyConnectionsError,
)
"""The connection is gone or was never there: whether a statement on its way was carried out is unknown."""

_MENDED_BY_A_PERSON: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


def unavailable(place: str, error: BaseException) -> SepError:
    """What an error while opening or reading means."""
    if isinstance(error, SepError):
        return error
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return StoreUnavailable(
            f"{place}: there is no such database", next_step="createdb, or mend store.dsn"
        )
    if isinstance(error, _MENDED_BY_A_PERSON):
        return StoreUnavailable(
            f"{place} refuses this role ({error})",
            next_step="mend store.dsn, or have its owner run `sep store migrate` and grant sep_appender or sep_reader",
        )
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.InvalidSchemaNameError):
        return StoreUnavailable(f"{place} holds no log", next_step="run `sep store migrate`, then start SEP")
    if isinstance(error, asyncpg.DataCorruptedError | asyncpg.IndexCorruptedError):
        return LogBroken(f"{place} is damaged ({error})", pos=0)
    if isinstance(error, TimeoutError):
        return StoreUnavailable(f"{place} does not answer in time", next_step="see whether the server works")
    if isinstance(error, socket.gaierror):
        return StoreUnavailable(f"{place}: no such host", next_step="mend store.dsn")
    return StoreUnavailable(
        f"{place} cannot be reached or used ({_words(error)})",
        next_step="see whether the server runs, then store.dsn",
    )


def stopped(place: str, error: BaseException) -> SepError:
    """Why nothing more can be recorded."""
    if isinstance(error, SepError):
        return error
    if isinstance(error, asyncpg.DiskFullError):
        reason, step = "no space is left on its disk", "free space there, then restart SEP"
    elif isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        reason, step = (
            "it is read-only: a replica, or set so",
            "lead store.dsn to the primary, then restart SEP",
        )
    elif isinstance(error, asyncpg.InsufficientPrivilegeError):
        reason, step = f"it refuses this role ({error})", "grant sep_appender to it, then restart SEP"
    else:
        reason, step = _words(error), "see the log of the server, then restart SEP"
    failed = StoreFailed(f"{place}: the store stopped, nothing more is recorded: {reason}", next_step=step)
    failed.__cause__ = error
    return failed


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
