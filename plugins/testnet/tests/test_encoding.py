"""Calls are encoded as the contracts expect them."""

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st
from sep_testnet.encoding import checksum_address, decode_result, encode_arguments, encode_call, selector


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("transfer(address,uint256)", "a9059cbb"),
        ("deposit()", "d0e30db0"),
        ("exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))", "04e45aaf"),
        ("multicall(uint256,bytes[])", "5ae401dc"),
    ],
)
def test_selectors_are_the_known_ones(signature: str, expected: str) -> None:
    assert selector(signature).hex() == expected


@given(st.binary(min_size=32, max_size=32).filter(lambda key: 0 < int.from_bytes(key) < 2**255))
def test_checksums_equal_those_of_eth_account(key: bytes) -> None:
    address = Account.from_key(key).address
    assert checksum_address(address.lower()) == address
    assert checksum_address(bytes.fromhex(address[2:])) == address


@given(
    st.integers(0, 2**256 - 1), st.lists(st.integers(-(2**23), 2**23 - 1), max_size=4), st.binary(max_size=70)
)
def test_arguments_come_back(number: int, ticks: list[int], data: bytes) -> None:
    call = encode_call("f(uint256,(int24[],bytes))", number, (ticks, data))
    assert decode_result(("uint256", "(int24[],bytes)"), call[4:]) == (number, (tuple(ticks), data))
    assert encode_arguments(("uint256", "(int24[],bytes)"), (number, (ticks, data))) == call[4:]
