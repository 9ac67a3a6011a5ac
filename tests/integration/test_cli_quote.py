"""Quotes from the command line: priced routes on a file or a configuration, with proofs that anybody can check."""

import json
from pathlib import Path
from typing import Any

import pytest

from ..unit.test_snapshot_file import ETH, document
from .command import refused, running, sep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of every family and a configuration of a simulated chain."""
    place = tmp_path_factory.mktemp("quotes")
    (place / "all.json").write_text(json.dumps(document()))
    assert sep("init", ".", cwd=place).code == 0
    return place


@pytest.fixture(scope="module")
def answer(folder: Path) -> dict[str, Any]:
    """What a quote on the file of all families says."""
    said = sep(
        "quote",
        "--snapshot",
        "all.json",
        "--sell",
        "WETH",
        "--amount",
        "2",
        "--buy",
        "USDC",
        "--json",
        cwd=folder,
    )
    assert said.code == 0, said
    found: dict[str, Any] = said.json
    (folder / "answer.json").write_text(said.out)
    return found


def test_a_quote_is_proven_by_its_own_file(folder: Path, answer: dict[str, Any]) -> None:
    assert answer["legs"]
    assert sum(int(leg["amount_in"]) for leg in answer["legs"] if leg["asset_in"] == ETH) == 2 * 10**18
    said = sep("verify-plan", "answer.json", cwd=folder)
    assert said.code == 0, said
    assert "verified  2 WETH for " in said.out
    assert "bp below the best possible before gas, over " in said.out
    assert "\nunchecked " in said.out
    told = sep("verify-plan", "answer.json", "--json", cwd=folder).json
    assert told["differences"] == []
    assert f", over {told['covered']} of {answer['markets']} markets" in said.out
    assert 1 < told["covered"] <= answer["markets"]
    assert told["excluded"] == []
    assert told["not_checked"]


def test_what_a_question_excludes_is_told_with_the_proof(folder: Path) -> None:
    words = ("--sell", "WETH", "--amount", "2", "--buy", "USDC", "--exclude", "v/ticks", "--json")
    (folder / "without.json").write_text(sep(*QUOTE, *words, cwd=folder).out)
    said = sep("verify-plan", "without.json", cwd=folder)
    assert said.code == 0, said
    assert "\nwithout   v/ticks, which the question excludes" in said.out


def test_a_bare_answer_is_proven_with_the_snapshot_beside_it(folder: Path) -> None:
    words = (
        "quote",
        "--snapshot",
        "all.json",
        "--sell",
        "WETH",
        "--amount",
        "2",
        "--buy",
        "USDC",
        "--json",
        "--bare",
    )
    said = sep(*words, cwd=folder)
    assert said.json["snapshot"] is None
    (folder / "bare.json").write_text(said.out)
    assert sep("verify-plan", "bare.json", "--snapshot", "all.json", cwd=folder).code == 0
    refused(sep("verify-plan", "bare.json", cwd=folder), 1, "holds no snapshot", "--snapshot FILE")


def test_a_changed_answer_is_refused_and_the_place_named(folder: Path, answer: dict[str, Any]) -> None:
    changed = {**answer, "gas": answer["gas"] + 1}
    (folder / "changed.json").write_text(json.dumps(changed))
    said = sep("verify-plan", "changed.json", cwd=folder)
    assert said.code == 1, said
    assert f"DIFFERS  /gas: the file says {changed['gas']}, the snapshot gives {answer['gas']}" in said.out
    told = sep("verify-plan", "changed.json", "--json", cwd=folder).json
    assert "/gas" in {one["pointer"] for one in told["differences"]}
    for wrong in (
        {"single_path": {**answer["single_path"], "legs": []}},
        {"legs": [{**answer["legs"][0], "amount_out": "9" * 78}, *answer["legs"][1:]]},
        {"certificate": {**answer["certificate"], "objective": "1e999"}},
        {"left_out": [{"name": "v/ticks", "reason": "\ud800"}]},
    ):
        (folder / "changed.json").write_text(json.dumps({**answer, **wrong}))
        said = sep("verify-plan", "changed.json", cwd=folder)
        assert said.code == 1, said
        assert "next" in said.out + said.err
    (folder / "changed.json").write_text(json.dumps({**answer, "format": "sep-snapshot"}))
    refused(sep("verify-plan", "changed.json", cwd=folder), 1, "changed.json says that it is 'sep-snapshot'")


@pytest.mark.parametrize("content", ["", "[]", '{"format": NaN}', "[" * 100_000])
def test_a_file_that_is_no_json_is_refused_by_each_verb(folder: Path, content: str) -> None:
    (folder / "broken.json").write_text(content)
    refused(sep("verify-plan", "broken.json", cwd=folder), 1, "broken.json")
    words = ("quote", "--snapshot", "broken.json", "--sell", "WETH", "--amount", "1", "--buy", "USDC")
    refused(sep(*words, cwd=folder), 1, "broken.json")


QUOTE = ("quote", "--snapshot", "all.json")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--sell", "DOGE", "--amount", "1", "--buy", "USDC"), 1, "no asset 'DOGE'"),
        (("--sell", "WETH", "--amount", "1", "--buy", "weth"), 1, "the same asset"),
        (("--sell", "WETH", "--amount", "0", "--buy", "USDC"), 1, "the amount is zero"),
        (("--sell", "WETH", "--amount", "0.0000000000000000001", "--buy", "USDC"), 1, "18 decimals"),
        (("--sell", "WETH", "--amount=-1", "--buy", "USDC"), 1, "is no amount"),
        (("--sell", "WETH", "--amount", "9" * 78, "--buy", "USDC"), 1, "more than 2^256 - 1"),
        (("--sell", "WETH", "--buy", "USDC"), 2, "--amount"),
        (("--sell", "WETH", "--amount", "1", "--buy", "USDC", "--buy-amount", "1"), 2, "--buy-amount"),
        (("--sell", "WETH", "--amount", "1", "--buy", "USDC", "--max-legs", "0"), 2, "--max-legs"),
        (("--sell", "WETH", "--amount", "1", "--buy", "USDC", "--venue", "x"), 1, "venue 'x'"),
        (("--sell", "WETH", "--amount", "1", "--buy", "USDC", "--exclude", "x"), 1, "market 'x'"),
        (("--sell", "WETH", "--amount", "1", "--buy", "USDC", "--config", "sep.toml"), 2, "not both"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    folder: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    said = sep(*QUOTE, *words, cwd=folder)
    assert said.code == code, said
    assert told in said.err, said.err
    assert "next: " in said.err
    assert said.out == ""


def test_limits_are_kept_and_left_out_is_named(folder: Path) -> None:
    words = ("--sell", "WETH", "--amount", "100", "--buy", "USDC", "--json")
    free = sep(*QUOTE, *words, cwd=folder).json
    one = sep(*QUOTE, *words, "--max-legs", "1", cwd=folder).json
    assert len(one["legs"]) == 1 <= len(free["legs"])
    assert int(one["receives"][0]["amount"]) <= int(free["receives"][0]["amount"])
    without = sep(*QUOTE, *words, "--exclude", free["legs"][0]["market"], cwd=folder).json
    assert free["legs"][0]["market"] not in {leg["market"] for leg in without["legs"]}
    assert free["legs"][0]["market"] in {left["name"] for left in without["left_out"]}
    assert {"name": "v/other", "reason": "it does not answer"} in free["left_out"]


def test_a_snapshot_of_a_configuration_quotes_as_the_configuration_does(folder: Path) -> None:
    said = sep("snapshot", "--out", "sim.json", "--json", cwd=folder)
    assert said.code == 0, said
    assert said.json["markets"] > 0
    words = ("--sell", "WETH", "--amount", "0.5", "--buy", "USDC", "--json")
    offline = sep("quote", "--snapshot", "sim.json", *words, cwd=folder)
    assert offline.code == 0, offline
    direct = sep("quote", *words, cwd=folder)
    assert direct.code == 0, direct
    assert offline.json["legs"] == direct.json["legs"]
    assert offline.json["snapshot_digest"] == direct.json["snapshot_digest"] == said.json["digest"]
    (folder / "sim-answer.json").write_text(direct.out)
    assert sep("verify-plan", "sim-answer.json", cwd=folder).code == 0
    shown = sep("quote", *words[:-1], cwd=folder).out
    assert shown.startswith("on    ")
    assert "\npay   0.5 WETH\nget   " in shown
    assert "\ngap   at most " in shown


def test_a_snapshot_names_the_order_venues_that_it_leaves_out(folder: Path) -> None:
    config = folder / "sep.toml"
    table = '\n[order_venues.book]\nuse = "simulated-book"\nchain = "simulated"\n'
    (folder / "books.toml").write_text(config.read_text() + table)
    said = sep("snapshot", "--config", "books.toml", "--out", "books.json", "--json", cwd=folder)
    assert said.code == 0, said
    (left,) = [one for one in said.json["left_out"] if one["name"] == "book"]
    assert "planned apart from pools" in left["reason"]


def test_where_an_engine_works_it_is_asked(folder: Path) -> None:
    with running(["serve", "--json", "--port", "0", "--log", "engine.log"], folder, '"ready"'):
        words = (
            "quote",
            "--sell",
            "weth",
            "--amount",
            "0.5",
            "--buy",
            "USDC",
            "--max-legs",
            "2",
            "--time-ms",
            "5000",
        )
        said = sep(*words, "--json", cwd=folder)
        assert said.code == 0, said
        assert said.json["spends"][0]["amount"] == str(5 * 10**17)
        assert said.json["request"]["max_legs"] == 2
        assert said.json["request"]["time_ms"] == 2000, "an engine searches no longer"
        (folder / "engine-answer.json").write_text(said.out)
        assert sep("verify-plan", "engine-answer.json", cwd=folder).code == 0
        refused(sep("quote", "--sell", "DOGE", "--amount", "1", "--buy", "USDC", cwd=folder), 1, "'DOGE'")
        wrong = sep(
            "quote", "--sell", "WETH", "--amount", "1", "--buy", "USDC", "--venue", "none", cwd=folder
        )
        refused(wrong, 1, "no market here is of venue 'none'")
    assert sep(*words, cwd=folder).code == 0
