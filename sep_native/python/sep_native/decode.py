"""Event logs and calls: signatures become decoders, hostile bytes become rows of their own.

Numbers are `int`, addresses lower-case text, `bytes` and `bytesN` are `bytes`, arrays and tuples are `tuple`.
Event data must be exactly the canonical encoding; calls and results may be followed by more bytes.
"""

from sep_native._native import (
    DecodedLog,
    EventDecoder,
    LogBatch,
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

type AbiValue = int | bool | str | bytes | tuple[AbiValue, ...]

__all__ = [
    "AbiValue",
    "DecodedLog",
    "EventDecoder",
    "LogBatch",
    "checksum_address",
    "decode",
    "decode_call",
    "decode_result",
    "encode",
    "encode_call",
    "is_checksum_valid",
    "keccak256",
    "selector",
]
