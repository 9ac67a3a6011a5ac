"""JSON-RPC over HTTP against servers that answer, err, lag, limit, cut and lie."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import orjson
import pytest
from aiohttp import web
from sep_hooks.context import RpcFailed, RpcOk, RpcRequest
from sep_hooks.errors import (
    Ambiguous,
    CallReverted,
    ConfigurationError,
    RpcLimited,
    RpcRejected,
    RpcUnavailable,
    UnknownBlock,
)
from sep_hooks.types import BlockRef, Json

from sep_core.chains.breaker import FAILURES_TO_OPEN
from sep_core.chains.errors import WrongChain
from sep_core.chains.rpc import BATCH_LIMIT, HttpRpc, open_http_rpc

pytestmark = pytest.mark.anyio

type Body = dict[str, Json] | list[dict[str, Json]]
type Handler = Callable[[web.Request, object], Awaitable[web.StreamResponse]]
SEND = RpcRequest("eth_sendRawTransaction", ("0x02",))
READ = RpcRequest("eth_blockNumber")


def ok(member: dict[str, Json], result: Json) -> dict[str, Json]:
    return {"jsonrpc": "2.0", "id": member["id"], "result": result}


def failed(member: dict[str, Json], code: int, message: str, data: Json = None) -> dict[str, Json]:
    error: dict[str, Json] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": member["id"], "error": error}


@dataclass
class Node:
    """A server whose answer to each member is a function; it notes what it was asked."""

    member: Callable[[dict[str, Json]], dict[str, Json] | None] = field(
        default=lambda member: ok(member, "0x1")
    )
    handler: Handler | None = None
    bodies: list[Body] = field(default_factory=list)
    url: str = ""

    @property
    def methods(self) -> list[str]:
        members: list[dict[str, Json]] = []
        for body in self.bodies:
            members += body if isinstance(body, list) else [body]
        return [str(member["method"]) for member in members]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        self.bodies.append(body)
        if self.handler is not None:
            return await self.handler(request, body)
        answers = [self.member(item) for item in (body if isinstance(body, list) else [body])]
        present = [answer for answer in reversed(answers) if answer is not None]
        return web.json_response(present if isinstance(body, list) else present[0])


@asynccontextmanager
async def serving(*nodes: Node) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for node in nodes:
            app = web.Application()
            app.router.add_post("/", node.serve)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            node.url = f"http://{host}:{port}/"
        yield


async def test_a_result_is_its_raw_json() -> None:
    node = Node(lambda member: ok(member, {"a": [1, "0x2"], "b": None}))
    async with serving(node), open_http_rpc([node.url]) as rpc:
        assert orjson.loads(await rpc.call(READ)) == {"a": [1, "0x2"], "b": None}


async def test_a_null_is_an_answer() -> None:
    node = Node(lambda member: ok(member, None))
    async with serving(node), open_http_rpc([node.url]) as rpc:
        assert await rpc.call(READ) == b"null"


async def test_a_block_is_asked_by_hash_and_canonical() -> None:
    node = Node()
    async with serving(node), open_http_rpc([node.url]) as rpc:
        await rpc.call(RpcRequest("eth_call", ({"to": "0x1"},), BlockRef(7, "0xab")))
    assert node.bodies == [
        {
            "jsonrpc": "2.0",
            "id": 0,
            "method": "eth_call",
            "params": [{"to": "0x1"}, {"blockHash": "0xab", "requireCanonical": True}],
        }
    ]


async def test_batches_are_matched_by_id_and_bounded() -> None:
    node = Node(lambda member: ok(member, member["params"]))
    requests = [RpcRequest("echo", (number,)) for number in range(BATCH_LIMIT * 2 + 7)]
    async with serving(node), open_http_rpc([node.url]) as rpc:
        outcomes = await rpc.calls(requests)  # the node answers each batch backwards
    assert [orjson.loads(outcome.result) for outcome in outcomes if isinstance(outcome, RpcOk)] == [
        [number] for number in range(len(requests))
    ]
    assert sorted(len(body) for body in node.bodies if isinstance(body, list)) == [
        7,
        BATCH_LIMIT,
        BATCH_LIMIT,
    ]


@pytest.mark.parametrize(
    ("code", "message", "data", "kind"),
    [
        (3, "execution reverted: no", "0x08c379a0", CallReverted),
        (-32000, "execution reverted", None, CallReverted),
        (-32015, "VM execution error.", "Reverted 0x1234", CallReverted),
        (-32000, "header not found", None, UnknownBlock),
        (-32000, "hash 0x12 is not currently canonical", None, UnknownBlock),
        (-32001, "Resource not found", None, UnknownBlock),
        (-32602, "BlockOutOfRangeError: block height is 32 but requested was 99", None, UnknownBlock),
        (429, "slow down", None, RpcLimited),
        (-32005, "daily request count exceeded, request rate limited", None, RpcLimited),
        (-32000, "historical state 0x12 is not available", None, UnknownBlock),
        (-32601, "the method eth_x does not exist/is not available", None, RpcRejected),
        (-32602, "invalid argument 0", None, RpcRejected),
    ],
)
async def test_errors_are_classified(
    code: int, message: str, data: str | None, kind: type[Exception]
) -> None:
    node = Node(lambda member: failed(member, code, message, data))
    async with serving(node), open_http_rpc([node.url]) as rpc:
        with pytest.raises(kind) as raised:
            await rpc.call(READ)
    if data == "Reverted 0x1234":
        assert getattr(raised.value, "output", None) == b"\x12\x34"


async def test_only_failed_members_go_to_the_next_endpoint() -> None:
    def lags(member: dict[str, Json]) -> dict[str, Json]:
        return failed(member, -32000, "header not found") if member["params"] == [1] else ok(member, "first")

    first, second = Node(lags), Node(lambda member: ok(member, "second"))
    async with serving(first, second), open_http_rpc([first.url, second.url]) as rpc:
        outcomes = await rpc.calls([RpcRequest("a", (0,)), RpcRequest("b", (1,)), RpcRequest("c", (2,))])
    assert [outcome.result for outcome in outcomes if isinstance(outcome, RpcOk)] == [
        b'"first"',
        b'"second"',
        b'"first"',
    ]
    assert second.methods == ["b"]


async def test_a_member_left_out_of_a_batch_is_no_answer() -> None:
    node = Node(lambda member: None if member["method"] == "b" else ok(member, 1))
    async with serving(node), open_http_rpc([node.url]) as rpc:
        a, b = await rpc.calls([RpcRequest("a"), RpcRequest("b")])
    assert isinstance(a, RpcOk)
    assert isinstance(b, RpcFailed)
    assert isinstance(b.error, RpcUnavailable)


async def test_one_error_may_answer_a_whole_batch() -> None:
    async def whole(_request: web.Request, _body: object) -> web.Response:
        return web.json_response(
            {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no batches"}}
        )

    node = Node(handler=whole)
    async with serving(node), open_http_rpc([node.url]) as rpc:
        outcomes = await rpc.calls([RpcRequest("a"), RpcRequest("b")])
    assert all(isinstance(item, RpcFailed) and isinstance(item.error, RpcRejected) for item in outcomes)


async def test_429_says_how_long_and_pauses_the_endpoint() -> None:
    async def limits(_request: web.Request, _body: object) -> web.Response:
        return web.Response(status=429, headers={"retry-after": "7"}, text="no")

    busy, other = Node(handler=limits), Node()
    async with serving(busy, other):
        async with open_http_rpc([busy.url]) as rpc:
            with pytest.raises(RpcLimited) as raised:
                await rpc.call(READ)
            assert raised.value.retry_after_seconds == 7
        async with open_http_rpc([busy.url, other.url]) as rpc:
            asked = len(busy.bodies)
            await rpc.call(READ)
            await rpc.call(READ)
            assert len(busy.bodies) == asked + 1
            assert len(other.bodies) == 2


async def test_three_failures_open_the_breaker_and_time_closes_it() -> None:
    async def broken(_request: web.Request, _body: object) -> web.Response:
        return web.Response(status=502, text="<html>bad gateway</html>")

    now = [0.0]
    node = Node(handler=broken)
    async with serving(node), aiohttp.ClientSession() as session:
        rpc = HttpRpc([node.url], session, monotonic=lambda: now[0])
        for _ in range(FAILURES_TO_OPEN + 2):
            with pytest.raises(RpcUnavailable):
                await rpc.call(READ)
        assert len(node.bodies) == FAILURES_TO_OPEN
        node.handler = None
        now[0] += 60
        assert await rpc.call(READ) == b'"0x1"'


async def test_an_unreachable_node_is_named_without_its_key() -> None:
    with pytest.raises(RpcUnavailable) as raised:
        async with open_http_rpc(["http://user:secret@127.0.0.1:9/v2/secret-key"]) as rpc:
            await rpc.call(READ, timeout_seconds=2)
    assert "127.0.0.1:9" in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_a_silent_node_is_left_after_its_share_of_the_time() -> None:
    gate = asyncio.Event()

    async def silent(_request: web.Request, _body: object) -> web.Response:
        await gate.wait()
        return web.Response()

    mute, other = Node(handler=silent), Node()
    async with serving(mute, other), open_http_rpc([mute.url, other.url]) as rpc:
        assert await rpc.call(READ, timeout_seconds=1.0) == b'"0x1"'
        with pytest.raises(Ambiguous):
            await rpc.call(SEND, timeout_seconds=0.2)
        gate.set()


async def test_a_send_is_never_repeated_and_a_cut_makes_it_ambiguous() -> None:
    async def cuts(request: web.Request, _body: object) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    first, second = Node(handler=cuts), Node()
    async with serving(first, second), open_http_rpc([first.url, second.url]) as rpc:
        with pytest.raises(Ambiguous):
            await rpc.call(SEND)
        assert first.methods == ["eth_sendRawTransaction"]
        assert second.methods == []


async def test_every_endpoint_answers_a_broadcast_once() -> None:
    accepts = Node(lambda member: ok(member, "0xhash"))
    refuses = Node(lambda member: failed(member, -32000, "nonce too low"))
    async with serving(accepts, refuses), open_http_rpc([accepts.url, refuses.url]) as rpc:
        answers = await rpc.each(SEND)
    assert [name for name, _ in answers] == [accepts.url.rstrip("/"), refuses.url.rstrip("/")]
    assert isinstance(answers[0][1], RpcOk)
    assert isinstance(answers[1][1], RpcFailed)
    assert accepts.methods == refuses.methods == ["eth_sendRawTransaction"]


async def test_an_acceptance_leaves_the_others_a_grace() -> None:
    gate = asyncio.Event()

    async def silent(_request: web.Request, _body: object) -> web.Response:
        await gate.wait()
        return web.Response()

    mute, accepts = Node(handler=silent), Node(lambda member: ok(member, "0xhash"))
    async with serving(mute, accepts), open_http_rpc([mute.url, accepts.url]) as rpc:
        began = asyncio.get_running_loop().time()
        (_, late), (_, accepted) = await rpc.each(SEND, timeout_seconds=30, grace_seconds=0.05)
        assert asyncio.get_running_loop().time() - began < 10
        assert isinstance(accepted, RpcOk)
        assert isinstance(late, RpcFailed)
        assert isinstance(late.error, Ambiguous)
        gate.set()


async def test_an_endpoint_proves_its_chain_with_its_first_answer() -> None:
    def serves(chain: str) -> Callable[[dict[str, Json]], dict[str, Json]]:
        return lambda member: ok(member, chain if member["method"] == "eth_chainId" else f"from {chain}")

    wrong, right = Node(serves("0x5")), Node(serves("0x1"))
    async with serving(wrong, right), open_http_rpc([wrong.url, right.url], chain_id=1) as rpc:
        assert await rpc.call(READ) == b'"from 0x1"'
        assert await rpc.call(READ) == b'"from 0x1"'
        assert right.methods == ["eth_chainId", "eth_blockNumber", "eth_blockNumber"]
        (_, refused), (_, sent) = await rpc.each(SEND)
        assert isinstance(refused, RpcFailed)
        assert isinstance(refused.error, WrongChain)
        assert isinstance(sent, RpcOk)
        assert "eth_sendRawTransaction" not in wrong.methods
    async with serving(wrong), open_http_rpc([wrong.url], chain_id=1) as rpc:
        with pytest.raises(WrongChain, match="serves chain 5"):
            await rpc.call(READ)


async def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sep_core.chains.endpoint.BODY_LIMIT_BYTES", 100_000)
    node = Node(lambda member: ok(member, "x" * 200_000))
    async with serving(node), open_http_rpc([node.url]) as rpc:
        with pytest.raises(RpcUnavailable, match="more than"):
            await rpc.call(READ)


@pytest.mark.parametrize("url", ["", "ws://127.0.0.1", "127.0.0.1:8545", "http://"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        async with open_http_rpc([url]):
            pass


async def test_a_chain_without_endpoint_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        async with open_http_rpc([]):
            pass
