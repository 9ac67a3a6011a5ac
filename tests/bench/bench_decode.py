"""Microseconds a log, in batches of 3,000: from JSON and from raw bytes, into columns and into Python values.

eth_abi and alloy's own decoder, event by event, decode the same logs in the same run, from topics and data that are
already bytes. One JSON line.
"""

import json
import random
import time
from collections.abc import Callable

import eth_abi
from eth_utils import keccak
from sep_native.decode import EventDecoder
from sep_native.testing import count_with_alloy

SIGNATURES = {
    "event Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1, "
    "uint160 sqrtPriceX96, uint128 liquidity, int24 tick)": (
        "Swap(address,address,int256,int256,uint160,uint128,int24)",
        ["address", "address"],
        ["int256", "int256", "uint160", "uint128", "int24"],
    ),
    "event Transfer(address indexed from, address indexed to, uint256 value)": (
        "Transfer(address,address,uint256)",
        ["address", "address"],
        ["uint256"],
    ),
    "event Approval(address indexed owner, address indexed spender, uint256 value)": (
        "Approval(address,address,uint256)",
        ["address", "address"],
        ["uint256"],
    ),
}
LOGS = 3_000
ROUNDS = 9
type RawLog = tuple[bytes, list[bytes], bytes]


def make_logs() -> list[RawLog]:
    """Logs of the three events in turn, from a fixed seed."""
    source = random.Random(7)
    logs: list[RawLog] = []
    for at in range(LOGS):
        text, indexed, body = list(SIGNATURES.values())[at % 3]
        accounts = ["0x" + source.randbytes(20).hex() for _ in indexed]
        values = [source.randrange(2 ** (int(kind.lstrip("uint")) - 1)) for kind in body]
        topics = [
            keccak(text=text),
            *(eth_abi.encode([kind], [a]) for kind, a in zip(indexed, accounts, strict=True)),
        ]
        logs.append((source.randbytes(20), topics, eth_abi.encode(body, values)))
    return logs


def to_json(logs: list[RawLog]) -> bytes:
    """The logs as a node answers them."""
    entries = [
        {
            "address": "0x" + address.hex(),
            "topics": ["0x" + topic.hex() for topic in topics],
            "data": "0x" + data.hex(),
            "blockNumber": "0x1312d00",
            "blockHash": "0x" + "ab" * 32,
            "transactionHash": "0x" + "cd" * 32,
            "transactionIndex": "0x5",
            "logIndex": hex(at),
            "removed": False,
        }
        for at, (address, topics, data) in enumerate(logs)
    ]
    return json.dumps(entries, separators=(",", ":")).encode()


def with_eth_abi(logs: list[RawLog]) -> int:
    """Decodes every argument with eth_abi and counts them."""
    by_topic = {keccak(text=text): (indexed, body) for text, indexed, body in SIGNATURES.values()}
    count = 0
    for _, topics, data in logs:
        indexed, body = by_topic[topics[0]]
        count += sum(
            len(eth_abi.decode([kind], topic)) for kind, topic in zip(indexed, topics[1:], strict=True)
        )
        count += len(eth_abi.decode(body, data))
    return count


def microseconds_a_log(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The best round."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best / LOGS * 1e6


def main() -> None:
    logs = make_logs()
    text = to_json(logs)
    decoder = EventDecoder(list(SIGNATURES))
    assert decoder.decode_json(text).counts() == {"decoded": LOGS, "unknown": 0, "malformed": 0}
    from_json = microseconds_a_log(lambda: decoder.decode_json(text))
    from_raw = microseconds_a_log(lambda: decoder.decode(logs))
    into_values = microseconds_a_log(lambda: [log.arguments for log in decoder.decode(logs)])
    peer = microseconds_a_log(lambda: with_eth_abi(logs), rounds=3)
    assert count_with_alloy(list(SIGNATURES), logs) == with_eth_abi(logs)
    alloy = microseconds_a_log(lambda: count_with_alloy(list(SIGNATURES), logs))
    figures = {
        "bench": "decode",
        "logs": LOGS,
        "json_bytes_a_log": len(text) // LOGS,
        "json_us": round(from_json, 3),
        "raw_us": round(from_raw, 3),
        "raw_to_python_values_us": round(into_values, 3),
        "eth_abi_us": round(peer, 2),
        "alloy_us": round(alloy, 3),
        "alloy_over_raw": round(alloy / from_raw, 2),
        "eth_abi_over_json": round(peer / from_json, 1),
        "eth_abi_over_raw_to_python_values": round(peer / into_values, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
