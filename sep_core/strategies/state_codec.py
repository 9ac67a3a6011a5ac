"""A strategy's state as canonical JSON, and back."""

import dataclasses
from typing import Any

from sep_hooks.errors import Permanent
from sep_hooks.store import InvalidEvent

from sep_core.events import codec
from sep_core.events.values import value_codec

LARGEST_STATE_BYTES = 64 * 1024


class StateInvalid(Permanent):
    """A strategy's state cannot be written down or read back."""

    code = "strategy_state_invalid"


class StateCodec:
    """Both directions for one `State` class, a frozen dataclass with a default for every field.

    Integers beyond 2^53 are typed `Amount` or `Quantity`. Raises `StateInvalid` for a class that cannot be saved.
    """

    def __init__(self, cls: type) -> None:
        if not dataclasses.is_dataclass(cls) or not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise StateInvalid(
                f"{cls.__qualname__} is no frozen dataclass, so it cannot be a strategy's state"
            )
        try:
            self._encode, self._decode = value_codec(cls)
        except TypeError as error:
            raise StateInvalid(f"{cls.__qualname__} cannot be saved: {error}") from None
        self._cls = cls

    def initial(self) -> Any:
        """The state of an instance that never ran."""
        try:
            return self._cls()
        except TypeError as error:
            raise StateInvalid(f"{self._cls.__qualname__} needs a default for every field: {error}") from None

    def dump(self, state: object) -> str:
        """The canonical text of a state. Raises `StateInvalid`."""
        if type(state) is not self._cls:
            raise StateInvalid(f"the state is a {type(state).__name__}, not a {self._cls.__name__}")
        try:
            text = codec.encode(self._encode(state))
        except (InvalidEvent, AttributeError, TypeError, ValueError) as error:
            raise StateInvalid(f"the state cannot be saved: {error}") from None
        if len(text) > LARGEST_STATE_BYTES:
            raise StateInvalid(f"the state takes {len(text)} bytes, allowed are {LARGEST_STATE_BYTES}")
        return text.decode()

    def load(self, text: str) -> Any:
        """The state that a text means. Raises `StateInvalid` where the class has changed too much."""
        try:
            return self._decode(text.encode())
        except (InvalidEvent, AttributeError, KeyError, TypeError, ValueError) as error:
            raise StateInvalid(
                f"a saved {self._cls.__name__} cannot be read: {error}",
                next_step="give new fields a default, or start the strategy under another name",
            ) from None
