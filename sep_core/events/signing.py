"""Checkpoints as C2SP signed notes under an Ed25519 key.

The text is `origin`, size, base64 root, `epoch <n>`; the origin is `sep/<store_id>` and names the key as well.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from nacl.bindings import crypto_sign_BYTES, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from sep_hooks.errors import Permanent
from sep_hooks.store import Checkpoint

from sep_core.events.native import NoteSigner

ED25519: Final = b"\x01"
SEED_BYTES: Final = 32
_DASH: Final = "\u2014"


class BadCheckpoint(Permanent):
    """A signed note is malformed, speaks of another log, or its signature does not hold."""

    code = "bad_checkpoint"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that checks checkpoints, with the name under which it signs."""

    name: str
    key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that stand before each of its signatures."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.key).digest()[:4]

    @property
    def store_id(self) -> UUID:
        """The log that it signs. Raises `BadCheckpoint`."""
        try:
            return UUID(self.name.removeprefix("sep/"))
        except ValueError as error:
            raise BadCheckpoint(f"{self.name[:80]!r} is the name of no log") from error

    def text(self) -> str:
        """`<name>+<key id>+<base64 of algorithm and key>`, as C2SP writes verifier keys."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.key).decode()}"

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """Reads `text()` back. Raises `BadCheckpoint`."""
        try:
            name, key_id, encoded = text.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error) as error:
            raise BadCheckpoint(f"{text[:80]!r} is not a verifier key") from error
        key = cls(name, raw[1:])
        if raw[:1] != ED25519 or len(raw) != 33 or key.key_id.hex() != key_id:
            raise BadCheckpoint(f"{text[:80]!r} is not an Ed25519 verifier key")
        return key


class LogKey:
    """The key of one log, which signs its checkpoints. Native code keeps it."""

    def __init__(self, store_id: UUID, seed: bytes) -> None:
        self.origin = origin_of(store_id)
        self.signer = NoteSigner(self.origin, seed)
        self.public = PublicKey(self.origin, self.signer.public_key)
        self.key_id = self.public.key_id.hex()

    def sign(self, *, epoch: int, size: int, root: bytes) -> str:
        """The signed note of a checkpoint."""
        return self.signer.sign(epoch, size, root)


def origin_of(store_id: UUID) -> str:
    """Under which name a log signs."""
    return f"sep/{store_id}"


def public_key_of(store_id: UUID, seed: bytes) -> PublicKey:
    """The public half of a seed."""
    public, _ = crypto_sign_seed_keypair(seed)
    return PublicKey(origin_of(store_id), public)


def open_note(note: str, key: PublicKey) -> Checkpoint:
    """Reads a checkpoint and checks its signature under `key`. Raises `BadCheckpoint`.

    Signatures under other keys (witnesses) are passed over, as the format demands.
    """
    text, separator, signatures = note.rpartition("\n\n")
    if not separator:
        raise BadCheckpoint("a checkpoint has no signature")
    text += "\n"
    checkpoint = _parse(text, note)
    if key.name != origin_of(checkpoint.store_id):
        raise BadCheckpoint(f"the checkpoint speaks of sep/{checkpoint.store_id}, the key of {key.name}")
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != _DASH or name != key.name:
            continue
        try:
            raw = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise BadCheckpoint("a signature line is not base64") from error
        if raw[:4] != key.key_id or len(raw) != 4 + crypto_sign_BYTES:
            continue
        try:
            VerifyKey(key.key).verify(text.encode(), raw[4:])
        except BadSignatureError as error:
            raise BadCheckpoint(
                f"the signature of the checkpoint of size {checkpoint.pos} is false"
            ) from error
        return checkpoint
    raise BadCheckpoint(f"the checkpoint of size {checkpoint.pos} is not signed by key {key.key_id.hex()}")


def size_of(note: str) -> int:
    """How many events the checkpoint of a note is over, whoever signed it. Raises `BadCheckpoint`."""
    text, separator, _ = note.rpartition("\n\n")
    if not separator:
        raise BadCheckpoint("a checkpoint has no signature")
    return _parse(text + "\n", note).pos


def _parse(text: str, note: str) -> Checkpoint:
    lines = text.split("\n")
    try:
        origin, size, root, epoch = lines[:4]
        if lines[4:] != [""] or not origin.startswith("sep/") or not epoch.startswith("epoch "):
            raise ValueError("unexpected lines")
        checkpoint = Checkpoint(
            UUID(origin.removeprefix("sep/")),
            _decimal(epoch.removeprefix("epoch ")),
            _decimal(size),
            base64.b64decode(root, validate=True),
            note,
        )
        if len(checkpoint.root) != 32 or origin != origin_of(checkpoint.store_id):
            raise ValueError("unexpected root or origin")
    except (ValueError, binascii.Error) as error:
        raise BadCheckpoint(
            "this is not a checkpoint of a SEP log, whose lines are sep/ with the log's id, its size in decimal,"
            " its root in base64, and epoch with a number",
            next_step="take the checkpoint from where it was kept anew",
        ) from error
    return checkpoint


def _decimal(text: str) -> int:
    if not text.isascii() or not text.isdigit() or (text[0] == "0" and text != "0"):
        raise ValueError(f"{text!r} is not a decimal number")
    return int(text)
