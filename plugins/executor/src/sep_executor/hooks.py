"""What this package adds to the program: the verb `sep executor`."""

from collections.abc import Sequence

from sep_hooks.markers import hookimpl
from sep_hooks.specs.boot import CommandRegistry


@hookimpl
def sep_register_commands(registry: CommandRegistry) -> None:
    """Add `sep executor`."""
    registry.command("executor", "the contract that runs several trades in one transaction", _run)


def _run(arguments: Sequence[str]) -> int:
    from .command import main

    return main(arguments)
