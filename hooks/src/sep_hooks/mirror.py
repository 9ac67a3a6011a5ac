"""What all mirrors of the log share: where one stands, and why one stops. The log is the record; a mirror is a copy."""

from dataclasses import dataclass

from sep_hooks.errors import Permanent, Retryable


@dataclass(frozen=True, slots=True)
class MirrorHead:
    """The last event that a mirror holds: its position, and the bytes of its record."""

    pos: int
    record: bytes


class MirrorUnavailable(Retryable):
    """A mirror does not answer. Nothing is lost: it goes on from where it stands once it does."""

    code = "mirror_unavailable"


class MirrorOutOfPlace(Retryable):
    """A mirror stands elsewhere than these events begin: somebody else feeds it too, or an answer was lost."""

    code = "mirror_out_of_place"


class MirrorForked(Permanent):
    """A mirror holds what the log does not: the log was restored to the past, or another log wrote there."""

    code = "mirror_forked"
