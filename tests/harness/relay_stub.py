"""A relay as Flashbots speaks it, that holds, drops, delays, leaks and lies as it is told."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak

HEADER = "X-Flashbots-Signature"


class Mood(StrEnum):
    """What the stub does with what it is given. All but `silent` and `failing` answer as if all were well."""

    HOLDS = "holds"
    """Keeps it until the test builds a block."""
    DROPS = "drops"
    LEAKS = "leaks"
    """Gives it to everybody, besides."""
    SILENT = "silent"
    """Keeps it, and cuts the connection instead of an answer."""
    FAILING = "failing"
    """Keeps it, and answers with an error of its own."""
    NONSENSE = "nonsense"
    LYING = "lying"
    """Names another hash than that of the transaction."""


@dataclass
class RelayStub:
    """`leak` is how everybody would be told. `senders` are the addresses that signed requests."""

    leak: Callable[[str], None] = lambda _: None
    mood: Mood = Mood.HOLDS
    hash_of: Callable[[bytes], str] = lambda raw: "0x" + keccak(raw).hex()
    url: str = ""
    held: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    senders: set[str] = field(default_factory=set)

    def take(self) -> list[str]:
        """All bytes that it holds, for the next block; it holds them no more."""
        taken = list(self.held.values())
        self.held.clear()
        return taken

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One JSON-RPC request. A signature that does not fit the body is refused."""
        body = await request.read()
        claimed, _, signature = request.headers[HEADER].partition(":")
        text = encode_defunct(text="0x" + keccak(body).hex())
        if Account.recover_message(text, signature=signature) != claimed:
            return web.json_response({"error": {"message": "invalid flashbots signature"}}, status=403)
        self.senders.add(claimed)
        asked = json.loads(body)
        self.asked.append(asked)
        result = self._done(asked["method"], asked["params"][0])
        if self.mood is Mood.SILENT and request.transport is not None:
            request.transport.abort()
        if self.mood is Mood.FAILING:
            return web.json_response(
                {"id": 1, "jsonrpc": "2.0", "error": {"code": -32000, "message": "busy"}}
            )
        if self.mood is Mood.NONSENSE:
            return web.Response(text="<html>", status=502)
        return web.json_response({"id": 1, "jsonrpc": "2.0", "result": result})

    def _done(self, method: str, said: dict[str, Any]) -> object:
        if method == "eth_cancelPrivateTransaction":
            self.withdrawn.append(said["txHash"])
            return self.held.pop(said["txHash"], None) is not None
        (raw,) = said["txs"] if method == "eth_sendBundle" else (said["tx"],)
        name = self.hash_of(bytes.fromhex(raw[2:]))
        if self.mood is not Mood.DROPS:
            self.held[name] = raw
        if self.mood is Mood.LEAKS:
            self.leak(raw)
        if self.mood is Mood.LYING:
            name = name[::-1]
        return (
            {"bundleHash": hashlib.sha256(name.encode()).hexdigest()} if method == "eth_sendBundle" else name
        )


@asynccontextmanager
async def serving(stub: RelayStub) -> AsyncIterator[RelayStub]:
    """The stub on a free port of the loopback."""
    app = web.Application()
    app.router.add_post("/", stub.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    stub.url = f"http://{host}:{port}"
    try:
        yield stub
    finally:
        await runner.cleanup()
