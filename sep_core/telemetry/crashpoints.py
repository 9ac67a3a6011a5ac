"""Named places where a process may die, so that tests can kill it at each of them.

In production nothing is armed and a crossing costs one comparison.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

_armed: Callable[[str], None] | None = None


def crash_point(name: str) -> None:
    """Passes a named place; an armed visitor may raise or end the process here."""
    if _armed is not None:
        _armed(name)


def is_armed() -> bool:
    """Whether somebody wants to see the places that are passed; native code shows them only then."""
    return _armed is not None


async def crossing[T](name: str, awaitable: Awaitable[T]) -> T:
    """Awaits between two crash points, `<name>.before` and `<name>.after`."""
    try:
        crash_point(f"{name}.before")
    except BaseException:
        if inspect.iscoroutine(awaitable):
            awaitable.close()
        raise
    result = await awaitable
    crash_point(f"{name}.after")
    return result


@contextmanager
def armed(visitor: Callable[[str], None]) -> Iterator[None]:
    """Lets `visitor` see every place passed while the context lasts."""
    global _armed
    previous, _armed = _armed, visitor
    try:
        yield
    finally:
        _armed = previous
