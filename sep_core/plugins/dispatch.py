"""Tells observers what happened: each implementation under a budget, contained, muted after faults in a row.

pluggy keeps the implementations; the calling is ours, because its own stops at the first exception and awaits nothing.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Final

import anyio
import pluggy
from sep_hooks.capabilities import PluginKind
from sep_hooks.markers import PROJECT_NAME
from sep_hooks.specs import boot, facts, lifecycle

from sep_core.plugins.guard import Guard
from sep_core.plugins.reference import PluginRef, Rejection, Stage
from sep_core.plugins.registry import LoadedHooks

BUDGET_SECONDS: Final = 0.05
_BOOT: Final = frozenset(name for name in vars(boot) if name.startswith("sep_"))
_SPECS: Final[tuple[ModuleType, ...]] = (boot, lifecycle, facts)


@dataclass(frozen=True, slots=True)
class _Observer:
    plugin: PluginRef
    function: Callable[..., Awaitable[None]]
    positional: tuple[str, ...]
    defaulted: tuple[str, ...]


class Dispatcher:
    """Broadcasts facts and moments of the kernel's life. At most once each; replay calls nobody.

    A module that implements a hook wrongly is in `rejected` and takes no part at all.
    """

    def __init__(
        self, modules: Sequence[LoadedHooks], guard: Guard, *, budget_seconds: float = BUDGET_SECONDS
    ) -> None:
        self._guard = guard
        self._budget = budget_seconds
        self._manager = new_manager()
        self.rejected: list[tuple[LoadedHooks, Rejection]] = []
        order: dict[str, tuple[int, LoadedHooks]] = {}
        for module in modules:
            wrong = register(self._manager, module)
            if wrong:
                self.rejected.append((module, Rejection(Stage.CHECKED, wrong)))
            else:
                order[_registered_name(module)] = (len(order), module)
        self._manager.check_pending()
        self._observers = {name: self._observers_of(name, order) for name in hook_names() - _BOOT}

    @property
    def anybody(self) -> bool:
        """Whether anybody implements any hook."""
        return any(self._observers.values())

    def listens(self, hook: str) -> bool:
        """Whether anybody implements a hook."""
        return bool(self._observers[hook])

    async def broadcast(self, hook: str, arguments: Mapping[str, object]) -> None:
        """Calls every implementation at once and returns when all are done or out of time."""
        observers = self._observers[hook]
        if not observers:
            return
        async with anyio.create_task_group() as group:
            for observer in observers:
                if self._guard.consequence(observer.plugin) is None:
                    group.start_soon(self._call, hook, observer, arguments)

    async def _call(self, hook: str, observer: _Observer, arguments: Mapping[str, object]) -> None:
        positional = [arguments[name] for name in observer.positional]
        named = {name: arguments[name] for name in observer.defaulted if name in arguments}
        await self._guard.attempt(
            observer.plugin,
            hook,
            lambda: observer.function(*positional, **named),
            timeout_seconds=self._budget,
            returns=type(None),
        )

    def _observers_of(self, hook: str, order: Mapping[str, tuple[int, LoadedHooks]]) -> Sequence[_Observer]:
        found = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            place, module = order[implementation.plugin_name]
            ref = module.ref
            plugin = PluginRef(PluginKind.HOOKS, ref.name, hook, ref.dist, ref.version)
            found.append(
                (
                    place,
                    _Observer(
                        plugin,
                        implementation.function,
                        tuple(implementation.argnames),
                        tuple(implementation.kwargnames),
                    ),
                )
            )
        return [observer for _, observer in sorted(found, key=lambda pair: pair[0])]


def new_manager() -> pluggy.PluginManager:
    """A manager that knows our hooks and no implementation."""
    manager = pluggy.PluginManager(PROJECT_NAME)
    for specs in _SPECS:
        manager.add_hookspecs(specs)
    return manager


def hook_names() -> frozenset[str]:
    """The names of all hooks."""
    return frozenset(
        name
        for specs in _SPECS
        for name, value in vars(specs).items()
        if name.startswith("sep_") and callable(value)
    )


def register(manager: pluggy.PluginManager, module: LoadedHooks) -> str:
    """Adds a module's implementations; answers why it was refused, or an empty text."""
    wrong = _wrong_implementation(manager, module.module)
    if wrong:
        return wrong
    try:
        manager.register(module.module, name=_registered_name(module))
    except (pluggy.PluginValidationError, ValueError) as error:
        return " ".join(str(error).split())[:500]
    return ""


def _registered_name(module: LoadedHooks) -> str:
    return f"{module.dist.name}:{module.name}"


def _wrong_implementation(manager: pluggy.PluginManager, module: object) -> str:
    known = hook_names()
    implemented = 0
    for name in dir(module):
        options = manager.parse_hookimpl_opts(module, name)
        if options is None:
            continue
        implemented += 1
        hook = options.get("specname") or name
        function = getattr(module, name)
        if hook not in known:
            if options.get("optionalhook"):
                continue
            return f"{name} implements the hook {hook!r}, which does not exist"
        if options.get("wrapper") or options.get("hookwrapper"):
            return f"{name} is a wrapper; hooks of SEP have none"
        if inspect.iscoroutinefunction(function) == (hook in _BOOT):
            return f"{name} must be {'a plain function' if hook in _BOOT else 'an `async def`'}"
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
                return f"{name} declares {parameter}: hooks take ordinary parameters only"
    return "" if implemented else "implements no hook"
