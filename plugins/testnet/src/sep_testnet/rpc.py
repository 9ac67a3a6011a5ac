"""A plain JSON-RPC client for the local node: one kept-alive connection, one call at a time."""

import http.client
import json
import threading
from collections.abc import Sequence

from .errors import NodeRejected, TestnetError

type Json = str | int | float | bool | Sequence[Json] | dict[str, Json] | None

_TIMEOUT_SECONDS = 30.0


class NodeRpc:
    """Calls methods of the node at 127.0.0.1; usable from several threads, blocking."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)

    def call(self, method: str, *params: Json) -> Json:
        """Give the result. Raises `NodeRejected`, or `TestnetError` when the node does not answer."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        with self._lock:
            answer = json.loads(self._post(method, body))
        error = answer.get("error")
        if error is not None:
            data = error.get("data")
            raise NodeRejected(
                f"the test node refused {method}: {error['message']}",
                rpc_code=int(error["code"]),
                data=data if isinstance(data, str) else None,
            )
        result: Json = answer["result"]
        return result

    def text(self, method: str, *params: Json) -> str:
        """Give a result that is text."""
        result = self.call(method, *params)
        if not isinstance(result, str):
            raise TestnetError(f"the test node answered {method} with {result!r}, where text was expected")
        return result

    def number(self, method: str, *params: Json) -> int:
        """Give a result that is a number in hexadecimal."""
        return int(self.text(method, *params), 16)

    def record(self, method: str, *params: Json) -> dict[str, Json]:
        """Give a result that is an object."""
        result = self.call(method, *params)
        if not isinstance(result, dict):
            raise TestnetError(
                f"the test node answered {method} with {result!r}, where an object was expected"
            )
        return result

    def close(self) -> None:
        """Close the connection; a later call opens it again."""
        self._connection.close()

    def _post(self, method: str, body: str) -> bytes:
        try:
            self._connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return self._connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise TestnetError(
                f"the test node on port {self._port} did not answer {method}: {error!r}",
                next_step="look at the node's log; it may have been stopped",
            ) from error
