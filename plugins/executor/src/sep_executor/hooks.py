"""What this package adds to the program: the verb `sep executor`, and the look at the contract of an account."""

from collections.abc import Sequence

from sep_hooks.markers import hookimpl
from sep_hooks.specs.boot import CommandRegistry
from sep_hooks.types import Address


@hookimpl
def sep_register_commands(registry: CommandRegistry) -> None:
    """Add `sep executor`."""
    registry.command("executor", "the contract that runs several trades in one transaction", _run)


@hookimpl
def sep_executor_serves(owner: Address, code: bytes) -> bool:
    """Tell whether code is this package's contract, made for this owner."""
    from .contract import contract

    return contract().is_of(owner, code)


def _run(arguments: Sequence[str]) -> int:
    from .command import main

    return main(arguments)
