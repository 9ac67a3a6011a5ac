"""Every fact, in every schema version that was ever written, stays readable: a body of each is kept for ever."""

import json
from typing import Any

import pytest

from sep_core.events.codec import encode
from sep_core.events.registry import UnknownFact, decode_fact, encode_fact, known_facts, older_facts

from ..harness.fact_samples import FOLDER, file_of

KNOWN = [(name, version) for name, version, _ in known_facts()]


def kept(name: str, version: int) -> Any:
    """The body that is kept of a fact."""
    file = file_of(name, version)
    assert file.is_file(), f"keep one: python -m tests.harness.fact_samples writes {file.name}"
    return json.loads(file.read_text())


@pytest.mark.parametrize(("name", "version"), KNOWN)
def test_what_is_written_is_what_was_written(name: str, version: int) -> None:
    """A field that came, went or changed needs a new version, and a way to read the one before."""
    body = kept(name, version)
    assert encode_fact(decode_fact(name, version, encode(body))) == body


@pytest.mark.parametrize(("name", "version"), older_facts())
def test_what_earlier_releases_wrote_means_what_it_meant(name: str, version: int) -> None:
    """The file of an old version holds its body, and what it is read as."""
    body = kept(name, version)
    assert encode_fact(decode_fact(name, version, encode(body["written"]))) == body["read"]


def test_nothing_else_is_kept() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {
        file_of(*one).name for one in [*KNOWN, *older_facts()]
    }


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{}", b'{"reason":1}', b'{"reason":"\xff"}'])
def test_a_body_that_no_release_wrote_is_refused_by_name(body: bytes) -> None:
    """Never taken for something else."""
    with pytest.raises(UnknownFact, match="PlanWithdrawn v1 whose body this release cannot read") as caught:
        decode_fact("PlanWithdrawn", 1, body)
    assert caught.value.next_step


@pytest.mark.parametrize("name", [name for name, version in older_facts() if version == 1])
def test_an_older_body_that_no_release_wrote_is_refused_by_name(name: str) -> None:
    """Before it is brought up to date, and while it is."""
    for body in (b"", b"[]", b'"x"'):
        with pytest.raises(UnknownFact, match=f"{name} v1 whose body this release cannot read"):
            decode_fact(name, 1, body)
