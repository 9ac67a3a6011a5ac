"""Asks a chain as it is, past the engine: over HTTP, or over the simulated chain's socket."""

import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

ANSWER_SECONDS = 20.0


class HttpChain:
    """One call after another of a node."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, method: str, *params: object) -> Any:
        """The result."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)["result"]


class SocketChain:
    """One call after another of a simulated chain that is a process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, method: str, *params: object) -> Any:
        """The result."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as answers:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(self.path))
            connection.sendall(body + b"\n")
            return json.loads(answers.readline())["result"]
