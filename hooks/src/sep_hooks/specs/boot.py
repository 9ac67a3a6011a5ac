"""Hooks that run while the program starts: synchronous, with typed registries."""

from collections.abc import Callable, Sequence
from typing import Protocol

from sep_hooks.markers import hookspec
from sep_hooks.types import Address


class CommandRegistry(Protocol):
    """Takes verbs for the command line."""

    def command(self, name: str, help: str, run: Callable[[Sequence[str]], int]) -> None:
        """Adds the verb `sep <name>`; `run` gets the remaining arguments and returns the exit code."""
        ...


@hookspec
def sep_register_commands(registry: CommandRegistry) -> None:
    """Adds verbs to the command line. The manifest declares them; typing one imports that plugin alone."""


@hookspec(firstresult=True)
def sep_executor_serves(owner: Address, code: bytes) -> bool | None:
    """Whether code that was found on a chain is a contract that runs bundles, and serves this account alone; None where
    it is none of this package's.

    Asked of the package that declares the verb `executor`, for accounts whose table names one.
    """
