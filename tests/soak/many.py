"""A plugin of pytest, `-p tests.soak.many`: state machines take as many examples as `SEP_SOAK_EXAMPLES` says."""

import os

import pytest
from hypothesis import settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every machine that was collected, with its other settings as they are."""
    examples = int(os.environ.get("SEP_SOAK_EXAMPLES", "1000"))
    for item in items:
        machine = getattr(item, "cls", None)
        if machine is not None and isinstance(getattr(machine, "settings", None), settings):
            machine.settings = settings(machine.settings, max_examples=examples)
