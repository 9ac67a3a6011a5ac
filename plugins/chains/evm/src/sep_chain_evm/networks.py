"""What is known of Ethereum's networks; dated data, as of autumn 2026."""

from ipaddress import ip_address
from urllib.parse import urlsplit

MAINNET = 1
BLOCK_TIME_SECONDS = 12.0
TRANSACTION_GAS_LIMIT = 2**24
"""EIP-7825."""
MINIMUM_TIP = 1_000_000
"""Wei per gas; the least that a default block builder of geth takes."""

TEST_CHAINS = frozenset({11155111, 560048, 17000, 1337, 31337})
"""Sepolia, Hoodi, Holesky, and what local nodes call themselves."""

WRAPPED_NATIVE = {
    MAINNET: "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
    11155111: "0xfff9976782d46cc05630d1f6ebab18b2324d6b14",
}


def is_loopback(url: str) -> bool:
    """Whether an endpoint lies on this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
