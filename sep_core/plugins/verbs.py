"""What plugins add to the program by a verb: declared in manifests, imported when typed, or when an account's table
names what it brings.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sep_hooks.capabilities import PluginKind
from sep_hooks.errors import PluginError
from sep_hooks.types import Address

from sep_core.plugins.discovery import Discovery, FoundPlugin, discover
from sep_core.plugins.failure import described
from sep_core.plugins.reference import Stage

if TYPE_CHECKING:
    import pluggy

_EXECUTOR: Final = "executor"


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb that is ready to run."""

    name: str
    help: str
    run: Callable[[Sequence[str]], int]


def declared_verbs(discovery: Discovery | None = None) -> Mapping[str, str]:
    """The verbs that installed plugins declare, and what their manifests say of them. Imports no plugin.

    A verb that two plugins declare belongs to neither.
    """
    return {
        verb: "" if owners[0].manifest is None else owners[0].manifest.summary
        for verb, owners in sorted(_owners(discovery or discover()).items())
        if len(owners) == 1
    }


def run_verb(name: str, arguments: Sequence[str]) -> int:
    """Imports the plugin that declares a verb and runs it; answers the exit code. Raises as `load_verb`."""
    return load_verb(name).run(arguments)


def load_verb(name: str, discovery: Discovery | None = None) -> Verb:
    """Imports the one plugin that declares a verb, and takes the verb from it; needs no configuration.

    Raises `PluginError` for a verb that nobody declares or registers, and for a plugin that cannot be imported.
    """
    plugin, manager = _load_owner(name, discovery or discover())
    verbs = _Verbs()
    for implementation in manager.hook.sep_register_commands.get_hookimpls():
        _ask(plugin, "sep_register_commands", implementation, {"registry": verbs})
    verb = verbs.taken.get(name)
    if verb is None:
        raise _broken(plugin, f"declares the verb {name!r} and does not register it")
    return verb


def executor_serves(owner: Address, code: bytes, discovery: Discovery | None = None) -> bool:
    """Whether the package that brings the verb `executor` knows a contract's code, and that it serves this account.

    Raises as `load_verb`.
    """
    plugin, manager = _load_owner(_EXECUTOR, discovery or discover())
    asked = {"owner": owner, "code": code}
    return any(
        _ask(plugin, "sep_executor_serves", implementation, asked) is True
        for implementation in manager.hook.sep_executor_serves.get_hookimpls()
    )


def _ask(
    plugin: FoundPlugin, hook: str, implementation: "pluggy.HookImpl", known: Mapping[str, object]
) -> object:
    try:
        return implementation.function(*(known[name] for name in implementation.argnames))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _broken(plugin, f"{hook} raised {described(error)}") from error


def _load_owner(name: str, known: Discovery) -> "tuple[FoundPlugin, pluggy.PluginManager]":
    from sep_core.plugins.dispatch import new_manager, register
    from sep_core.plugins.policy import Policy
    from sep_core.plugins.registry import Registry

    owners = _owners(known).get(name, [])
    if len(owners) != 1:
        raise PluginError(
            f"the verb {name!r} is declared by "
            + (" and ".join(one.dist.name for one in owners) or "no installed plugin"),
            plugin=name,
            stage=Stage.DISCOVERED.label,
            next_step="uninstall all but one of them" if owners else "run `sep --help`",
        )
    plugin = owners[0]
    module = Registry(known, Policy()).load_module(plugin)
    manager = new_manager()
    wrong = register(manager, module)
    if wrong:
        raise _broken(plugin, wrong)
    return plugin, manager


def _owners(discovery: Discovery) -> Mapping[str, Sequence[FoundPlugin]]:
    owners: dict[str, list[FoundPlugin]] = {}
    for plugin in discovery.plugins:
        if plugin.rejection is None and plugin.manifest is not None:
            for verb in plugin.manifest.verbs:
                owners.setdefault(verb, []).append(plugin)
    return owners


class _Verbs:
    """Implements `CommandRegistry`."""

    def __init__(self) -> None:
        self.taken: dict[str, Verb] = {}

    def command(self, name: str, help: str, run: Callable[[Sequence[str]], int]) -> None:
        """Takes a verb."""
        self.taken[name] = Verb(name, help, run)


def _broken(plugin: FoundPlugin, reason: str) -> PluginError:
    return PluginError(
        f"{PluginKind.HOOKS} {plugin.name} of {plugin.dist.name} {plugin.dist.version}: {reason}",
        plugin=plugin.name,
        stage=Stage.CHECKED.label,
        next_step=f"run `sep plugin check {plugin.dist.name}`",
    )
