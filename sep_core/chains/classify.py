"""What a JSON-RPC error of an endpoint means."""

import re
from collections.abc import Mapping

from sep_hooks.errors import CallReverted, RpcLimited, RpcRejected, SepError, UnknownBlock

_REVERT_CODE = 3
_LIMIT_CODES = frozenset({429, -32029})
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_TEXT_LIMIT = 300

_UNKNOWN_BLOCK = (
    "header not found",
    "header for hash not found",
    "block not found",
    "unknown block",
    "not currently canonical",
    "missing trie node",
    "blockoutofrange",
    "block requested not found",
    "resource not found",
    "historical state",
)
_LIMITED = (
    "rate limit",
    "too many requests",
    "exceeded its throughput",
    "compute units per second",
    "request limit",
)


def classified(error: Mapping[str, object], endpoint: str) -> SepError:
    """The error of our tree for the `error` member of an answer."""
    code = error.get("code")
    rpc_code = code if isinstance(code, int) else 0
    text = str(error.get("message", ""))[:_TEXT_LIMIT]
    data = error.get("data")
    lowered = text.lower()
    if rpc_code == _REVERT_CODE or "execution reverted" in lowered or "vm execution error" in lowered:
        return CallReverted(f"the call reverted: {text}", output=_revert_output(data))
    if rpc_code in _LIMIT_CODES or any(fragment in lowered for fragment in _LIMITED):
        return RpcLimited(f"{endpoint} limits its answers: {text}")
    if any(fragment in lowered for fragment in _UNKNOWN_BLOCK):
        return UnknownBlock(f"{endpoint} does not know the block: {text}")
    return RpcRejected(
        f"{endpoint} refused: {text} (code {rpc_code})",
        rpc_code=rpc_code,
        data=data if isinstance(data, str) else None,
    )


def _revert_output(data: object) -> bytes:
    """Revert data, which some nodes wrap into text such as `Reverted 0x…`."""
    if not isinstance(data, str):
        return b""
    found = _HEX.search(data)
    return bytes.fromhex(found.group()[2:]) if found else b""
