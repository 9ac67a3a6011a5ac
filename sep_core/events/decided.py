"""What a decision says: facts, each with the stream that it belongs to."""

from dataclasses import dataclass
from uuid import UUID

from sep_core.events.registry import Fact


@dataclass(frozen=True, slots=True)
class Decided:
    """A fact to be appended. `id` names facts that can be observed twice; others get one from stream and version."""

    stream: str
    fact: Fact
    id: UUID | None = None
