"""What peers lost money by: each row of the list has a test that names it."""

import re

from ..harness.crossings import ROOT

ROWS = frozenset(f"A{number}" for number in range(1, 21))


def test_every_row_is_named_by_a_test() -> None:
    named: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for listed in re.findall(r'"""((?:A\d+(?:, )?)+): ', path.read_text()):
            named.update(listed.split(", "))
    assert named == ROWS
