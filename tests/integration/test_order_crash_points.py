"""Orders of an engine that dies at any crash point: none is lost, none is sent twice, each trade is booked once.

Judged by the exchange's own record. `SEP_HARNESS_DEATHS` makes every scenario die that often, recoveries included.
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

from ..harness.crossings import ORDER_PATH, ROOT, read_sources
from ..harness.orders import ORDER_BUGS, ORDER_SCENARIOS

LIMIT_SECONDS = 300
DEATHS = {"plain": 2}
SHARDS = (("plain", "lost", "cancelled"), ("partial", "late", "resting", "expired", "paper"))
CAUGHT_IN = {"send-before-persist": "plain", "resend-before-query": "lost", "absence-at-once": "lost"}


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[str, Any]]:
    """What each scenario's exploration found; as many at a time as there are shards."""
    place = tmp_path_factory.mktemp("orders")
    found: dict[str, dict[str, Any]] = {}

    def walk(names: tuple[str, ...]) -> None:
        for name in names:
            found[name] = _explore(name, place / name, DEATHS.get(name, 1))

    shards = [Thread(target=walk, args=(names,)) for names in SHARDS]
    for one in shards:
        one.start()
    for one in shards:
        one.join()
    return found


def _explore(name: str, place: Path, deaths: int, *bug: str) -> dict[str, Any]:
    wanted = os.environ.get("SEP_HARNESS_DEATHS", str(deaths))
    done = subprocess.run(
        [sys.executable, "-m", "tests.harness.orders", name, str(place), wanted, *bug],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=None if "SEP_HARNESS_DEATHS" in os.environ else LIMIT_SECONDS,
        check=False,
    )
    result = place / "found.json"
    found: dict[str, Any] = (
        json.loads(result.read_text()) if result.is_file() else {"broken": [done.stderr[-3000:]]}
    )
    return found


def test_every_scenario_is_in_a_shard() -> None:
    assert sorted(name for shard in SHARDS for name in shard) == sorted(ORDER_SCENARIOS)


@pytest.mark.says
@pytest.mark.parametrize("name", sorted(ORDER_SCENARIOS))
def test_no_death_loses_or_doubles_an_order(explored: Mapping[str, dict[str, Any]], name: str) -> None:
    """A10: orders outlive restarts and outages."""
    found = explored[name]
    assert not found["broken"], f"{len(found['broken'])} broken\n" + "\n".join(found["broken"][:5])
    print(
        f"orders {name}: {found['places']} places at {len(found['points'])} crash points;"
        f" {found['recovered']} surviving states recovered, intents ended {found['ended']},"
        f" 0 lost, 0 doubled, {found['seconds']} s"
    )
    assert found["places"] > 50
    assert found["recovered"] >= 4


def test_the_scenarios_pass_every_crash_point_of_the_path(explored: Mapping[str, dict[str, Any]]) -> None:
    passed = {
        point
        for found in explored.values()
        for point in (*found.get("points", ()), *found.get("recovery_points", ()))
    }
    for name in read_sources(ORDER_PATH).names:
        for side in ("before", "after"):
            assert f"{name}.{side}" in passed, f"no scenario passes {name}.{side}: add one, or say why not"


@pytest.mark.parametrize("bug", sorted(ORDER_BUGS))
def test_a_planted_bug_is_caught(tmp_path: Path, bug: str) -> None:
    found = _explore(CAUGHT_IN[bug], tmp_path / bug, 1, bug)
    assert found["broken"], f"nobody has seen {bug}"
    assert "Broken" in found["broken"][0] or "left and do not stand in the log" in found["broken"][0]
