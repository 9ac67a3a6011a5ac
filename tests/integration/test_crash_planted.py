"""The harness proves something only if it sees bugs: each is planted into the real classes and must be found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..harness.crossings import ROOT
from ..harness.planted import BUGS

LIMIT_SECONDS = 120

SEEN = {
    "broadcast-before-persist": ("plain", ("transactions left, 0 of them stand in the log",)),
    "new-nonce-after-timeout": ("doubted", ("doubled",)),
    # Failed at once, it is looked at while its swap is still on its way, or has taken effect already.
    "timeout-recorded-as-failure": ("doubted", ("is FAILED, its swap", "'IN_DOUBT'")),
    "signer-not-asked-at-start": ("plain", ("belongs to step",)),
}


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_planted_bug_is_found(bug: str, tmp_path: Path) -> None:
    scenario, told = SEEN[bug]
    done = subprocess.run(
        [sys.executable, "-m", "tests.harness.explore", scenario, str(tmp_path), "1", bug],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    broken = json.loads((tmp_path / "found.json").read_text())["broken"]
    assert any(text in one for one in broken for text in told), broken
