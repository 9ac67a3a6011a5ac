"""How a plan's steps take effect on a chain, each at most once."""

from sep_core.execution.commands import (
    AdoptAssets,
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
    RecordReplaced,
    RecordSigned,
    ReleaseAccount,
    SignedStep,
)
from sep_core.execution.decide import calldata_digest, decide
from sep_core.execution.fills import fill_of_entry
from sep_core.execution.lane import MAX_IN_FLIGHT, LaneState, NonceEntry, evolve_lane
from sep_core.execution.ports import LaneDesk, PrepareRequest, StalePlan
from sep_core.execution.prepare import SigningDesk
from sep_core.execution.reading import ReceiptReader, transfers_of
from sep_core.execution.reconcile import Evidence, doubts, reconcile
from sep_core.execution.status import EntryStatus
from sep_core.execution.worker import LaneWorker

__all__ = [
    "MAX_IN_FLIGHT",
    "AdoptAssets",
    "AdoptSigned",
    "EntryStatus",
    "Evidence",
    "ExecutionCommand",
    "LaneDesk",
    "LaneKey",
    "LaneState",
    "LaneWorker",
    "NonceEntry",
    "OpenAccount",
    "PrepareRequest",
    "ReceiptReader",
    "RecordBroadcast",
    "RecordChainReorg",
    "RecordDoubt",
    "RecordFinal",
    "RecordNonceConsumed",
    "RecordPaperFill",
    "RecordReceipt",
    "RecordReorg",
    "RecordReplaced",
    "RecordSigned",
    "ReleaseAccount",
    "SignedStep",
    "SigningDesk",
    "StalePlan",
    "calldata_digest",
    "decide",
    "doubts",
    "evolve_lane",
    "fill_of_entry",
    "reconcile",
    "transfers_of",
]
