"""How the kernel speaks of a plugin: by kind, implementation and instance."""

import re
from dataclasses import dataclass
from enum import IntEnum

from sep_hooks.capabilities import PluginKind

_STRANGE = re.compile(r"[^A-Za-z0-9._:/@+-]")


@dataclass(frozen=True, slots=True)
class PluginRef:
    """One instance of an implementation, and which code and configuration it runs with."""

    kind: PluginKind
    name: str
    instance: str
    dist: str
    version: str = ""
    config_digest: str = ""

    @property
    def label(self) -> str:
        """`venue uni (uniswap-v3)`, for people."""
        named = "" if self.instance == self.name else f" ({self.name})"
        return f"{self.kind} {self.instance}{named}"

    @property
    def stream(self) -> str:
        """The stream of the log that facts about it stand in."""
        return _STRANGE.sub("_", f"plugin:{self.kind}:{self.name[:100]}:{self.instance[:100]}")


class Stage(IntEnum):
    """How far a plugin came; one that stops before ACTIVE is rejected with the stage and a reason."""

    DISCOVERED = 0
    MANIFEST = 1
    API = 2
    ALLOWED = 3
    IMPORTED = 4
    CHECKED = 5
    CONSTRUCTED = 6
    PROBED = 7
    ACTIVE = 8

    @property
    def label(self) -> str:
        """Its name in facts and lists."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Rejection:
    """The stage that a plugin failed to pass, why, and what to do about it."""

    stage: Stage
    reason: str
    next_step: str = ""
