"""What a log folds to: the running state, in every process, and from the command line."""

import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from sep_core.adapters.store_sqlite import open_store
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.desk import fold
from sep_core.runtime.state_digest import state_digest

from ..harness.bench import DATA, acquire, dispose, new_chain
from ..harness.run import engine, submit_all
from ..harness.scenario import Scenario
from .api_engine import intent
from .command import refused, running, sep


@pytest.mark.anyio
async def test_the_running_state_is_what_its_log_folds_to(tmp_path: Path) -> None:
    """Also after an intent that was refused, and one that was taken over by the next engine."""
    chain = new_chain(tmp_path)
    wishes = (acquire("a purchase", 10**16), dispose("a sale", 10**16), acquire("too much", 10**23))
    scenario = Scenario("replayed", wishes)
    scenario.prepare(chain)
    digests: dict[int, str] = {}
    for more in ((), (dispose("another sale", 10**15),)):
        async with engine(scenario, tmp_path, chain) as kernel:
            views = await submit_all(kernel, more or wishes)
            assert {view.status for view in views} <= {"SETTLED", "REJECTED"}
            digests[kernel.world.position] = state_digest(kernel.world)
    store = open_store(tmp_path / DATA, writable=False, clock=SystemClock(), ids=uuid4)
    try:
        for position, digest in digests.items():
            assert state_digest(await fold(store, as_of=position)) == digest
    finally:
        await store.close()
    assert len(set(digests.values())) == len(digests)


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which an engine has worked and stopped."""
    folder = tmp_path_factory.mktemp("worked")
    assert sep("init", ".", cwd=folder).code == 0
    with running(["run"], folder, "ready") as engine:
        assert engine.stop() == 0
    return folder


def test_every_process_finds_the_same_digest(worked: Path) -> None:
    said = {sep("replay", cwd=worked, environ={"PYTHONHASHSEED": str(seed)}).out for seed in (1, 2, 3)}
    assert len(said) == 1
    told = sep("replay", "--every", "2", "--json", cwd=worked).json
    assert told["digests"][-1] == {"position": told["position"], "digest": told["digest"]}
    assert len({one["digest"] for one in told["digests"]}) == len(told["digests"]) > 1
    (early, *_) = told["digests"]
    past = sep("replay", "--as-of", str(early["position"]), "--json", cwd=worked).json
    assert past["digest"] == early["digest"]


def test_a_digest_that_is_expected_is_met_or_not(worked: Path) -> None:
    found = sep("replay", "--json", cwd=worked).json["digest"]
    assert sep("replay", "--expect", found.upper(), cwd=worked).code == 0
    other = sep("replay", "--expect", "0" * 64, cwd=worked)
    assert (other.code, "DIFFERS" in other.out, found in other.out) == (1, True, True)
    assert sep("replay", "--expect", "0" * 64, "--json", cwd=worked).json["ok"] is False


def test_what_cannot_be_replayed_is_refused(worked: Path, tmp_path: Path) -> None:
    refused(sep("replay", "--expect", "f00", cwd=worked), 2, "f00", "no digest")
    refused(sep("replay", "--every", "0", cwd=worked), 2, "--every")
    refused(sep("replay", "--as-of", "99999", cwd=worked), 1, "99999", "outside the log")
    refused(sep("replay", "--as-of", "yesterday", cwd=worked), 2, "yesterday")
    assert sep("init", ".", cwd=tmp_path).code == 0
    refused(sep("replay", cwd=tmp_path), 6, "holds no log")


AUTHOR = "ce91fa64-d3be-4c24-bff9-bc76d38033c5"


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two intents settled and a large one was refused by a risk rule."""
    folder = tmp_path_factory.mktemp("traded")
    assert sep("init", ".", cwd=folder).code == 0
    text = (folder / "sep.toml").read_text()
    (folder / "sep.toml").write_text(
        text.replace('"50000000000"', '"8000000000"').replace(text.split('id = "')[1].split('"')[0], AUTHOR)
    )
    with running(["serve", "--port", "0"], folder, "ready") as engine:
        for number, (amount, code) in enumerate(((1, 0), (2, 0), (3, 1))):
            body = intent(strategy_id=AUTHOR, id=str(UUID(int=number)), type="DISPOSE")
            body["assets"][0]["amount"] = str(amount * 10**18)
            said = {"max_slippage": "0.05", "time_window_ms": 60_000, "execution_style": "IMMEDIATE"}
            body["constraints"] = said
            (folder / f"{number}.json").write_text(json.dumps(body))
            told = sep("submit", f"{number}.json", "--wait", "20", cwd=folder)
            assert told.code == code, told
        assert engine.stop() == 0
    return folder


def again(folder: Path, *changes: tuple[str, str]) -> tuple[int, list[tuple[str, str, str]]]:
    """What a changed configuration decides otherwise: about what, what was decided, what would be."""
    text = (folder / "sep.toml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "other.toml").write_text(text)
    told = sep("replay", "--with", "other.toml", "--json", cwd=folder)
    found = [(one["about"], one["recorded"], one["now"]) for one in told.json["differences"]]
    assert told.json["ok"] is (told.code == 0) is (not found)
    return told.json["decisions"], found


def test_decisions_are_taken_again_by_another_configuration(traded: Path) -> None:
    decisions, same = again(traded)
    assert (decisions >= 6, same) == (True, [])
    tighter = again(traded, ('"8000000000"', '"4000000000"'))
    assert tighter == (decisions, [("risk", "approved", "notional_exceeded")])
    wider = again(traded, ('"8000000000"', '"50000000000"'))
    assert wider == (decisions, [("risk", "notional_exceeded", "approved")])
    bounds = "[intents.bounds.DISPOSE]\nmax_slippage = [0.001, 0.02]\n\n[risk.limits]"
    strict = again(traded, ("[risk.limits]", bounds))
    assert strict == (decisions, [("intake", "taken", "constraint_out_of_bounds")] * 3)
    gone = again(
        traded, (AUTHOR, "00000000-0000-0000-0000-00000000000f"), ("[strategies.mine]", "[strategies.other]")
    )
    assert {one[2] for one in gone[1]} == {"unknown_strategy"}
    told = sep("replay", "--with", "other.toml", cwd=traded)
    assert (told.code, "decisions, 3 of them would be others" in told.out) == (1, True), told
    refused(sep("replay", "--with", "other.toml", "--every", "3", cwd=traded), 2, "--with")
    refused(sep("replay", "--with", "nowhere.toml", cwd=traded), 2, "nowhere.toml")
    text = (traded / "sep.toml").read_text()
    (traded / "other.toml").write_text(text.replace('numeraire = "USDC"', 'numeraire = "DAI"'))
    refused(sep("replay", "--with", "other.toml", cwd=traded), 3, "the log's prices are in")
    (traded / "other.toml").write_text(text.replace('numeraire = "USDC"', 'numeraire = "GOLD"'))
    refused(sep("replay", "--with", "other.toml", cwd=traded), 3, "GOLD")
