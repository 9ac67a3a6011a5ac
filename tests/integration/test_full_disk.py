"""A disk that fills up under an engine: a clean stop that says why, nothing lost, and with room again it goes on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..harness.crossings import ROOT

LIMIT_SECONDS = 120


def test_an_engine_stops_on_a_full_disk_and_goes_on_with_room(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount of its own is allowed here")
    words = ["unshare", "-rm", sys.executable, "-m", "tests.integration.full_disk_engine", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["acknowledged"] > 0
    assert found["code"] == 5, "the end of an engine whose store failed"
    assert "disk is full" in found["told"]
    assert "restart SEP" in found["told"]
    assert all(status == 503 for status, _ in found["refusals"]), found["refusals"]
    assert (found["lost"], found["again"], found["stopped"], found["verified"]) == ([], 202, 0, 0)
