"""What can go wrong with the contract and its deployment."""

from sep_hooks.errors import Permanent


class ExecutorError(Permanent):
    """The executor could not be built, found or deployed."""

    code = "executor_error"
