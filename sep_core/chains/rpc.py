"""JSON-RPC over HTTP to several endpoints of one chain."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import aiohttp
import orjson
from sep_hooks.context import RpcFailed, RpcOk, RpcOutcome, RpcRequest
from sep_hooks.errors import Ambiguous, ConfigurationError, RpcLimited, RpcUnavailable, SepError

from sep_core.telemetry.crashpoints import crash_point

from .classify import classified
from .endpoint import Endpoint
from .errors import WrongChain

BATCH_LIMIT = 50
CONCURRENT_BATCHES = 4
SEND_AGAIN = "broadcast the same bytes again and look for the receipt"


def is_send(method: str) -> bool:
    """Whether a call has an effect, so that it must never be repeated beneath the caller."""
    return method.startswith("eth_send")


class HttpRpc:
    """Implements `EndpointRpc`: reads go to the first healthy endpoint and fail over, failed members alone.

    An effect goes out once; a transport failure then raises `Ambiguous`. With `chain_id`, an endpoint proves its
    chain before its first answer counts and again after each failure.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        session: aiohttp.ClientSession,
        *,
        chain_id: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not endpoints:
            raise ConfigurationError("the chain has no RPC endpoint", next_step="set rpc in its table")
        self._endpoints = tuple(Endpoint(url, session) for url in endpoints)
        self._chain_id = chain_id
        self._monotonic = monotonic
        self._batches = asyncio.Semaphore(CONCURRENT_BATCHES)

    @property
    def names(self) -> tuple[str, ...]:
        """The endpoints as people may see them."""
        return tuple(endpoint.name for endpoint in self._endpoints)

    async def call(self, request: RpcRequest, *, timeout_seconds: float = 10.0) -> bytes:
        """See `Rpc.call`."""
        (outcome,) = await self.calls([request], timeout_seconds=timeout_seconds)
        if isinstance(outcome, RpcFailed):
            raise outcome.error
        return outcome.result

    async def calls(
        self, requests: Sequence[RpcRequest], *, timeout_seconds: float = 10.0
    ) -> Sequence[RpcOutcome]:
        """See `Rpc.calls`. Batches hold at most 50 members; an effect travels alone."""
        ends_at = self._monotonic() + timeout_seconds
        chunks: list[list[int]] = []
        for index, request in enumerate(requests):
            if (
                is_send(request.method)
                or not chunks
                or len(chunks[-1]) >= BATCH_LIMIT
                or is_send(requests[chunks[-1][-1]].method)
            ):
                chunks.append([])
            chunks[-1].append(index)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._chunk([requests[index] for index in chunk], ends_at))
                for chunk in chunks
            ]
        outcomes: dict[int, RpcOutcome] = {}
        for chunk, task in zip(chunks, tasks, strict=True):
            outcomes.update(zip(chunk, task.result(), strict=True))
        return [outcomes[index] for index in range(len(requests))]

    async def each(
        self, request: RpcRequest, *, timeout_seconds: float = 10.0, grace_seconds: float | None = None
    ) -> Sequence[tuple[str, RpcOutcome]]:
        """See `EndpointRpc.each`; endpoints that fail are asked too."""
        outcomes: dict[int, RpcOutcome] = {}
        loop = asyncio.get_running_loop()

        async def ask(position: int, endpoint: Endpoint) -> None:
            outcomes[position] = outcome = await self._once(endpoint, request, timeout_seconds)
            if is_send(request.method):
                crash_point("rpc.endpoint_answered_send")
            ends_at = scope.when()
            if grace_seconds is not None and isinstance(outcome, RpcOk) and ends_at is not None:
                scope.reschedule(min(ends_at, loop.time() + grace_seconds))

        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds) as scope, asyncio.TaskGroup() as group:
                for position, endpoint in enumerate(self._endpoints):
                    group.create_task(ask(position, endpoint))
        return [
            (endpoint.name, outcomes.get(position) or RpcFailed(_silent(endpoint, request)))
            for position, endpoint in enumerate(self._endpoints)
        ]

    async def _chunk(self, requests: Sequence[RpcRequest], ends_at: float) -> Sequence[RpcOutcome]:
        async with self._batches:
            if is_send(requests[0].method):
                candidates = self._candidates()
                if not candidates:
                    return [RpcFailed(self._all_paused())]
                return [await self._once(candidates[0], requests[0], ends_at - self._monotonic())]
            return await self._read(requests, ends_at)

    async def _read(self, requests: Sequence[RpcRequest], ends_at: float) -> Sequence[RpcOutcome]:
        """Asks one endpoint after the other, each for what the others could not answer."""
        outcomes: list[RpcOutcome] = [RpcFailed(self._all_paused())] * len(requests)
        pending = list(range(len(requests)))
        failures: list[SepError] = []
        candidates = self._candidates()
        for position, endpoint in enumerate(candidates):
            budget = (ends_at - self._monotonic()) / (len(candidates) - position)
            if budget <= 0:
                break
            answers = await self._attempt(endpoint, [requests[index] for index in pending], budget)
            again: list[int] = []
            for index, answer in zip(pending, answers, strict=True):
                outcomes[index] = answer
                if isinstance(answer, RpcFailed) and _try_elsewhere(answer.error):
                    again.append(index)
                    failures.append(answer.error)
            pending = again
            if not pending:
                break
        if len({str(failure) for failure in failures}) > 1:
            for index in pending:
                outcomes[index] = RpcFailed(_joined(failures))
        return outcomes

    async def _once(self, endpoint: Endpoint, request: RpcRequest, timeout_seconds: float) -> RpcOutcome:
        """One request to one endpoint, without repetition."""
        sends = is_send(request.method)
        if sends and not endpoint.verified and self._chain_id is not None:
            (proof,) = await self._attempt(endpoint, [RpcRequest("eth_chainId")], timeout_seconds)
            if isinstance(proof, RpcFailed):
                return proof
        (outcome,) = await self._attempt(endpoint, [request], timeout_seconds)
        if (
            sends
            and isinstance(outcome, RpcFailed)
            and isinstance(outcome.error, RpcUnavailable | RpcLimited)
        ):
            return RpcFailed(
                Ambiguous(
                    f"{outcome.error.message}; the transaction may have arrived",
                    next_step=SEND_AGAIN,
                )
            )
        return outcome

    async def _attempt(
        self, endpoint: Endpoint, requests: Sequence[RpcRequest], timeout_seconds: float
    ) -> Sequence[RpcOutcome]:
        """One post to one endpoint, with proof of its chain where that is due."""
        prove = self._chain_id is not None and not endpoint.verified and not is_send(requests[0].method)
        members = [RpcRequest("eth_chainId"), *requests] if prove else list(requests)
        try:
            answer = await endpoint.post(_body(members), timeout_seconds)
        except RpcLimited as error:
            endpoint.breaker.pause(self._monotonic(), error.retry_after_seconds)
            return [RpcFailed(error)] * len(requests)
        except RpcUnavailable as error:
            endpoint.verified = False
            endpoint.breaker.failed(self._monotonic())
            return [RpcFailed(error)] * len(requests)
        outcomes = _matched(answer, len(members), endpoint.name)
        endpoint.breaker.succeeded()
        if not prove:
            return outcomes
        wrong = self._chain_mismatch(endpoint, outcomes[0])
        if wrong is not None:
            endpoint.breaker.failed(self._monotonic())
            return [RpcFailed(wrong)] * len(requests)
        endpoint.verified = True
        return outcomes[1:]

    def _chain_mismatch(self, endpoint: Endpoint, outcome: RpcOutcome) -> SepError | None:
        if isinstance(outcome, RpcFailed):
            return outcome.error
        text = orjson.loads(outcome.result)
        found = int(text, 16) if isinstance(text, str) and text.startswith("0x") else -1
        if found == self._chain_id:
            return None
        return WrongChain(
            f"{endpoint.name} serves chain {found}, configured is chain {self._chain_id}; nothing was sent to it",
            next_step="correct rpc or chain_id of this chain",
        )

    def _candidates(self) -> Sequence[Endpoint]:
        now = self._monotonic()
        return [endpoint for endpoint in self._endpoints if endpoint.breaker.allows(now)]

    def _all_paused(self) -> SepError:
        return RpcUnavailable(
            f"{', '.join(self.names)}: paused after failures",
            next_step="check that the node runs; it is asked again within seconds",
        )


@asynccontextmanager
async def open_http_rpc(endpoints: Sequence[str], *, chain_id: int | None = None) -> AsyncIterator[HttpRpc]:
    """An `HttpRpc` with a session of its own, closed at the end."""
    connector = aiohttp.TCPConnector(limit=64, limit_per_host=32)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield HttpRpc(endpoints, session, chain_id=chain_id)


def _silent(endpoint: Endpoint, request: RpcRequest) -> SepError:
    message = f"{endpoint.name} did not answer in time"
    if is_send(request.method):
        return Ambiguous(f"{message}; the transaction may have arrived", next_step=SEND_AGAIN)
    return RpcUnavailable(message)


def _try_elsewhere(error: SepError) -> bool:
    return error.retryable or isinstance(error, WrongChain)


def _joined(failures: Sequence[SepError]) -> SepError:
    """One error for all endpoints: the kind of the last one that says more than `unreachable`."""
    telling = [failure for failure in failures if not isinstance(failure, RpcUnavailable)]
    if telling:
        return telling[-1]
    messages = list(dict.fromkeys(failure.message for failure in failures))
    return RpcUnavailable(
        f"no endpoint answered: {'; '.join(messages)}", next_step="check that the nodes run"
    )


def _body(requests: Sequence[RpcRequest]) -> bytes:
    members = [
        {"jsonrpc": "2.0", "id": number, "method": request.method, "params": _params(request)}
        for number, request in enumerate(requests)
    ]
    return orjson.dumps(members[0] if len(members) == 1 else members)


def _params(request: RpcRequest) -> list[object]:
    params: list[object] = list(request.params)
    if request.at is not None:
        params.append({"blockHash": request.at.hash, "requireCanonical": True})
    return params


def _matched(answer: object, count: int, endpoint: str) -> list[RpcOutcome]:
    """Outcomes by id; a lone error object answers every member of a batch."""
    by_id: dict[int, RpcOutcome] = {}
    whole: RpcOutcome | None = None
    for member in answer if isinstance(answer, list) else [answer]:
        if not isinstance(member, dict):
            continue
        outcome = _outcome(member, endpoint)
        number = member.get("id")
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < count:
            by_id.setdefault(number, outcome)
        elif isinstance(outcome, RpcFailed):
            whole = outcome
    missing = whole or RpcFailed(RpcUnavailable(f"{endpoint} left a member of the batch without an answer"))
    return [by_id.get(number, missing) for number in range(count)]


def _outcome(member: dict[str, object], endpoint: str) -> RpcOutcome:
    error = member.get("error")
    if isinstance(error, dict):
        return RpcFailed(classified(error, endpoint))
    if "result" not in member:
        return RpcFailed(RpcUnavailable(f"{endpoint} answered neither result nor error"))
    return RpcOk(orjson.dumps(member["result"]))
