"""Why an outcome is not known, as codes that the log holds."""

from collections.abc import Sequence
from enum import StrEnum

from sep_hooks.types import AnswerKind, BroadcastAnswer


class DoubtReason(StrEnum):
    """The reasons of doubt. None of them is evidence that a transaction failed."""

    NO_ANSWER = "no_answer"
    UNCLEAR_ANSWER = "unclear_answer"
    NONCE_TOO_LOW = "nonce_too_low"
    NONCE_HELD = "nonce_held_by_another"
    STUCK = "stuck"
    RELAY_GONE = "relay_gone"
    CONSUMED_UNSEEN = "nonce_consumed_receipt_unseen"


def doubt_of(answers: Sequence[BroadcastAnswer]) -> DoubtReason | None:
    """The doubt that the answers of all endpoints leave; None where one of them holds the bytes."""
    kinds = {answer.kind for answer in answers}
    if kinds & {AnswerKind.ACCEPTED, AnswerKind.KNOWN}:
        return None
    if not kinds:
        return DoubtReason.NO_ANSWER
    if AnswerKind.NONCE_TOO_LOW in kinds:
        return DoubtReason.NONCE_TOO_LOW
    if AnswerKind.UNDERPRICED in kinds:
        return DoubtReason.NONCE_HELD
    return DoubtReason.UNCLEAR_ANSWER
