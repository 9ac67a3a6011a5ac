"""Native decoding and encoding against eth_abi and eth_utils, and against hostile bytes."""

import json
from typing import Any

import eth_abi
import pytest
from eth_abi.exceptions import DecodingError
from eth_utils import is_checksum_address, keccak, to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st
from sep_native.decode import (
    DecodedLog,
    EventDecoder,
    checksum_address,
    decode,
    decode_call,
    decode_result,
    encode,
    encode_call,
    is_checksum_valid,
    keccak256,
    selector,
)
from sep_native.testing import count_with_alloy

SWAP = (
    "event Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1, "
    "uint160 sqrtPriceX96, uint128 liquidity, int24 tick)"
)
TRANSFER = "event Transfer(address indexed from, address indexed to, uint256 value)"
NFT_TRANSFER = "event Transfer(address indexed from, address indexed to, uint256 indexed tokenId)"
NAMED = "event Named(string indexed key, string text, (uint8 a, bytes b)[] pairs, bool done, int64[2] two)"
SIGNATURES = [SWAP, TRANSFER, NFT_TRANSFER, NAMED]
POOL = bytes.fromhex("8ad599c3a0ff1de082011efddc58f1908eb6e6d8")

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


def words(bits: int) -> st.SearchStrategy[int]:
    return st.one_of(st.integers(0, 2**bits - 1), st.just(2**bits - 1), st.just(0))


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.one_of(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), st.just(-(2 ** (bits - 1))))


@st.composite
def typed(draw: st.DrawFn, depth: int = 2) -> tuple[str, Any]:
    """A type and a value of it, in the form that both libraries use."""
    choice = draw(st.integers(0, 9 if depth else 6))
    bits = 8 * draw(st.integers(1, 32))
    if choice == 0:
        return f"uint{bits}", draw(words(bits))
    if choice == 1:
        return f"int{bits}", draw(signed(bits))
    if choice == 2:
        return "address", draw(addresses)
    if choice == 3:
        return "bool", draw(st.booleans())
    if choice == 4:
        return f"bytes{bits // 8}", draw(st.binary(min_size=bits // 8, max_size=bits // 8))
    if choice == 5:
        return "bytes", draw(st.binary(max_size=70))
    if choice == 6:
        return "string", draw(st.text(st.characters(codec="utf-8"), max_size=20))
    members = draw(st.lists(typed(depth - 1), min_size=1, max_size=3))
    if choice == 7:
        return "(" + ",".join(kind for kind, _ in members) + ")", tuple(value for _, value in members)
    kind, value = members[0]
    count = draw(st.integers(1 if choice == 9 else 0, 3))
    return kind + (f"[{count}]" if choice == 9 else "[]"), (value,) * count


@settings(max_examples=400, deadline=None)
@given(st.lists(typed(), max_size=4))
def test_encoding_and_decoding_equal_eth_abi(pairs: list[tuple[str, Any]]) -> None:
    types, values = [kind for kind, _ in pairs], tuple(value for _, value in pairs)
    data = encode(",".join(types), values)
    assert data == eth_abi.encode(types, values)
    assert decode(",".join(types), data) == values == eth_abi.decode(types, data)
    signature = f"call({','.join(types)})"
    assert selector(signature) == keccak(text=signature)[:4]
    assert encode_call(signature, list(values)) == selector(signature) + data
    assert decode_call(signature, selector(signature) + data) == values
    if types:
        assert decode_result(f"call() returns ({','.join(types)})", data + b"\1") == values


@settings(max_examples=300, deadline=None)
@given(st.lists(typed(1), min_size=1, max_size=3), st.data())
def test_what_is_accepted_from_mutated_bytes_eth_abi_reads_alike(
    pairs: list[tuple[str, Any]], data: st.DataObject
) -> None:
    types = [kind for kind, _ in pairs]
    raw = bytearray(eth_abi.encode(types, [value for _, value in pairs]))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        values = decode(",".join(types), bytes(raw))
    except ValueError:
        return
    try:
        assert eth_abi.decode(types, bytes(raw)) == values
    except DecodingError as error:
        pytest.fail(f"accepted what eth_abi refuses: {error}")


def swap_log(sender: str, recipient: str, values: list[int]) -> tuple[bytes, list[bytes], bytes]:
    types = ["int256", "int256", "uint160", "uint128", "int24"]
    topics = [keccak(text="Swap(address,address,int256,int256,uint160,uint128,int24)")]
    topics += [eth_abi.encode(["address"], [account]) for account in (sender, recipient)]
    return POOL, topics, eth_abi.encode(types, values)


swap_values = st.tuples(signed(256), signed(256), words(160), words(128), signed(24)).map(list)


@settings(deadline=None)
@given(st.lists(st.tuples(addresses, addresses, swap_values), max_size=5))
def test_fixed_events_equal_eth_abi(swaps: list[tuple[str, str, list[int]]]) -> None:
    batch = EventDecoder(SIGNATURES).decode([swap_log(*swap) for swap in swaps])
    assert batch.counts() == {"decoded": len(swaps), "unknown": 0, "malformed": 0}
    names = ["amount0", "amount1", "sqrtPriceX96", "liquidity", "tick"]
    for log, (sender, recipient, values) in zip(batch, swaps, strict=True):
        assert (log.kind, log.event, log.signature_index, log.address) == (
            "decoded",
            "Swap",
            0,
            "0x" + POOL.hex(),
        )
        assert log.arguments == {
            "sender": sender,
            "recipient": recipient,
            **dict(zip(names, values, strict=True)),
        }
    for at, name in enumerate(names):
        assert batch.column(0, name) == [values[at] for _, _, values in swaps]
    assert batch.column(0, "sender") == [sender for sender, _, _ in swaps]
    assert batch.positions(0) == list(range(len(swaps)))


def test_the_peer_for_speed_reads_what_it_knows_and_nothing_else() -> None:
    swap = swap_log("0x" + "11" * 20, "0x" + "22" * 20, [1, -2, 3, 4, -5])
    short = (swap[0], swap[1], swap[2][:-1])
    foreign = (swap[0], [keccak(text="Other()")], b"")
    assert count_with_alloy([SWAP, TRANSFER], [swap, swap, short, foreign, (swap[0], [], b"")]) == 14
    with pytest.raises(ValueError, match="nothing of the kind"):
        count_with_alloy(["nothing of the kind"], [])


pairs_lists = st.lists(st.tuples(words(8), st.binary(max_size=40)), max_size=3).map(tuple)


@settings(deadline=None)
@given(
    st.text(st.characters(codec="utf-8"), max_size=40),
    pairs_lists,
    st.booleans(),
    st.tuples(signed(64), signed(64)),
)
def test_dynamic_events_equal_eth_abi(
    text: str, pairs: tuple[tuple[int, bytes], ...], done: bool, two: tuple[int, int]
) -> None:
    data = eth_abi.encode(["string", "(uint8,bytes)[]", "bool", "int64[2]"], [text, pairs, done, two])
    key = keccak(text="key")
    topics = [keccak(text="Named(string,string,(uint8,bytes)[],bool,int64[2])"), key]
    (log,) = EventDecoder(SIGNATURES).decode([(POOL, topics, data)])
    assert log.arguments == {"key": key, "text": text, "pairs": pairs, "done": done, "two": two}


def as_json(log: tuple[bytes, list[bytes], bytes], **more: object) -> dict[str, object]:
    address, topics, data = log
    return {
        "address": "0x" + address.hex(),
        "topics": ["0x" + topic.hex() for topic in topics],
        "data": "0x" + data.hex(),
        **more,
    }


GOOD = swap_log("0x" + "11" * 20, "0x" + "22" * 20, [1, -1, 2**96, 10, -5])


def test_json_and_raw_agree_and_json_carries_the_place() -> None:
    decoder = EventDecoder(SIGNATURES)
    place = {
        "blockNumber": "0x1f",
        "blockHash": "0x" + "ab" * 32,
        "transactionHash": "0x" + "cd" * 32,
        "logIndex": "0x0",
        "transactionIndex": "0x2",
        "removed": True,
    }
    (log,) = decoder.decode_json(json.dumps([as_json(GOOD, **place)]).encode())
    (raw,) = decoder.decode([GOOD])
    assert log.arguments == raw.arguments
    assert (log.topics, log.data, log.address) == (GOOD[1], GOOD[2], raw.address)
    assert (log.block_number, log.block_hash) == (31, place["blockHash"])
    assert (log.transaction_hash, log.log_index, log.removed) == (place["transactionHash"], 0, True)
    assert (raw.block_number, raw.block_hash, raw.transaction_hash, raw.log_index) == (None,) * 4
    assert raw.removed is False


def only(logs: list[object]) -> DecodedLog:
    (log,) = EventDecoder(SIGNATURES).decode_json(json.dumps(logs).encode())
    return log


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data": "0x" + GOOD[2].hex()[:-2]}, "length"),
        ({"data": "0x" + GOOD[2].hex() + "00" * 32}, "length"),
        ({"data": "0xzz"}, "hexadecimal"),
        ({"data": "0x0" + GOOD[2].hex()}, "hexadecimal"),
        ({"data": "0x" + ("01" + "00" * 31) * 3 + GOOD[2].hex()[192:]}, "dirty"),
        ({"topics": ["0x" + topic.hex() for topic in GOOD[1][:2]]}, "indexed arguments"),
        ({"topics": ["0x" + GOOD[1][0].hex(), "0x" + "11" * 32, "0x" + "00" * 32]}, "dirty"),
        ({"topics": ["0x" + "00" * 32] * 5}, "at most four"),
        ({"topics": ["0x00"]}, "topics"),
        ({"address": "0x00"}, "address"),
        ({"address": 5}, "not a log"),
        ({"blockNumber": "soon"}, "place"),
    ],
)
def test_malformed_logs_are_rows_of_their_own(change: dict[str, object], reason: str) -> None:
    log = only([as_json(GOOD) | change])
    assert log.kind == "malformed"
    assert (log.event, log.signature_index, log.arguments) == ("", -1, {})
    assert log.reason is not None
    assert reason in log.reason


def test_unknown_events_and_strange_elements() -> None:
    decoder = EventDecoder(SIGNATURES)
    unknown = as_json((POOL, [b"\0" * 32], b"\1\2"))
    batch = decoder.decode_json(json.dumps([as_json(GOOD), unknown, None, [], as_json(GOOD)]).encode())
    assert [log.kind for log in batch] == ["decoded", "unknown", "malformed", "malformed", "decoded"]
    assert batch.counts() == {"decoded": 2, "unknown": 1, "malformed": 2}
    assert (batch[1].data, batch[1].reason, batch[-1].event) == (b"\1\2", None, "Swap")
    assert batch.positions(0) == [0, 4]
    with pytest.raises(IndexError):
        batch[5]
    with pytest.raises(IndexError):
        batch.column(9, "tick")
    with pytest.raises(KeyError):
        batch.column(0, "tock")
    for text in (b"", b"{}", b"[", b"[1,", b"null", b"\xff", b"[" * 10_000):
        with pytest.raises(ValueError, match="not a JSON array of logs"):
            decoder.decode_json(text)
    assert len(decoder.decode_json(b"[]")) == 0


def test_the_two_transfers_differ_in_their_topics() -> None:
    transfer = keccak(text="Transfer(address,address,uint256)")
    account, amount = b"\0" * 12 + b"\1" * 20, (7).to_bytes(32)
    batch = EventDecoder(SIGNATURES).decode(
        [(POOL, [transfer, account, account], amount), (POOL, [transfer, account, account, amount], b"")]
    )
    assert [
        (log.signature_index, log.arguments.get("value"), log.arguments.get("tokenId")) for log in batch
    ] == [
        (1, 7, None),
        (2, None, 7),
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_mutated_json_never_fails_otherwise(flips: list[tuple[int, int]]) -> None:
    text = bytearray(json.dumps([as_json(GOOD), as_json(GOOD)]).encode())
    for at, value in flips:
        text[at % len(text)] = value
    try:
        batch = EventDecoder(SIGNATURES).decode_json(bytes(text))
    except ValueError:
        return
    assert sum(batch.counts().values()) == len(batch)
    for log in batch:
        assert log.kind in ("decoded", "unknown", "malformed")
        assert isinstance(log.arguments, dict)


@given(st.binary(max_size=300), st.text(max_size=20))
def test_hashes_and_checksums_equal_eth_utils(data: bytes, text: str) -> None:
    assert keccak256(data) == keccak(data)
    address = "0x" + keccak(data)[:20].hex()
    assert checksum_address(address) == to_checksum_address(address)
    assert is_checksum_valid(checksum_address(address))
    assert is_checksum_valid(address) == is_checksum_address(address)
    assert not is_checksum_valid(text)
    with pytest.raises(ValueError, match="40 hexadecimal digits"):
        checksum_address(text)


@pytest.mark.parametrize(
    ("types", "values"),
    [
        ("uint8", [256]),
        ("uint8", [-1]),
        ("uint256", [True]),
        ("uint256", [1.0]),
        ("int8", [128]),
        ("int8", [-129]),
        ("bool", [1]),
        ("address", ["0x00"]),
        ("address", ["0xAb" + "ab" * 19]),
        ("bytes4", [b"123"]),
        ("bytes", ["0x00"]),
        ("string", [b"text"]),
        ("uint8[2]", [[1]]),
        ("uint8[]", ["12"]),
        ("(uint8,bool)", [(1,)]),
        ("uint8,uint8", [1]),
        ("uint257", [1]),
        ("uint256[0]", [[]]),
    ],
)
def test_values_that_do_not_fit_are_refused(types: str, values: list[object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        encode(types, values)


@pytest.mark.parametrize(
    "signature",
    ["", "event", "Swap", "event A(uint257 a)", "event A(uint256) anonymous", "event A(uint8 a, uint8 a)"],
)
def test_signatures_that_cannot_be_compiled_are_refused(signature: str) -> None:
    with pytest.raises(ValueError):
        EventDecoder([signature])


def test_ambiguous_signatures_are_refused() -> None:
    with pytest.raises(ValueError, match="same topics"):
        EventDecoder([TRANSFER, TRANSFER])


def test_calls_with_named_tuples_and_results() -> None:
    named = (
        "function exactInputSingle((address tokenIn, uint24 fee) params) external returns (uint256 amountOut)"
    )
    assert selector(named) == keccak(text="exactInputSingle((address,uint24))")[:4]
    account = "0x" + "11" * 20
    data = encode_call(named, [(account, 500)])
    assert decode_call(named, data) == ((account, 500),)
    assert decode_result(named, (7).to_bytes(32)) == (7,)
    with pytest.raises(ValueError, match="selector"):
        decode_call(named, b"\0\0\0\0" + data[4:])
    with pytest.raises(ValueError, match="names no result"):
        decode_result("f()", b"")
    with pytest.raises(ValueError, match="encoding of"):
        decode_result(named, b"")
