"""What is known of Ethereum's networks; dated data, as of autumn 2026."""

import re
from ipaddress import ip_address

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


_ENDPOINT = re.compile(
    r"https?://"
    r"(?:[^/?#@\\\s]*@)?"
    r"(?P<host>\[[0-9a-f:.]+\]|[^/?#@:\\\s\[\]]+)"
    r"(?::[0-9]{1,5})?"
    r"(?:[/?#]\S*)?",
    re.IGNORECASE,
)


def host_of(endpoint: str) -> str | None:
    """The host of an HTTP endpoint; None where the text is none."""
    match = _ENDPOINT.fullmatch(endpoint)
    return match["host"].strip("[]").lower() if match else None


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint lies on this machine."""
    host = host_of(endpoint)
    if host is None or host == "localhost":
        return host is not None
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
