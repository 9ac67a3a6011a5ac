"""The hook specifications: boot, lifecycle, facts."""

from sep_hooks.specs import boot, facts, lifecycle
from sep_hooks.specs.boot import CommandRegistry
from sep_hooks.specs.observer import ObserverContext

__all__ = ["CommandRegistry", "ObserverContext", "boot", "facts", "lifecycle"]
