"""From one key of a log to the next: an event that both sign, and which key is valid where.

A key is valid for a range of positions, never of time: the event at position p, alone in its checkpoint, is signed by
the next key, and says with a signature of the key before it how the log stood at p - 1. Whoever trusts any key of a log
so learns all the others from the log itself.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey
from sep_hooks.errors import Permanent
from sep_hooks.store import AnyVersion, Checkpoint, NewEvent, Recorded, StreamWrite

from sep_core.events.appender import draft_append
from sep_core.events.facts.log import KeyRotated
from sep_core.events.native import DraftedAppend
from sep_core.events.registry import encode_fact, fact_of, fact_type
from sep_core.events.signing import BadCheckpoint, PublicKey, open_note, public_key_of, size_of

STREAM: Final = "log:keys"


class StoredKey(NamedTuple):
    """A key that has signed checkpoints from a size on."""

    key_id: str
    verifier: str
    first_size: int


class BadRotation(Permanent):
    """What should lead from one key of a log to the next does not."""

    code = "bad_rotation"


@dataclass(frozen=True, slots=True)
class Rotation:
    """Where a log went over to another key: at `pos`."""

    pos: int
    old: PublicKey
    new: PublicKey


class KeyRing:
    """The keys of one log in their order, each with the size from which on it signs."""

    def __init__(self, keys: Sequence[tuple[int, PublicKey]]) -> None:
        self._keys = list(keys)

    @classmethod
    def of_rows(cls, rows: Sequence[StoredKey]) -> "KeyRing":
        """The keys that a log names, which are a claim until its events were seen. Raises `BadRotation`."""
        keys: list[tuple[int, PublicKey]] = []
        for row in rows:
            try:
                key = PublicKey.parse(row.verifier)
            except BadCheckpoint as error:
                raise BadRotation(error.message) from error
            if row.key_id != key.key_id.hex() or (row.first_size <= keys[-1][0] if keys else row.first_size):
                raise BadRotation(f"the table of keys is wrong about {row.verifier[:80]}")
            keys.append((row.first_size, key))
        if not keys:
            raise BadRotation("the log names no key")
        return cls(keys)

    def __contains__(self, key: PublicKey) -> bool:
        return any(one == key for _, one in self._keys)

    def at(self, size: int) -> PublicKey:
        """The key that signs the checkpoint of a size."""
        return next(key for first, key in reversed(self._keys) if first <= size)

    def rotations(self) -> list[Rotation]:
        """Where the log should go over to another key."""
        pairs = zip(self._keys, self._keys[1:], strict=False)
        return [Rotation(pos, old, new) for (_, old), (pos, new) in pairs]

    def open(self, note: str) -> Checkpoint:
        """Reads a checkpoint under the key of its size. Raises `BadCheckpoint`."""
        return open_note(note, self.at(size_of(note)))


def rotation_append(at: Checkpoint, epoch: int, event_id: UUID, old: bytes, new: bytes) -> DraftedAppend:
    """What leads from one seed to the next, right behind a checkpoint, under an epoch."""
    store_id = at.store_id
    names = public_key_of(store_id, old).text(), public_key_of(store_id, new).text()
    said = _statement(*names, at.pos, at.root)
    by_old, by_new = (_text(bytes(SigningKey(seed).sign(said).signature)) for seed in (old, new))
    fact = KeyRotated(*names, at.pos, "0x" + at.root.hex(), by_old, by_new)
    name, version = fact_type(fact)
    event = NewEvent(event_id, name, version, encode_fact(fact), {})
    write = StreamWrite(STREAM, AnyVersion(), [event])
    return draft_append([write], (), store=str(store_id).encode(), epoch=epoch)


def rotation_in(event: Recorded) -> Rotation | None:
    """What an event of a log says of its keys, both signatures checked; None where it says nothing of them.

    Raises `BadRotation`. That the root is that of the log, the caller sees.
    """
    if (event.stream, event.type) != (STREAM, "KeyRotated"):
        return None
    try:
        fact = fact_of(event)
        assert isinstance(fact, KeyRotated)
        old, new = PublicKey.parse(fact.old), PublicKey.parse(fact.new)
        said = _statement(fact.old, fact.new, fact.size, bytes.fromhex(fact.root.removeprefix("0x")))
        for key, signature in ((old, fact.signed_by_old), (new, fact.signed_by_new)):
            VerifyKey(key.key).verify(said, base64.b64decode(signature, validate=True))
    except BadSignatureError:
        raise BadRotation("it is not signed by both keys that it names") from None
    except (Permanent, ValueError, TypeError, KeyError, binascii.Error) as error:
        raise BadRotation(f"it leads to no other key: {error}") from error
    if fact.size != event.pos - 1:
        raise BadRotation(f"it was signed for position {fact.size + 1}")
    return Rotation(event.pos, old, new)


def root_in(event: Recorded) -> bytes:
    """The root that a rotation was signed over."""
    return bytes.fromhex(str(event.body["root"]).removeprefix("0x"))


def _statement(old: str, new: str, size: int, root: bytes) -> bytes:
    return "\n".join(["sep-key-rotation-1", old, new, str(size), _text(root), ""]).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
