"""How a plan's steps take effect on a chain, each at most once."""

from sep_core.execution.commands import (
    AdoptSigned,
    ExecutionCommand,
    LaneKey,
    OpenAccount,
    RecordBroadcast,
    RecordChainReorg,
    RecordDoubt,
    RecordFinal,
    RecordNonceConsumed,
    RecordPaperFill,
    RecordReceipt,
    RecordReorg,
    RecordSigned,
    SignedStep,
)
from sep_core.execution.decide import calldata_digest, decide
from sep_core.execution.lane import MAX_IN_FLIGHT, LaneState, NonceEntry, evolve_lane
from sep_core.execution.status import EntryStatus

__all__ = [
    "MAX_IN_FLIGHT",
    "AdoptSigned",
    "EntryStatus",
    "ExecutionCommand",
    "LaneKey",
    "LaneState",
    "NonceEntry",
    "OpenAccount",
    "RecordBroadcast",
    "RecordChainReorg",
    "RecordDoubt",
    "RecordFinal",
    "RecordNonceConsumed",
    "RecordPaperFill",
    "RecordReceipt",
    "RecordReorg",
    "RecordSigned",
    "SignedStep",
    "calldata_digest",
    "decide",
    "evolve_lane",
]
