"""What the kernel hands to plugins, as fakes: time that is set, messages that are kept, answers that are scripted."""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sep_hooks.context import (
    Clock,
    Log,
    PluginContext,
    RpcFailed,
    RpcOk,
    RpcOutcome,
    RpcRequest,
    VenueContext,
)
from sep_hooks.errors import RpcUnavailable, SepError
from sep_hooks.testing.abi import EthAbi
from sep_hooks.types import Json

START: Final = datetime(2025, 1, 1, tzinfo=UTC)


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        """The moment that was set last."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Moves on; never back."""
        assert by >= timedelta(0), "time does not go back"
        self._now += by


@dataclass(frozen=True, slots=True)
class Message:
    """One logged message."""

    level: str
    event: str
    fields: Mapping[str, Json]


@dataclass(slots=True)
class FakeLog:
    """A log that keeps its messages."""

    messages: list[Message] = field(default_factory=list)

    def info(self, event: str, **fields: Json) -> None:
        """Keeps a message."""
        self.messages.append(Message("info", event, fields))

    def warning(self, event: str, **fields: Json) -> None:
        """Keeps a warning."""
        self.messages.append(Message("warning", event, fields))


class FakeRpc:
    """Answers from a script: `answer` says what a call gets, by method and parameters or by method alone.

    Answers of one key are given in order, the last one for ever. A call without any is `RpcUnavailable`.
    """

    def __init__(self) -> None:
        self.requests: list[RpcRequest] = []
        self._answers: dict[str, deque[Json | SepError]] = {}

    def answer(self, method: str, *answers: Json | SepError, params: tuple[Json, ...] | None = None) -> None:
        """Appends answers: a JSON result, or the error to raise."""
        self._answers.setdefault(_key(method, params), deque()).extend(answers)

    async def call(self, request: RpcRequest, *, timeout_seconds: float = 10.0) -> bytes:
        """The scripted result, or raises the scripted error."""
        outcome = self._outcome(request)
        if isinstance(outcome, RpcFailed):
            raise outcome.error
        return outcome.result

    async def calls(
        self, requests: Sequence[RpcRequest], *, timeout_seconds: float = 10.0
    ) -> Sequence[RpcOutcome]:
        """One scripted outcome for each request."""
        return [self._outcome(request) for request in requests]

    def _outcome(self, request: RpcRequest) -> RpcOutcome:
        self.requests.append(request)
        answers = self._answers.get(_key(request.method, request.params)) or self._answers.get(
            _key(request.method, None)
        )
        if not answers:
            return RpcFailed(RpcUnavailable(f"no answer is scripted for {request.method} {request.params}"))
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        return RpcFailed(answer) if isinstance(answer, SepError) else RpcOk(json.dumps(answer).encode())


def plugin_context(
    instance: str = "test", *, clock: Clock | None = None, log: Log | None = None
) -> PluginContext:
    """A context of fakes."""
    return PluginContext(instance, clock or FakeClock(), log or FakeLog())


def venue_context(rpc: FakeRpc, instance: str = "test", *, chain_id: int = 1) -> VenueContext:
    """A venue's context of fakes, with the genuine ABI."""
    return VenueContext(instance, FakeClock(), FakeLog(), rpc, EthAbi(), chain_id)


def _key(method: str, params: tuple[Json, ...] | None) -> str:
    return method if params is None else f"{method} {json.dumps(params, sort_keys=True)}"
