"""The executor contract: several trades of one account in one transaction, all of them or nothing."""

from .contract import EXECUTE, Contract, contract
from .errors import ExecutorError

__all__ = ["EXECUTE", "Contract", "ExecutorError", "contract"]
