"""The end of an engine that finishes what it has begun: nothing new is taken in, and it stops when nothing is open."""

from dataclasses import dataclass, field

import anyio
from sep_hooks.errors import Retryable


class Draining(Retryable):
    """The engine takes in no new intents: it ends when those that it has have ended."""

    code = "draining"

    def __init__(self) -> None:
        super().__init__(
            "this engine is being drained and takes in no new intents; nothing was recorded",
            next_step="send the same intent, under the same id, to the engine that leads next",
        )


@dataclass(slots=True)
class Drain:
    """Whether an end was asked for, and whether it is there. Asking twice is asking once; there is no way back."""

    asked: bool = False
    done: anyio.Event = field(default_factory=anyio.Event)

    def check(self) -> None:
        """Raises `Draining` once an end was asked for."""
        if self.asked:
            raise Draining

    def look(self, open_intents: int) -> None:
        """Tells those who wait for `done`, where an end was asked for and nothing is open."""
        if self.asked and open_intents == 0:
            self.done.set()
