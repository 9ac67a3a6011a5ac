"""Whether logs are all that a block's header commits to."""

from collections.abc import Callable, Iterable

from sep_hooks.types import ChainLog

BLOOM_BYTES = 256


def bloom_of(logs: Iterable[ChainLog], keccak256: Callable[[bytes], bytes]) -> bytes:
    """The bloom filter of 2048 bits over the addresses and topics of logs."""
    members: set[bytes] = set()
    for log in logs:
        members.add(bytes.fromhex(log.address[2:]))
        members.update(log.topics)
    bits = 0
    for member in members:
        digest = keccak256(member)
        for start in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[start : start + 2]) & 2047)
    return bits.to_bytes(BLOOM_BYTES)
