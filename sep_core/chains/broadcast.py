"""Sends the same signed bytes to every endpoint, once each, and says what the answers mean."""

from collections.abc import Callable, Sequence

from sep_hooks.chain import ChainPreset
from sep_hooks.context import Rpc, RpcFailed, RpcOk, RpcOutcome, RpcRequest
from sep_hooks.errors import RpcRejected, SepError
from sep_hooks.types import AnswerKind, BroadcastAnswer

from . import parse
from .endpoints import EndpointRpc

GRACE_SECONDS = 1.0
"""How long the other endpoints may still answer once one has accepted."""
_TEXT_LIMIT = 200


class Broadcaster:
    """Nothing beneath it repeats a send; repeating the same bytes is the caller's decision."""

    def __init__(
        self, preset: ChainPreset, rpc: Rpc | EndpointRpc, keccak256: Callable[[bytes], bytes]
    ) -> None:
        self._preset = preset
        self._rpc = rpc
        self._keccak256 = keccak256

    async def broadcast(self, raw: bytes, timeout_seconds: float) -> Sequence[BroadcastAnswer]:
        """Every endpoint's answer; one that did not come in time is ambiguous."""
        request = RpcRequest("eth_sendRawTransaction", ("0x" + raw.hex(),))
        expected = "0x" + self._keccak256(raw).hex()
        outcomes = await self._outcomes(request, timeout_seconds)
        return [self._answer(endpoint, outcome, expected) for endpoint, outcome in outcomes]

    async def _outcomes(
        self, request: RpcRequest, timeout_seconds: float
    ) -> Sequence[tuple[str, RpcOutcome]]:
        if isinstance(self._rpc, EndpointRpc):
            return await self._rpc.each(request, timeout_seconds=timeout_seconds, grace_seconds=GRACE_SECONDS)
        try:
            return [
                (self._preset.name, RpcOk(await self._rpc.call(request, timeout_seconds=timeout_seconds)))
            ]
        except SepError as error:
            return [(self._preset.name, RpcFailed(error))]

    def _answer(self, endpoint: str, outcome: RpcOutcome, expected: str) -> BroadcastAnswer:
        if isinstance(outcome, RpcFailed):
            text = outcome.error.message
            rejected = isinstance(outcome.error, RpcRejected)
            kind = meaning(text, self._preset.broadcast_texts) if rejected else AnswerKind.AMBIGUOUS
            return BroadcastAnswer(endpoint, kind, text[:_TEXT_LIMIT])
        found = parse.parsed(outcome.result)
        if isinstance(found, str) and found.lower() == expected:
            return BroadcastAnswer(endpoint, AnswerKind.ACCEPTED, expected)
        return BroadcastAnswer(endpoint, AnswerKind.AMBIGUOUS, f"answered {str(found)[:80]}, not {expected}")


def meaning(text: str, texts: Sequence[tuple[str, AnswerKind]]) -> AnswerKind:
    """What an endpoint's text means by the chain's table, first match; unknown text is ambiguous."""
    lowered = text.lower()
    for fragment, kind in texts:
        if fragment in lowered:
            return kind
    return AnswerKind.AMBIGUOUS
