"""The host's own guard, where the kernel hands in no other."""

import asyncio
from collections.abc import Awaitable, Callable

import anyio

from sep_core.strategies.ports import CallbackFailed


async def plain_guard(
    instance: str, callback: str, make: Callable[[], Awaitable[None]], timeout_seconds: float
) -> None:
    """Awaits a callback within its time. Raises `CallbackFailed`; cancellation from outside passes through."""
    with anyio.move_on_after(timeout_seconds) as scope:
        try:
            await make()
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except asyncio.CancelledError as error:
            if not scope.cancel_called and not _from_outside():
                raise CallbackFailed(
                    f"{callback} of {instance} cancelled itself", quarantined=False
                ) from error
            raise
        except BaseException as error:
            if not scope.cancel_called:
                text = f"{callback} of {instance} raised {type(error).__name__}: {error}"[:500]
                raise CallbackFailed(text, quarantined=False) from error
    if scope.cancel_called:
        raise CallbackFailed(
            f"{callback} of {instance} did not end within {timeout_seconds} s", quarantined=True
        )


def _from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
