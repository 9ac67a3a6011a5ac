"""A few questions to a chain's node, over HTTP."""

import http.client
import json
import time
import urllib.error
import urllib.request
from typing import Final

from sep_hooks.types import Address, Json

from .errors import ExecutorError

_TIMEOUT_SECONDS: Final = 30.0
_RECEIPT_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.5
_LONGEST_NUMBER: Final = 66


class Node:
    """One endpoint. Every answer that is none raises `ExecutorError`."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ExecutorError(f"{url!r} is no HTTP address", next_step="give --rpc http://… or https://…")
        self._url = url

    def chain_id(self) -> int:
        """Which chain it is."""
        return self._number("eth_chainId")

    def code(self, at: Address) -> bytes:
        """The code at an address; empty where there is none."""
        text = self._text("eth_getCode", at, "latest")
        try:
            return bytes.fromhex(text.removeprefix("0x"))
        except ValueError:
            raise self._nonsense("eth_getCode", text) from None

    def gas(self, sender: Address, to: Address, data: bytes) -> int:
        """How much gas a transaction would use."""
        call: Json = {"from": sender, "to": to, "data": "0x" + data.hex()}
        return self._number("eth_estimateGas", call)

    def send_unlocked(self, sender: Address, to: Address, data: bytes, gas: int) -> str:
        """Lets an account of the node itself send a transaction, and waits for it; its hash."""
        call: Json = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(gas)}
        sent = self._text("eth_sendTransaction", call)
        deadline = time.monotonic() + _RECEIPT_SECONDS
        while (receipt := self._ask("eth_getTransactionReceipt", sent)) is None:
            if time.monotonic() > deadline:
                raise ExecutorError(
                    f"no receipt of {sent} within {_RECEIPT_SECONDS:.0f} s; it may still be included",
                    next_step="run `sep executor check` later",
                )
            time.sleep(_POLL_SECONDS)
        if not isinstance(receipt, dict) or receipt.get("status") != "0x1":
            raise ExecutorError(f"the transaction {sent} reverted; only gas was spent")
        return sent

    def _number(self, method: str, *params: Json) -> int:
        text = self._text(method, *params)
        try:
            number = int(text, 16) if len(text) <= _LONGEST_NUMBER else -1
        except ValueError:
            number = -1
        if number < 0:
            raise self._nonsense(method, text)
        return number

    def _nonsense(self, method: str, text: str) -> ExecutorError:
        return ExecutorError(
            f"{self._url} answered {method} with {text[:80]!r}, which is no hexadecimal number",
            next_step="look at the address after --rpc",
        )

    def _text(self, method: str, *params: Json) -> str:
        answer = self._ask(method, *params)
        if not isinstance(answer, str):
            raise ExecutorError(f"{self._url} answered {method} with something that is no text")
        return answer

    def _ask(self, method: str, *params: Json) -> Json:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
        try:
            request = urllib.request.Request(  # noqa: S310  # the scheme was looked at
                self._url, body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                told = json.loads(answer.read())
        except (OSError, ValueError, urllib.error.URLError, http.client.HTTPException) as error:
            raise ExecutorError(
                f"{self._url} does not answer {method}: {error}", next_step="look at the address after --rpc"
            ) from error
        if not isinstance(told, dict) or "error" in told or "result" not in told:
            reason = told.get("error") if isinstance(told, dict) else told
            raise ExecutorError(f"{self._url} refuses {method}: {json.dumps(reason)[:300]}")
        result: Json = told["result"]
        return result
