"""What the texts of Ethereum nodes to a broadcast mean; text that is not listed is ambiguous.

A node that merely finds a transaction too cheap for itself says nothing about others, and is not listed.
"""

from sep_hooks.types import AnswerKind

BROADCAST_TEXTS: tuple[tuple[str, AnswerKind], ...] = (
    ("already known", AnswerKind.KNOWN),
    ("already imported", AnswerKind.KNOWN),
    ("alreadyknown", AnswerKind.KNOWN),
    ("nonce too low", AnswerKind.NONCE_TOO_LOW),
    ("oldnonce", AnswerKind.NONCE_TOO_LOW),
    ("replacement transaction underpriced", AnswerKind.UNDERPRICED),
    ("replacementnotallowed", AnswerKind.UNDERPRICED),
)
