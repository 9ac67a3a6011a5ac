"""What repeats when a trigger repeats: client ids, randomness, the digest of inputs."""

from hashlib import sha256
from random import Random
from uuid import UUID, uuid5


def client_id(strategy_id: UUID, trigger: str, ordinal: int) -> UUID:
    """The id of the `ordinal`-th submission of a trigger: a repeat meets its own intent."""
    return uuid5(strategy_id, f"{trigger}|{ordinal}")


def seeded_random(seed: int, instance: str, trigger: str) -> Random:
    """A generator that is the same for the same run seed, instance and trigger."""
    material = sha256(f"{seed}|{instance}|{trigger}".encode()).digest()
    return Random(int.from_bytes(material))  # noqa: S311 - repeatable is what is wanted here


def digest_after(digest: str, trigger: str, content: str) -> str:
    """The running digest of everything that an instance was called with."""
    return sha256(f"{digest}|{trigger}|{content}".encode()).hexdigest()
