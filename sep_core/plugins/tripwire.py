"""Notices who ends the process from inside, before it ends.

`os._exit`, `os.abort` and signals to oneself leave no time for anything else, so these functions first write into
the holding slot which plugin called them. The kernel's own calls, those of crash tests included, are told apart by
the stack.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any, Final

from sep_core.plugins.holding import Holding

_KERNEL: Final = "sep_core"
_BUILT_IN_PLUGINS: Final = "sep_core.adapters"
_OUTSIDE: Final = "sep_core.plugins."
_CRASH_POINTS: Final = "sep_core.telemetry.crashpoints"


@contextmanager
def tripwire(holding: Holding) -> Iterator[None]:
    """Watches the ways by which code can end its own process, while the context lasts."""
    watched: list[tuple[ModuleType, str, Callable[..., Any]]] = []

    def watch(module: ModuleType, name: str, ends: Callable[..., bool]) -> None:
        original = getattr(module, name)

        def watching(*arguments: Any, **named: Any) -> Any:
            if holding.hold is not None and ends(*arguments, **named) and _by_plugin(sys._getframe(1)):
                text = ", ".join(str(one) for one in arguments)
                holding.ending(f"{module.__name__}.{name}({text})")
            return original(*arguments, **named)

        watching.__name__ = name
        watched.append((module, name, original))
        setattr(module, name, watching)

    own = os.getpid()
    watch(os, "_exit", lambda *_, **__: True)
    watch(os, "abort", lambda *_, **__: True)
    watch(os, "kill", lambda pid, *_: pid in (own, 0))
    watch(signal, "raise_signal", lambda *_: True)
    try:
        yield
    finally:
        for module, name, original in reversed(watched):
            setattr(module, name, original)


def _by_plugin(frame: FrameType | None) -> bool:
    """Whether code that is not the kernel's called, and the kernel called that code for a plugin.

    Between a plugin and the guard may lie code of the kernel: what runs a callback, what folds logs. But where the
    kernel itself is the caller, or a test's visitor at one of its crash points, no plugin ended the process.
    """
    foreign = False
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith((_OUTSIDE, _BUILT_IN_PLUGINS)):
            return True
        if module == _CRASH_POINTS:
            return False
        if module == _KERNEL or module.startswith(_KERNEL + "."):
            return foreign
        foreign = foreign or module.partition(".")[0] not in sys.stdlib_module_names
        frame = frame.f_back
    return False
