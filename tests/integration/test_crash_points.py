"""An engine that dies at any crash point of its path loses nothing and doubles nothing: every place, exhaustively.

Deaths that leave the same files and the same chain are one case; each case is recovered and judged by the chain's own
blocks. `SEP_HARNESS_DEATHS` makes every scenario die that often, recoveries included.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ..harness.crossings import ROOT, read_sources
from ..harness.scenario import SCENARIOS

LIMIT_SECONDS = 240
DEATHS = {"plain": 2}
SHARDS = (
    ("plain", "paper", "halted", "sliced", "sliced-cancelled", "adapted", "rebalanced"),
    ("reorganised", "doubted", "expired", "moved", "reverted", "cancelled", "stuck", "several"),
)

NOT_PASSED = {
    "planning.widen": "the simulated venue loads all ticks at once",
    "planning.part": "no amount here is more than the markets take at once",
    "planning.head_again": "no simulation disagrees where the pools are the chain's own",
    "execution.withdraw.partly": "the signer's policy refuses none of these steps",
    "execution.withdraw.too_long": "planning makes no plan of more transactions than may wait",
    "execution.watch.witnesses": "nobody else uses the account",
    "execution.recover.nonce": "the signer signs for one log alone",
    "execution.prepare.balances": "paper trades what the chain knows",
    "execution.send.head": "a worker that sends has seen the chain before",
    **dict.fromkeys(
        (
            "execution.publish.record",
            "execution.send.relay",
            "execution.send.relay_gone",
            "execution.send.withdraw",
            "execution.watch.waiting",
        ),
        "the chain has no relay here; unit/test_execution_private dies at each of them",
    ),
}


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[str, Any]]:
    """What each scenario's exploration found; as many at a time as there are shards."""
    place = tmp_path_factory.mktemp("explored")
    found: dict[str, dict[str, Any]] = {}
    shards = [Thread(target=_explore, args=(names, place, found)) for names in SHARDS]
    for one in shards:
        one.start()
    for one in shards:
        one.join()
    return found


def _explore(names: tuple[str, ...], place: Path, found: dict[str, dict[str, Any]]) -> None:
    for name in names:
        deaths = os.environ.get("SEP_HARNESS_DEATHS", str(DEATHS.get(name, 1)))
        done = subprocess.run(
            [sys.executable, "-m", "tests.harness.explore", name, str(place / name), deaths],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=None if "SEP_HARNESS_DEATHS" in os.environ else LIMIT_SECONDS,
            check=False,
        )
        result = place / name / "found.json"
        found[name] = (
            json.loads(result.read_text()) if result.is_file() else {"broken": [done.stderr[-3000:]]}
        )


def test_every_scenario_is_in_a_shard() -> None:
    assert sorted(name for shard in SHARDS for name in shard) == sorted(SCENARIOS)


@pytest.mark.says
@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_no_death_loses_or_doubles_anything(explored: Mapping[str, dict[str, Any]], name: str) -> None:
    found = explored[name]
    assert not found["broken"], f"{len(found['broken'])} broken\n" + "\n".join(found["broken"][:5])
    print(
        f"{name}: {found['places']} places at {len(found['points'])} crash points;"
        f" {found['recovered']} surviving states {found['states_by_deaths']} recovered,"
        f" intents ended {found['ended']}, 0 lost, 0 doubled, {found['seconds']} s"
    )
    assert found["places"] > 80
    assert found["recovered"] >= 8


def test_the_scenarios_pass_every_crash_point_of_the_path(explored: Mapping[str, dict[str, Any]]) -> None:
    passed = {
        point
        for found in explored.values()
        for point in (*found.get("points", ()), *found.get("recovery_points", ()))
    }
    for name in read_sources().names:
        if name in NOT_PASSED:
            continue
        prefix = name.removesuffix("*")
        for side in ("before", "after"):
            assert any(point.startswith(prefix) and point.endswith(f".{side}") for point in passed), (
                f"no scenario passes {name}.{side}: add one, or say why not"
            )
