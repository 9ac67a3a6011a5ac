"""Hooks that run while the program starts: synchronous, with typed registries."""

from collections.abc import Callable, Sequence
from typing import Protocol

from sep_hooks.markers import hookspec


class CommandRegistry(Protocol):
    """Takes verbs for the command line."""

    def command(self, name: str, help: str, run: Callable[[Sequence[str]], int]) -> None:
        """Adds the verb `sep <name>`; `run` gets the remaining arguments and returns the exit code."""
        ...


@hookspec
def sep_register_commands(registry: CommandRegistry) -> None:
    """Adds verbs to the command line. The manifest declares them; typing one imports that plugin alone."""
