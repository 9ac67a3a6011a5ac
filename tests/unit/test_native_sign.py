"""Key files and signatures against eth_account."""

import json
import os
import pickle
from pathlib import Path

import pytest
from eth_account import Account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sep_hooks.errors import Permanent, SignerRefused
from sep_native.sign import Keystore, Transaction1559, recover_transaction

KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Keystore:
    return Keystore.import_key(tmp_path_factory.mktemp("keys") / "known.json", KEY, b"pw", scrypt_log_n=2)


def test_a_new_file_is_private_and_opens_with_eth_account(tmp_path: Path) -> None:
    path = tmp_path / "main.json"
    made = Keystore.create(str(path), b"correct horse", scrypt_log_n=4)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["main.json"]
    key = Account.decrypt(json.loads(path.read_text()), b"correct horse")
    assert Account.from_key(key).address == made.address == Keystore.open(path, b"correct horse").address


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_a_file_of_eth_account_opens(tmp_path: Path, kdf: str) -> None:
    path = tmp_path / "main.json"
    path.touch(0o600)
    path.write_text(
        json.dumps(Account.encrypt(KEY, "pw", kdf=kdf, iterations=4 if kdf == "scrypt" else 1000))
    )
    assert Keystore.open(path, b"pw").address == ADDRESS


def test_refusals_name_the_file_and_the_next_step(tmp_path: Path) -> None:
    path = tmp_path / "main.json"
    Keystore.import_key(path, KEY, b"pw", scrypt_log_n=2)
    with pytest.raises(SignerRefused, match="exists already"):
        Keystore.create(path, b"pw", scrypt_log_n=2)
    with pytest.raises(SignerRefused, match="password does not open"):
        Keystore.open(path, b"wrong")
    os.chmod(path, 0o644)
    with pytest.raises(SignerRefused, match=r"open to others \(mode 0644\).*-> chmod 600 /"):
        Keystore.open(path, b"pw")
    with pytest.raises(SignerRefused, match="absent"):
        Keystore.open(tmp_path / "absent.json", b"pw")
    with pytest.raises(SignerRefused, match="32 bytes"):
        Keystore.import_key(tmp_path / "other.json", b"\x00" * 32, b"pw", scrypt_log_n=2)


def test_the_key_does_not_leak(keystore: Keystore) -> None:
    assert KEY.hex()[:8] not in repr(keystore)
    with pytest.raises(TypeError):
        pickle.dumps(keystore)


@given(
    nonce=st.integers(0, 2**64 - 2),
    to=st.binary(min_size=20, max_size=20),
    value=st.integers(0, 2**256 - 1),
    data=st.binary(max_size=300),
    gas=st.integers(0, 2**64 - 1),
    fees=st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1)),
    chain_id=st.integers(1, 2**53),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_signatures_equal_those_of_eth_account(
    keystore: Keystore,
    nonce: int,
    to: bytes,
    value: int,
    data: bytes,
    gas: int,
    fees: tuple[int, int],
    chain_id: int,
) -> None:
    transaction = Transaction1559(chain_id, nonce, "0x" + to.hex(), value, data, gas, max(fees), min(fees))
    signed = keystore.sign_transaction(transaction)
    oracle = Account.sign_transaction(
        {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonce,
            "to": to,
            "value": value,
            "data": data,
            "gas": gas,
            "maxFeePerGas": max(fees),
            "maxPriorityFeePerGas": min(fees),
        },
        KEY,
    )
    assert signed.raw == bytes(oracle.raw_transaction)
    assert signed.hash == bytes(oracle.hash)
    read = recover_transaction(signed.raw)
    assert (read.sender, read.hash, read.transaction) == (ADDRESS, signed.hash, transaction)
    assert pickle.loads(pickle.dumps(transaction)) == transaction
    assert (transaction.value, transaction.data, transaction.nonce) == (value, data, nonce)


def test_nonsense_is_refused(keystore: Keystore) -> None:
    fields = (1, 0, ADDRESS, 0, b"", 21000, 10, 1)
    raw = keystore.sign_transaction(Transaction1559(*fields)).raw
    for bad in [b"", b"\x02", raw + b"\x00", raw[:-1], b"\x01" + raw[1:], b"\x00" * 200_000]:
        with pytest.raises(Permanent):
            recover_transaction(bad)
    with pytest.raises(SignerRefused, match="above max_fee"):
        keystore.sign_transaction(Transaction1559(1, 0, ADDRESS, 0, b"", 21000, 1, 10))
    with pytest.raises(ValueError, match="checksum"):
        Transaction1559(1, 0, ADDRESS.replace("Fd6", "fd6"), 0, b"", 21000, 10, 1)
    for value in (-1, 2**256):
        with pytest.raises(ValueError, match="value"):
            Transaction1559(1, 0, ADDRESS, value, b"", 21000, 10, 1)
