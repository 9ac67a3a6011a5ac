"""Fixtures and rules that every suite shares."""

import os

import pytest

from .services import nats_server, postgres_server, redis_server, timescale_server

__all__ = ["nats_server", "postgres_server", "redis_server", "timescale_server"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The kernel runs on asyncio alone; so do its tests."""
    return "asyncio"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where nothing may skip, a skip is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter is not None else 0
    if skipped and os.environ.get("SEP_NO_SKIPS") and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows what tests marked `says` have printed: counts and seeds, whichever worker ran them."""
    told = [
        one
        for one in terminalreporter.stats.get("passed", [])
        if "says" in one.keywords and one.capstdout.strip()
    ]
    if told:
        terminalreporter.section("what tests say")
    for report in told:
        terminalreporter.write_line(report.capstdout.strip())
