"""The class that plugins of each kind derive from; imported when first asked for."""

import importlib
from collections.abc import Mapping
from typing import Final

from sep_hooks.capabilities import PluginKind

_CLASSES: Final[Mapping[PluginKind, tuple[str, str]]] = {
    PluginKind.CHAIN: ("sep_hooks.chain", "ChainAdapter"),
    PluginKind.VENUE: ("sep_hooks.venue", "VenueAdapter"),
    PluginKind.ORDER_VENUE: ("sep_hooks.order_venue", "OrderVenue"),
    PluginKind.RISK: ("sep_hooks.risk", "RiskRule"),
    PluginKind.STRATEGY: ("sep_hooks.strategy", "Strategy"),
    PluginKind.SIGNER: ("sep_hooks.signer", "Signer"),
    PluginKind.RELAY: ("sep_hooks.relay", "PrivateRelay"),
    PluginKind.STORE: ("sep_hooks.store", "EventStore"),
    PluginKind.BUS: ("sep_hooks.bus", "EventBus"),
    PluginKind.CACHE: ("sep_hooks.cache", "ReadModelCache"),
}


def class_of(kind: PluginKind) -> type:
    """The class of a kind. Raises `KeyError` for kind `hooks`, whose plugins are modules."""
    module, name = _CLASSES[kind]
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, type)
    return found


def kind_of(cls: object) -> PluginKind:
    """The kind whose class this is. Raises `TypeError` for any other."""
    for kind, (module, name) in _CLASSES.items():
        if getattr(cls, "__module__", None) == module and getattr(cls, "__qualname__", None) == name:
            return kind
    raise TypeError(f"{cls!r} is not the class of a plugin kind")
