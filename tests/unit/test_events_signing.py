"""Checkpoints, receipts and sealed texts."""

import base64
import itertools
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from sep_core.events.proof import Receipt
from sep_core.events.signing import BadCheckpoint, LogKey, PublicKey, open_note, public_key_of
from sep_core.events.vault import CannotOpen, Vault

STORE = UUID("00000000-0000-4000-8000-000000000001")
KEY = LogKey(STORE, bytes(range(32)))
ROOT = bytes(range(32, 64))


def test_a_note_says_what_c2sp_says_it_says() -> None:
    note = KEY.sign(epoch=3, size=12, root=ROOT)
    text, signature = note.split("\n\n")
    assert text.split("\n") == [f"sep/{STORE}", "12", base64.b64encode(ROOT).decode(), "epoch 3"]
    dash, name, encoded = signature.rstrip("\n").split(" ")
    raw = base64.b64decode(encoded)
    assert (dash, name, raw[:4]) == ("\u2014", f"sep/{STORE}", KEY.public.key_id)
    SigningKey(bytes(range(32))).verify_key.verify((text + "\n").encode(), raw[4:])
    checkpoint = open_note(note, KEY.public)
    assert (checkpoint.store_id, checkpoint.epoch, checkpoint.pos, checkpoint.root) == (STORE, 3, 12, ROOT)
    assert checkpoint.note == note
    assert checkpoint.signature == signature.rstrip("\n")


@given(
    st.integers(0, 2**53),
    st.integers(0, 2**53),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
)
def test_every_note_opens_with_its_key_alone(epoch: int, size: int, root: bytes, seed: bytes) -> None:
    key = LogKey(STORE, seed)
    note = key.sign(epoch=epoch, size=size, root=root)
    assert open_note(note, key.public).root == root
    assert PublicKey.parse(key.public.text()) == key.public == public_key_of(STORE, seed)
    text, line = note.split("\n\n")
    signature = SigningKey(seed).sign((text + "\n").encode()).signature
    assert base64.b64decode(line.split(" ")[2])[4:] == signature
    if seed != bytes(range(32)):
        with pytest.raises(BadCheckpoint):
            open_note(note, KEY.public)


def test_signatures_of_witnesses_are_passed_over() -> None:
    note = KEY.sign(epoch=1, size=2, root=ROOT)
    line = "\u2014 witness.example/w1 " + base64.b64encode(bytes(68)).decode()
    assert open_note(note + line + "\n", KEY.public).pos == 2
    text, own = note.split("\n\n")
    assert open_note(f"{text}\n\n{line}\n{own}", KEY.public).pos == 2
    with pytest.raises(BadCheckpoint):
        open_note(f"{text}\n\n{line}\n", KEY.public)


def test_any_changed_character_is_found() -> None:
    note = KEY.sign(epoch=1, size=27, root=ROOT)
    for place, other in itertools.product(range(len(note)), "0\nA "):
        changed = note[:place] + other + note[place + 1 :]
        if changed in (note, note.rstrip("\n") + other):
            continue
        try:
            opened = open_note(changed, KEY.public)
        except BadCheckpoint:
            continue
        # Base64 has a few spellings of the same bytes at its end; what was signed may never differ.
        assert (opened.epoch, opened.pos, opened.root, opened.store_id) == (1, 27, ROOT, STORE)
        assert place > note.index("\n\n")


@pytest.mark.parametrize(
    "text", ["", "x", "a+b", "a+00000000+AAAA", KEY.public.text()[:-4], KEY.public.text() + "AAAA"]
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(BadCheckpoint):
        PublicKey.parse(text)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format":"sep-receipt-1"}', "null", "[" * 100_000])
def test_what_is_no_receipt_is_refused(text: str) -> None:
    with pytest.raises(BadCheckpoint):
        Receipt.from_json(text)


def test_a_receipt_comes_back_from_its_text() -> None:
    receipt = Receipt(b"{}", 3, (bytes(32), bytes(range(32))), "note", "verifier")
    assert Receipt.from_json(receipt.to_json()) == receipt


@given(st.binary(max_size=300))
def test_a_vault_opens_what_it_sealed_and_nothing_else(plain: bytes) -> None:
    vault = Vault(bytes(range(32)))
    sealed = vault.seal(plain)
    assert vault.open(sealed) == plain
    assert vault.seal(plain) != sealed
    assert plain not in sealed.encode() or len(plain) < 3
    raw = bytearray(base64.b64decode(sealed.partition(":")[2]))
    raw[len(raw) // 2] ^= 1
    for text in (
        sealed[:-8],
        "sealed1:" + base64.b64encode(bytes(raw)).decode(),
        sealed.upper(),
        "",
        uuid4().hex,
    ):
        with pytest.raises(CannotOpen):
            vault.open(text)
    with pytest.raises(CannotOpen):
        Vault(bytes(32)).open(sealed)
