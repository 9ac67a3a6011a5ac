"""Receipts: one event, the proof that it stands in a log, and the checkpoint that the proof leads to."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Final

from sep_hooks.store import InclusionProof, Recorded

from sep_core.events.signing import BadCheckpoint

FORMAT: Final = "sep-receipt-1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What somebody outside needs to check one event. `verifier` is a claim until it is known from elsewhere."""

    record: bytes
    pos: int
    path: tuple[bytes, ...]
    note: str
    verifier: str

    def to_json(self) -> str:
        """The receipt as text for a file."""
        return json.dumps(
            {
                "format": FORMAT,
                "record": base64.b64encode(self.record).decode(),
                "pos": self.pos,
                "path": [base64.b64encode(node).decode() for node in self.path],
                "checkpoint": self.note,
                "verifier": self.verifier,
            },
            indent=2,
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> "Receipt":
        """Reads `to_json` back. Raises `BadCheckpoint` for anything else."""
        try:
            fields = json.loads(text)
            if fields["format"] != FORMAT or type(fields["pos"]) is not int:
                raise ValueError("unknown format")
            return cls(
                base64.b64decode(fields["record"], validate=True),
                fields["pos"],
                tuple([base64.b64decode(node, validate=True) for node in fields["path"]]),
                str(fields["checkpoint"]),
                str(fields["verifier"]),
            )
        except (ValueError, KeyError, TypeError, binascii.Error, RecursionError) as error:
            raise BadCheckpoint("this text is not a receipt") from error


def receipt_of(event: Recorded, proof: InclusionProof, verifier: str) -> Receipt:
    """Puts a receipt together."""
    return Receipt(event.record, proof.pos, proof.path, proof.checkpoint.note, verifier)
