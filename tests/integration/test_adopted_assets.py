"""Assets join the books once: at the opening of their account, or when the configuration first names them."""

from pathlib import Path
from typing import Any

import pytest

from sep_core.events.facts import AccountOpened, AssetsAdopted
from sep_core.events.reading import read_facts
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.settings import settings_of
from sep_core.runtime.start import running_kernel

from .api_engine import tables

pytestmark = pytest.mark.anyio


def without(*symbols: str) -> dict[str, Any]:
    said = tables()
    return {**said, "assets": {name: one for name, one in said["assets"].items() if name not in symbols}}


async def opened_by(said: dict[str, Any], folder: Path) -> list[tuple[str, set[str]]]:
    """Starts and stops an engine; which facts have opened assets so far, and which."""
    settings = settings_of(said, source="test", folder=folder)
    async with running_kernel(settings, {}, SystemClock()) as kernel:
        assets = (await kernel.queries()).assets
        return [
            (type(fact).__name__, {assets.asset(asset).symbol for asset, _ in fact.balances})
            async for _, fact in read_facts(kernel.store)
            if isinstance(fact, AccountOpened | AssetsAdopted)
        ]


async def test_each_asset_is_opened_once(tmp_path: Path) -> None:
    first = ("AccountOpened", {"WETH", "USDC", "WBTC", "ETH"})
    assert await opened_by(without("DAI"), tmp_path) == [first]
    assert await opened_by(without("DAI"), tmp_path) == [first]
    later = ("AssetsAdopted", {"DAI"})
    assert await opened_by(tables(), tmp_path) == [first, later]
    assert await opened_by(tables(), tmp_path) == [first, later]


async def test_an_asset_that_was_opened_empty_is_not_taken_over_again(tmp_path: Path) -> None:
    """What a transaction brings before a crash is booked from its receipt alone."""
    said = tables()
    said["accounts"]["main"]["address"] = "0x" + "11" * 20  # owns nothing
    first = ("AccountOpened", {"WETH", "USDC", "WBTC", "DAI", "ETH"})
    assert await opened_by(said, tmp_path) == [first]
    assert await opened_by(said, tmp_path) == [first]
