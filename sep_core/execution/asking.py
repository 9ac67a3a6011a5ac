"""Asks the outside: every wait has a bound, and stands between two crash points."""

from collections.abc import Awaitable

import anyio
from sep_hooks.errors import Retryable, SepError

from sep_core.telemetry.crashpoints import crossing

CALL_TIMEOUT_SECONDS = 30.0


class ChainSilent(Retryable):
    """The chain gave no usable answer; nothing is concluded from that."""

    code = "chain_silent"


async def ask[T](name: str, awaitable: Awaitable[T]) -> T:
    """The answer to a read. Raises `ChainSilent` where there is none, whatever the cause."""
    try:
        with anyio.fail_after(CALL_TIMEOUT_SECONDS):
            return await crossing(name, awaitable)  # sep-ok: the caller names it
    except TimeoutError:
        raise ChainSilent(
            f"no answer to {name} within {CALL_TIMEOUT_SECONDS:.0f} s; nothing is concluded from that"
        ) from None
    except SepError as error:
        raise ChainSilent(f"no answer to {name}: {error.message}; nothing is concluded from that") from error
