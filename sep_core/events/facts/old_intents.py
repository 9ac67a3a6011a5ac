"""Intents as earlier releases wrote them."""

from collections.abc import Mapping

from sep_hooks.types import Json


def kept_from_the_public(body: Mapping[str, Json]) -> Mapping[str, Json]:
    """An intent of version 1 could not allow that what a relay leaves is sent to all."""
    intent = body["intent"]
    assert isinstance(intent, Mapping)
    constraints = intent["constraints"]
    assert isinstance(constraints, Mapping)
    return {**body, "intent": {**intent, "constraints": {**constraints, "public_fallback": False}}}
