"""Starts of engines as earlier releases wrote them."""

from collections.abc import Mapping

from sep_hooks.types import Json


def start_without_bounds(body: Mapping[str, Json]) -> Mapping[str, Json]:
    """A start of version 1 did not say what intents might ask for."""
    return {**body, "bounds": []}
