"""The JSON of a quote, written in small pieces: a thread that writes it lets others run between any two."""

import json
from collections.abc import Iterator, Mapping

from sep_core.runtime.quote_view import QuoteView

_EMPTY = b"null}"


def quote_text(view: QuoteView) -> bytes:
    """The same as `model_dump_json`, which would keep all other threads waiting while it writes many markets."""
    rest = view.model_copy(update={"snapshot": None}).model_dump_json().encode()
    if view.snapshot is None:
        return rest
    # The snapshot is the last field.
    return b"".join((rest.removesuffix(_EMPTY), *_object(view.snapshot), b"}"))


def _object(values: Mapping[str, object]) -> Iterator[bytes]:
    yield b"{"
    for place, (name, value) in enumerate(values.items()):
        yield (b"," if place else b"") + _text(name) + b":"
        if isinstance(value, list):
            yield b"["
            for at, one in enumerate(value):
                yield (b"," if at else b"") + _text(one)
            yield b"]"
        else:
            yield _text(value)
    yield b"}"


def _text(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
