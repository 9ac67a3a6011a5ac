"""What can be wrong with an intent as its author states it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a JSON pointer into the intent, a stable code, a sentence for people."""

    pointer: str
    code: str
    message: str
