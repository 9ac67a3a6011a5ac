"""A fixed batch gives fixed bytes and a fixed root, for ever: what is signed today must verify in every release."""

import hashlib
from datetime import UTC, datetime
from types import MappingProxyType
from typing import cast
from uuid import UUID

from sep_hooks.store import AnyVersion, Exact, NewEvent, NoStream, StreamWrite

from sep_core.events.appender import Batch, LogHead, Sequencer, StreamHead, draft_append
from sep_core.events.envelope import body_of
from sep_core.events.signing import LogKey

STORE = UUID("11111111-2222-4333-8444-555555555555")
ROOT = "5dbb08f505ad7197b22fc37cb99441a26cd3df24e4ae087a2cf93cca2ba1fd10"
RECORDS = "d89d37102e5fabebd08d33eada703bbfd0fbe9168eeff115cf415035e476f3a2"
FIRST = "2d266eff7f7a46f9635d12d223ef5f7b04800e4ec77c909452c7f31a90e6df9e"


def planned() -> Batch:
    """300 events for seven streams, in which everything occurs that a record may hold."""
    sequencer = Sequencer(LogHead(STORE, 3, 0, b"", 0), b"", LogKey(STORE, bytes(range(32))))
    text = 'quote " backslash \\ controls \x00\x08\t\n\x0b\x0c\r\x1f\x7f\x80 snow \u2603 clef \U0001d11e'
    appends = []
    for turn in range(100):
        stream = f"intent:{turn % 7}"
        events = [
            NewEvent(
                UUID(int=turn * 3 + place + 1),
                ("step.filled", "Intent_Accepted", "a")[place],
                place + 1,
                {
                    "z": turn,
                    "amount_in": str(10**18 + turn),
                    "text": text,
                    "nested": {"b": [1, -1, None, True, {"y": [], "x": {}}], "a": (2**53 - 1, 1 - 2**53)},
                },
                MappingProxyType({"by": "worker_003"}) if turn % 2 else {"by": "worker_003", "at": place},
                None if turn % 3 else datetime(2026, 1, 2, 3, 4, 5, turn, tzinfo=UTC),
                None if turn % 4 else UUID(int=turn << 64),
                None if turn % 5 else UUID(int=turn << 32),
            )
            for place in range(3)
        ]
        expected = (NoStream() if turn < 7 else AnyVersion()) if turn % 2 else Exact(turn // 7 * 3)
        appends.append(
            draft_append([StreamWrite(stream, expected, events)], (), store=str(STORE).encode(), epoch=3)
        )
    sequencer.learn({f"intent:{number}": StreamHead(0, None) for number in range(7)})
    batch = sequencer.plan(appends, now=1_767_323_045_000_006, known=None)
    assert batch is not None
    return batch


def test_bytes_and_root_never_change() -> None:
    batch = planned()
    assert batch.checkpoint is not None
    assert batch.placed is not None
    records = cast(list[bytes], batch.placed.events[9::11])
    assert len(records) == 300
    assert hashlib.sha256(records[0]).hexdigest() == FIRST
    assert hashlib.sha256(b"\n".join(records)).hexdigest() == RECORDS
    assert batch.checkpoint.root.hex() == ROOT
    assert body_of(records[0]) in records[0]
