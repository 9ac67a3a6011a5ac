"""Events as a log would give them back, for tests that have no log."""

import json
from collections.abc import Mapping
from uuid import UUID

from sep_hooks.store import Recorded
from sep_hooks.types import Json

_NIL = UUID(int=0)


def recorded_as(
    body: Mapping[str, Json],
    *,
    pos: int = 1,
    stream: str = "s:1",
    type: str = "Noted",
    version: int = 1,
    schema_version: int = 1,
    store_id: UUID = _NIL,
    id: UUID = _NIL,
) -> Recorded:
    """The event of a whole record; nothing is chained or signed."""
    record: dict[str, Json] = {
        "body": dict(body),
        "cause": None,
        "corr": None,
        "epoch": 1,
        "id": str(id),
        "meta": {},
        "occ": None,
        "pos": pos,
        "prev": None,
        "rec": "2026-01-01T00:00:00.000000Z",
        "store": str(store_id),
        "stream": stream,
        "sv": schema_version,
        "type": type,
        "v": 1,
        "ver": version,
    }
    return Recorded(json.dumps(record, separators=(",", ":")).encode())
