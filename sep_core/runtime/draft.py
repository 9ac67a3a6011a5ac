"""Whether a draft is what its types say: plugins are not type-checked, and the log takes no less."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal

from sep_hooks.store import InvalidEvent
from sep_hooks.types import IntentDraft

from sep_core.events import codec
from sep_core.events.values import value_codec

LARGEST_DRAFT_BYTES = 32 * 1024
_MOST_PLACES = 30

_encode, _decode = value_codec(IntentDraft)


def draft_mistake(draft: object) -> str:
    """Why a draft cannot be an intent, or nothing. One that passes is the same after it was written and read."""
    if type(draft) is not IntentDraft:
        return f"a {_kind(draft)} is no IntentDraft"
    try:
        if any(_is_vast(ratio) for ratio in _ratios(draft)):
            return f"a ratio has a size or precision beyond {_MOST_PLACES} decimal places"
        text = codec.encode(_encode(draft))
        if len(text) > LARGEST_DRAFT_BYTES:
            return f"the draft takes {len(text)} bytes, allowed are {LARGEST_DRAFT_BYTES}"
        return next(_differences(draft, _decode(text), "draft"), "")
    except (InvalidEvent, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f"the draft cannot be recorded: {error}"[:400]
        return reason.encode("utf-8", "backslashreplace").decode()


def _ratios(draft: IntentDraft) -> Iterator[object]:
    yield draft.constraints.max_slippage
    slicing = draft.constraints.slicing
    if slicing is not None:
        yield from (*slicing.profile, slicing.time_jitter, slicing.size_jitter)
    for part in draft.assets:
        yield part.percentage


def _is_vast(ratio: object) -> bool:
    # To write out 1e300000000 takes a minute and all memory.
    if not isinstance(ratio, Decimal):
        return False
    return not ratio.is_finite() or not -_MOST_PLACES <= ratio.adjusted() <= _MOST_PLACES


def _differences(said: object, read: object, place: str) -> Iterator[str]:
    """Where a value is of another type or content than the log makes of it: a float, a list, a bare text."""
    if type(said) is not type(read):
        yield f"{place} is a {_kind(said)}, must be a {_kind(read)}"
    elif isinstance(said, tuple) and isinstance(read, tuple):
        for index, (one, other) in enumerate(zip(said, read, strict=True)):
            yield from _differences(one, other, f"{place}[{index}]")
    elif is_dataclass(said):
        for field in fields(said):
            name = field.name
            yield from _differences(getattr(said, name), getattr(read, name), f"{place}.{name}")
    elif said != read:
        yield f"{place} is not what the log would hold of it"


def _kind(value: object) -> str:
    return type(value).__name__[:64]
