"""The harness proves something only if it sees bugs: each is planted into the real classes and must be found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..harness.crossings import ROOT
from ..harness.planted import BUGS

LIMIT_SECONDS = 120
SEARCHES = 3
SEEN = {
    "broadcast-before-persist": ("plain", ("transactions left, 0 of them stand in the log",)),
    "new-nonce-after-timeout": ("doubted", ("doubled",)),
    # Failed at once, it is looked at while its swap is still on its way, or has taken effect already.
    "timeout-recorded-as-failure": ("doubted", ("is FAILED, its swap", "'IN_DOUBT'")),
    "signer-not-asked-at-start": ("plain", ("belongs to step",)),
}


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_planted_bug_is_found(bug: str, tmp_path: Path) -> None:
    """Within three searches: one shows only where the plan after a death differs from the one before, which a search
    on a busy machine may miss."""
    scenario, told = SEEN[bug]
    broken: list[str] = []
    for search in range(SEARCHES):
        folder = tmp_path / str(search)
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "tests.harness.explore", scenario, str(folder), "1", bug],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        broken += json.loads((folder / "found.json").read_text())["broken"]
        if any(text in one for one in broken for text in told):
            return
    raise AssertionError(broken)
