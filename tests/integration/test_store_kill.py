"""A writer may die at any instruction: what it acknowledged is there, and nothing is torn."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("store_kill_loop.py")
ROUNDS = 42


def test_forty_killed_writers_lose_and_tear_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path / "data"), str(ROUNDS), "7"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["lost"] == []
    assert found["broken"] == []
    assert found["positions"] >= found["acknowledged"] > ROUNDS
