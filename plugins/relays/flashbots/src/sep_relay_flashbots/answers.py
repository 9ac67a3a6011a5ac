"""What a relay's answers mean; whatever is not plainly a yes leaves open whether it holds the bytes."""

from collections.abc import Sequence
from typing import Final

from sep_hooks.types import AnswerKind, Json

TEXT_LIMIT: Final = 200
_KINDS: Final = (
    ("already known", AnswerKind.KNOWN),
    ("already imported", AnswerKind.KNOWN),
    ("nonce too low", AnswerKind.NONCE_TOO_LOW),
)


def meaning(answer: Json, transaction_hash: str) -> tuple[AnswerKind, str]:
    """The kind of one JSON-RPC answer, and its text. A transaction is answered by its hash, a bundle by its own."""
    if not isinstance(answer, dict):
        return AnswerKind.AMBIGUOUS, f"answered {str(answer)[:TEXT_LIMIT]}"
    if "error" in answer:
        error = answer["error"]
        text = str(error.get("message", error)) if isinstance(error, dict) else str(error)
        return _of_text(text), text[:TEXT_LIMIT]
    result = answer.get("result")
    if isinstance(result, dict) and isinstance(result.get("bundleHash"), str):
        return AnswerKind.ACCEPTED, str(result["bundleHash"])
    if isinstance(result, str) and result.lower() == transaction_hash.lower():
        return AnswerKind.ACCEPTED, transaction_hash
    return AnswerKind.AMBIGUOUS, f"answered {str(result)[:TEXT_LIMIT]}, not {transaction_hash}"


def together(answers: Sequence[tuple[AnswerKind, str]]) -> tuple[AnswerKind, str]:
    """The answer to one transaction that was offered for several blocks: a yes for any of them is a yes."""
    for kind in (AnswerKind.ACCEPTED, AnswerKind.KNOWN):
        for one in answers:
            if one[0] is kind:
                return one
    return answers[0]


def _of_text(text: str) -> AnswerKind:
    lowered = text.lower()
    return next((kind for fragment, kind in _KINDS if fragment in lowered), AnswerKind.AMBIGUOUS)
