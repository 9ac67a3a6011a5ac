"""JSON values that events and RPC carry."""

from collections.abc import Mapping, Sequence

type Json = bool | int | str | Sequence[Json] | Mapping[str, Json] | None
"""A JSON value without floats."""
