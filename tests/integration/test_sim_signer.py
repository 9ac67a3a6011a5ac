"""The key-file signer: one payload for each nonce, remembered before it is returned, under a policy of its own."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import apsw
import pytest
from pydantic import SecretStr
from sep_hooks.context import SignerContext
from sep_hooks.errors import SignerRefused
from sep_hooks.signer import SignRequest
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.types import Address, Amount, IntentId, Transaction
from sep_native.sign import Keystore, recover_transaction

from sep_core.adapters import signer_keystore
from sep_core.adapters.signer_keystore import KeystoreConfig, KeystoreSigner

pytestmark = pytest.mark.anyio

KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
OWNER = Address("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")
TOKEN = Address("0x" + "11" * 20)
SWAP = bytes.fromhex("12345678") + b"\x00" * 64


def request(nonce: int = 0, **changes: object) -> SignRequest:
    transaction = Transaction(
        chain_id=31337,
        nonce=nonce,
        to=TOKEN,
        value=Amount(0),
        data=SWAP,
        gas_limit=200_000,
        max_fee_per_gas=10**10,
        max_priority_fee_per_gas=10**9,
    )
    changed = replace(transaction, **changes)  # type: ignore[arg-type]
    return SignRequest(IntentId(UUID(int=1)), "1", 1, "digest", changed, UUID(int=7))


def signer(folder: Path, **changes: object) -> KeystoreSigner:
    fields = {"path": folder / "main.json", "password": SecretStr("pw"), "chains": (31337,)}
    config = KeystoreConfig.model_validate({**fields, **changes})
    return KeystoreSigner(config, SignerContext("keystore", FakeClock(), FakeLog(), 31337))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Keystore.import_key(tmp_path / "main.json", KEY, b"pw", scrypt_log_n=2)
    return tmp_path


@pytest.fixture
async def opened(folder: Path) -> AsyncIterator[KeystoreSigner]:
    one = signer(folder)
    assert await one.open() == OWNER
    yield one
    await one.close()


async def test_the_same_request_has_the_same_bytes_over_restarts(
    opened: KeystoreSigner, folder: Path
) -> None:
    first = await opened.sign(request())
    assert recover_transaction(first.raw).sender.lower() == OWNER
    assert await opened.sign(request()) == first
    assert (folder / "main.json.signed").stat().st_mode & 0o777 == 0o600
    await opened.sign(request(2))
    other = signer(folder)
    await other.open()
    assert await other.sign(request()) == first
    entries = await other.list_signed()
    assert [entry.request for entry in entries] == [request(), request(2)]
    assert entries[0].signed == first
    await other.close()


async def test_a_memory_that_another_engine_holds_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an engine leaves it that is paused amid a commit."""
    monkeypatch.setattr(signer_keystore, "_BUSY_TIMEOUT_MS", 10)
    holder = apsw.Connection(str(folder / "main.json.signed"))
    (folder / "main.json.signed").chmod(0o600)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SignerRefused, match="held by another engine, which may be paused") as refused:
        await signer(folder).open()
    assert refused.value.next_step == "let that engine go on, or end it; then start again"
    holder.close()


@pytest.mark.parametrize(
    "changed",
    [
        replace(request(), step_id="2"),
        replace(request(), intent_id=IntentId(UUID(int=2))),
        request(data=SWAP + b"\x01"),
        request(max_fee_per_gas=2 * 10**10),
    ],
)
async def test_a_nonce_belongs_to_one_payload(opened: KeystoreSigner, changed: SignRequest) -> None:
    await opened.sign(request())
    with pytest.raises(SignerRefused, match="belongs to step 1"):
        await opened.sign(changed)
    assert len(await opened.list_signed()) == 1


async def test_an_older_epoch_is_refused_and_a_newer_one_repeats(opened: KeystoreSigner) -> None:
    first = await opened.sign(replace(request(), epoch=5))
    with pytest.raises(SignerRefused, match="epoch 4 is older than 5"):
        await opened.sign(replace(request(1), epoch=4))
    assert await opened.sign(replace(request(), epoch=6)) == first
    with pytest.raises(SignerRefused, match="older than 6"):
        await opened.sign(replace(request(), epoch=5))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"chain_id": 1}, "not in chains"),
        ({"value": 1}, "carries 1 wei"),
        ({"gas_limit": 10**9, "max_fee_per_gas": 10**10}, "max_gas_cost"),
        ({"data": b""}, "only move money"),
        ({"data": bytes.fromhex("a9059cbb") + b"\x00" * 64}, "token transfer"),
        ({"data": bytes.fromhex("095ea7b3") + b"\x00" * 32 + b"\xff" * 32}, "approval without limit"),
    ],
)
async def test_the_policy(opened: KeystoreSigner, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(SignerRefused, match=reason):
        await opened.sign(request(**changes))
    assert await opened.list_signed() == []


async def test_contracts_are_an_allow_list_and_a_cancel_is_free(folder: Path) -> None:
    one = signer(folder, contracts=("0x" + "22" * 20,), max_value="5")
    await one.open()
    with pytest.raises(SignerRefused, match="not in contracts"):
        await one.sign(request())
    await one.sign(request(to=Address("0x" + "22" * 20), value=5))
    await one.sign(request(1, to=OWNER, data=b""))
    await one.close()


async def test_what_cannot_be_remembered_is_not_signed(opened: KeystoreSigner, folder: Path) -> None:
    await opened.close()
    with pytest.raises(SignerRefused, match="not open"):
        await opened.sign(request())
    (folder / "main.json.signed").chmod(0o644)
    with pytest.raises(SignerRefused, match="open to others"):
        await signer(folder).open()
    (folder / "main.json.signed").chmod(0o600)
    (folder / "main.json.signed").write_bytes(
        b"not a database at all, but long enough to be read as one" * 40
    )
    with pytest.raises(SignerRefused, match="cannot be used"):
        await signer(folder).open()


async def test_the_password_is_no_part_of_any_text(folder: Path) -> None:
    one = signer(folder, password=SecretStr("swordfish"))
    with pytest.raises(SignerRefused) as caught:
        await one.open()
    assert "swordfish" not in str(caught.value) + repr(one.config)


CHILD = """
import asyncio, importlib.util, pathlib, sys

spec = importlib.util.spec_from_file_location("signer_suite", sys.argv[1])
suite = importlib.util.module_from_spec(spec)
spec.loader.exec_module(suite)


async def run():
    one = suite.signer(pathlib.Path(sys.argv[2]))
    await one.open()
    for nonce in range(10**6):
        signed = await one.sign(suite.request(nonce))
        print(nonce, signed.hash, flush=True)


asyncio.run(run())
"""


async def test_a_kill_at_any_moment_loses_no_returned_signature(folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, __file__, str(folder), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    first = await asyncio.wait_for(process.stdout.readuntil(b"3 0x"), 30)
    process.kill()
    rest, _ = await process.communicate()
    lines = (first + rest).decode().splitlines(keepends=True)
    returned = dict(line.split() for line in lines if line.endswith("\n"))
    one = signer(folder)
    await one.open()
    remembered = {
        str(entry.request.transaction.nonce): entry.signed.hash for entry in await one.list_signed()
    }
    assert returned.items() <= remembered.items()
    assert 3 <= len(returned) <= len(remembered) <= len(returned) + 2
    assert sorted(map(int, remembered)) == list(range(len(remembered)))
    await one.close()


async def test_each_log_has_epochs_of_its_own_and_no_nonce_of_another(opened: KeystoreSigner) -> None:
    await opened.sign(replace(request(), epoch=5))
    other = UUID(int=8)
    with pytest.raises(SignerRefused, match=r"belongs to step 1 .* of another log"):
        await opened.sign(replace(request(), store_id=other))
    await opened.sign(replace(request(1), epoch=1, store_id=other))
    assert [one.request.store_id for one in await opened.list_signed()] == [UUID(int=7), other]


async def test_a_row_of_before_logs_were_named_is_of_no_log(folder: Path, opened: KeystoreSigner) -> None:
    await opened.sign(request())
    memory = apsw.Connection(str(folder / "main.json.signed"))
    (text,) = next(memory.execute("SELECT request FROM signed"))
    fields = json.loads(str(text))
    del fields["store_id"]
    memory.execute("UPDATE signed SET request = ?", (json.dumps(fields),))
    memory.close()
    (entry,) = await opened.list_signed()
    assert entry.request.store_id == UUID(int=0)
