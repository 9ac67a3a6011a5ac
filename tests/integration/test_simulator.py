"""Engines on virtual time in a weather of faults: seeds drawn now, the same seed twice, and bugs that must be seen."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ..harness.bench import acquire, dispose
from ..harness.crossings import ROOT
from ..harness.explore import Explorer
from ..harness.planted import results_zipped_by_position
from ..harness.scenario import Scenario

SECONDS = 60
TWICE = 6
SEEN_WITHIN = 120
SEEN = {
    "skipped-fsync": ("events are lost", "was acknowledged here", "lost: ", "took effect", "doubled: "),
    "broadcast-before-persist": ("left and does not stand in the log",),
    "new-nonce-after-timeout": ("doubled: ", "took effect"),
    "timeout-recorded-as-failure": ("took effect", "doubled: "),
    "resend-before-query": ("sent twice: ",),
}
UNSEEN = Scenario(
    "unseen",
    (acquire("with approval"), dispose("without approval")),
    rules=({"method": "eth_getTransactionReceipt", "kind": "null", "at": [1, 5]},),
)


def drawn() -> int:
    """A seed of now, or the one that `SEP_FAULT_SEED` names."""
    return int(os.environ.get("SEP_FAULT_SEED", random.SystemRandom().randrange(2**32)))


def run(*words: object, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.says
def test_nothing_is_lost_and_nothing_doubled_in_any_weather() -> None:
    done = run("tests.soak.simulator", "--first", drawn(), "--seconds", SECONDS, "--workers", 1)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    told: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(done.stdout.splitlines()[-2])
    assert told["broken"] == []
    assert told["seeds"] > 0
    assert told["acknowledged"] > 0
    assert {"rpc", "plugin", "block", "commit"} <= set(told["operations"])


def test_the_same_seed_has_the_same_log_in_another_process() -> None:
    """A20: to the last hash."""
    first = drawn()
    logs = [
        run("tests.harness.simulator", first, TWICE, PYTHONHASHSEED=str(number)).stdout for number in (1, 2)
    ]
    assert logs[0] == logs[1], f"seed {first}"
    roots = [json.loads(line)["root"] for line in logs[0].splitlines()]
    assert len(set(roots)) == TWICE


@pytest.mark.parametrize("bug", sorted(SEEN))
def test_a_planted_bug_is_seen(bug: str) -> None:
    first = drawn()
    done = run("tests.harness.simulator", first, SEEN_WITHIN, bug)
    assert done.returncode == 1, f"not seen within {SEEN_WITHIN} seeds from {first}"
    assert any(text in done.stdout for text in SEEN[bug]), f"from seed {first}: {done.stdout[-3000:]}"


@pytest.mark.parametrize("planted", [False, True])
def test_results_that_are_matched_by_position_are_seen(planted: bool, tmp_path: Path) -> None:
    """A4: a node leaves one of several receipts out, twice; with the bug its neighbour's is taken for it."""
    with results_zipped_by_position() if planted else nullcontext():
        found = Explorer(UNSEEN, tmp_path, 0).run()
    assert bool(found.broken) == planted, found.broken
