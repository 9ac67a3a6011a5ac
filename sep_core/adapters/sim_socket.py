"""The simulated chain in a process of its own, reached over a Unix socket."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import orjson
from sep_hooks.context import RpcFailed, RpcOk, RpcOutcome, RpcRequest
from sep_hooks.errors import RpcUnavailable, SepError

from .sim_rpc import classified, params, sends, unanswered

ANSWER_LIMIT_BYTES = 64 * 1024 * 1024


class SimSocketRpc:
    """Implements `Rpc`. Every exchange has a connection of its own: a chain that comes back is found again at once,
    and nothing stays open between calls. An effect travels alone and is never repeated.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    async def call(self, request: RpcRequest, *, timeout_seconds: float = 10.0) -> bytes:
        """See `Rpc.call`."""
        (outcome,) = await self.calls([request], timeout_seconds=timeout_seconds)
        if isinstance(outcome, RpcFailed):
            raise outcome.error
        return outcome.result

    async def calls(
        self, requests: Sequence[RpcRequest], *, timeout_seconds: float = 10.0
    ) -> Sequence[RpcOutcome]:
        """See `Rpc.calls`; the whole shares one time limit."""
        outcomes: list[RpcOutcome] = []
        ends_at = asyncio.get_running_loop().time() + timeout_seconds
        for group in _groups(requests):
            outcomes += await self._group(group, ends_at)
        return outcomes

    async def _group(self, requests: Sequence[RpcRequest], ends_at: float) -> Sequence[RpcOutcome]:
        body = [
            {"jsonrpc": "2.0", "id": number, "method": request.method, "params": params(request)}
            for number, request in enumerate(requests)
        ]
        sent = False
        try:
            async with asyncio.timeout_at(ends_at):
                reader, writer = await asyncio.open_unix_connection(self.socket, limit=ANSWER_LIMIT_BYTES)
                try:
                    sent = True
                    writer.write(orjson.dumps(body) + b"\n")
                    await writer.drain()
                    line = await reader.readline()
                finally:
                    # Nothing is left to flush; a peer that does not read must not hold us.
                    writer.transport.abort()
        except (OSError, TimeoutError, ValueError) as error:
            reason = (
                "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            )
            return [RpcFailed(self._failure(request, sent=sent, reason=reason)) for request in requests]
        if not line.endswith(b"\n"):
            reason = "the connection ended before the answer"
            return [RpcFailed(self._failure(request, sent=True, reason=reason)) for request in requests]
        return _matched(requests, line)

    def _failure(self, request: RpcRequest, *, sent: bool, reason: str) -> SepError:
        if sent:
            return unanswered(request.method, reason)
        return RpcUnavailable(
            f"simulated chain at {self.socket}: {reason}; nothing was sent",
            next_step=f"python -m sep_core.adapters.sim_host --socket {self.socket}",
        )


def _groups(requests: Sequence[RpcRequest]) -> Sequence[Sequence[RpcRequest]]:
    """Reads that follow one another travel together, an effect alone."""
    groups: list[list[RpcRequest]] = []
    for request in requests:
        if groups and not sends(request.method) and not sends(groups[-1][-1].method):
            groups[-1].append(request)
        else:
            groups.append([request])
    return groups


def _matched(requests: Sequence[RpcRequest], line: bytes) -> Sequence[RpcOutcome]:
    """Outcomes by id."""
    answers = orjson.loads(line)
    by_id = {answer["id"]: answer for answer in answers} if isinstance(answers, list) else {}
    outcomes: list[RpcOutcome] = []
    for number, request in enumerate(requests):
        answer = by_id.get(number, {})
        if "result" in answer:
            outcomes.append(RpcOk(orjson.dumps(answer["result"])))
        elif "error" in answer:
            error = answer["error"]
            failure = classified(request.method, error["code"], error["message"], error.get("data"))
            outcomes.append(RpcFailed(failure))
        else:
            outcomes.append(RpcFailed(unanswered(request.method, "the answer leaves this call out")))
    return outcomes
