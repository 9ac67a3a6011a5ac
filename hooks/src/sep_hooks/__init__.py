"""The published contract of SEP: value types, plugin classes, hooks, errors.

Import value types from `sep_hooks.types`, plugin classes from their own modules (`sep_hooks.venue`, …).
"""

from sep_hooks.markers import hookimpl, hookspec
from sep_hooks.version import API_VERSION

__all__ = ["API_VERSION", "hookimpl", "hookspec"]
