"""Errors of chain access that the contract does not know."""

from sep_hooks.errors import ConfigurationError, Retryable


class WrongChain(ConfigurationError):
    """An endpoint serves another chain than the configuration says; nothing was sent to it."""

    code = "wrong_chain"


class BranchLost(Retryable):
    """The node changed its branch while it was walked; look again."""

    code = "branch_lost"


class LogsIncomplete(Retryable):
    """An endpoint answered fewer or other logs than the block's header commits to."""

    code = "logs_incomplete"
