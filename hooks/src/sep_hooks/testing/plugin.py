"""The kit as a pytest plugin; opt in with `pytest_plugins = ["sep_hooks.testing.plugin"]` in a conftest.py."""

import json
import re
from collections.abc import Generator
from pathlib import Path

import pytest

from sep_hooks import API_VERSION
from sep_hooks.testing.abi import EthAbi
from sep_hooks.testing.fakes import FakeClock, FakeLog, FakeRpc

_CASE = re.compile(r"SEP-[A-Z][0-9]{2,3}")
_outcomes = pytest.StashKey[dict[str, dict[str, str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that writes the outcome of every case."""
    parser.addoption(
        "--conformance", metavar="FILE", help="write the outcome of each conformance case as JSON"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begins with no outcome."""
    config.stash[_outcomes] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Notes the outcome of a case, known by the id in its docstring."""
    report = yield
    case = _CASE.search(str(getattr(getattr(item, "obj", None), "__doc__", "") or ""))
    if case is not None and (report.when == "call" or report.outcome != "passed"):
        cases = item.config.stash[_outcomes].setdefault(case[0], {})
        cases[item.nodeid] = report.outcome
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the outcomes, where asked to."""
    target = session.config.getoption("--conformance")
    if target:
        cases = dict(sorted(session.config.stash[_outcomes].items()))
        text = json.dumps({"api": API_VERSION, "cases": cases}, indent=2, sort_keys=True)
        Path(str(target)).write_text(text + "\n", encoding="utf-8")


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


@pytest.fixture
def fake_log() -> FakeLog:
    """A log that keeps its messages."""
    return FakeLog()


@pytest.fixture
def fake_rpc() -> FakeRpc:
    """A chain that answers from a script."""
    return FakeRpc()


@pytest.fixture
def eth_abi() -> EthAbi:
    """The Ethereum ABI."""
    return EthAbi()
