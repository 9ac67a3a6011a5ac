"""What a log folds to: the running state, in every process, and from the command line."""

from pathlib import Path
from uuid import uuid4

import pytest

from sep_core.adapters.store_sqlite import open_store
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.desk import fold
from sep_core.runtime.state_digest import state_digest

from ..harness.bench import DATA, acquire, dispose, new_chain
from ..harness.run import engine, submit_all
from ..harness.scenario import Scenario
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
