"""The names of what is measured and stopped together."""

from typing import Final

GLOBAL: Final = "global"
"""All strategies together."""


def scope_of(strategy: str) -> str:
    """One strategy by itself."""
    return f"strategy:{strategy}"
