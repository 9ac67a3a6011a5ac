"""Fixtures that every suite shares."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The kernel runs on asyncio alone; so do its tests."""
    return "asyncio"
