"""The hash tree against its definition, and its Python face."""

import hashlib
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sep_native import log


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def defined_root(leaves: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    width = 1
    while width * 2 < len(leaves):
        width *= 2
    return node(defined_root(leaves[:width]), defined_root(leaves[width:]))


def many(count: int) -> list[bytes]:
    return [log.leaf_hash(n.to_bytes(8)) for n in range(count)]


def test_the_published_vector() -> None:
    records = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    leaves = b"".join(log.leaf_hash(bytes.fromhex(record)) for record in records)
    assert log.tree_root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert log.tree_root(b"") == log.Tree().root() == hashlib.sha256(b"").digest()


@given(record=st.binary(max_size=40_000))
@settings(max_examples=30)
def test_a_leaf_is_the_prefixed_hash(record: bytes) -> None:
    assert log.leaf_hash(record) == hashlib.sha256(b"\x00" + record).digest()


@given(count=st.integers(0, 700), cut=st.integers(0, 700))
@settings(max_examples=40)
def test_a_tree_taken_up_again_ends_at_the_defined_root(count: int, cut: int) -> None:
    leaves = many(count)
    first = log.Tree()
    first.extend(b"".join(leaves[:cut]))
    second = log.Tree(first.size, first.peaks)
    for leaf in leaves[cut:]:
        second.append(leaf)
    assert second.size == count
    assert second.root() == defined_root(leaves) == log.tree_root(b"".join(leaves))
    assert pickle.loads(pickle.dumps(second)).root() == second.root()


@given(count=st.integers(1, 1200), data=st.data())
@settings(max_examples=40)
def test_proofs_verify_and_cached_subtrees_give_the_same(count: int, data: st.DataObject) -> None:
    leaves = many(count)
    whole = b"".join(leaves)
    index = data.draw(st.integers(0, count - 1))
    proof = log.inclusion_proof(whole, index)
    root = log.tree_root(whole)
    assert log.verify_inclusion(leaves[index], index, count, proof, root)
    assert not log.verify_inclusion(log.leaf_hash(b"other"), index, count, proof, root)
    assert not log.verify_inclusion(leaves[index], index, count, [*proof, root], root)
    assert not log.verify_inclusion(leaves[index][:-1], index, count, proof, root)
    assert not log.verify_inclusion(leaves[index], index, count, [b"short", *proof[1:]], root)

    full = count // 256 * 256
    subtrees = b"".join(log.subtree_root(whole[n * 32 : (n + 256) * 32]) for n in range(0, full, 256))
    start = index // 256 * 256
    block = whole[start * 32 : (start + 256) * 32] if index < full else b""
    assert log.inclusion_proof_from_subtrees(index, subtrees, block, whole[full * 32 :]) == proof


def test_a_copy_goes_its_own_way() -> None:
    tree = log.Tree()
    tree.append(log.leaf_hash(b"a"))
    other = tree.copy()
    other.append(log.leaf_hash(b"b"))
    assert (tree.size, other.size) == (1, 2)


def test_threads_may_share_a_tree() -> None:
    tree = log.Tree()
    chunk = b"".join(many(2_000))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: tree.extend(chunk), range(8)))
    assert tree.root() == log.tree_root(chunk * 8)


@pytest.mark.parametrize(
    "call",
    [
        lambda: log.Tree(3, b"\x00" * 32),
        lambda: log.Tree(0, b"\x00"),
        lambda: log.Tree().append(b"short"),
        lambda: log.Tree().extend(b"x" * 33),
        lambda: log.tree_root(b"x"),
        lambda: log.subtree_root(b"x" * 96),
        lambda: log.inclusion_proof(b"x" * 32, 1),
        lambda: log.inclusion_proof_from_subtrees(0, b"x" * 32, b"", b""),
        lambda: log.inclusion_proof_from_subtrees(0, b"", b"", b"x" * 32 * 256),
    ],
)
def test_what_is_no_tree_is_refused(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"."):
        call()
