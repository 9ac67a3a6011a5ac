"""What was acknowledged is there after a power loss; a store that does not sync is found out."""

import asyncio
import random
import shutil
from pathlib import Path
from typing import Literal
from uuid import uuid4

import pytest
from sep_hooks.store import AnyVersion, AppendResult
from sep_hooks.testing.store import SteppedClock, event, everything, write

from sep_core.adapters.store_sqlite import SqliteOptions, open_store, verify_store

from ..harness.store_power import ForgetfulDisk

pytestmark = pytest.mark.anyio

PRODUCERS = 6
EACH = 12
LOSSES = 12


async def losses(tmp_path: Path, options: SqliteOptions, disk: ForgetfulDisk, seed: int) -> int:
    """Appends, loses power at random moments, and counts acknowledged events that are not there afterwards.

    Raises `AssertionError` when a log that was left behind does not verify.
    """
    chance = random.Random(seed)
    acknowledged: dict[int, str] = {}
    pictures: list[tuple[Path, dict[int, str]]] = []
    home = tmp_path / f"home-{seed}"

    def picture() -> None:
        known = dict(acknowledged)
        target = tmp_path / f"left-{seed}-{len(pictures)}"
        disk.after_power_loss(target, chance if len(pictures) % 3 else None)
        shutil.copytree(home / "keys", target / "keys")
        pictures.append((target, known))

    async with open_store(home, writable=True, clock=SteppedClock(), ids=uuid4, options=options) as store:

        async def produce(number: int) -> None:
            for turn in range(EACH):
                name = f"power {number} {turn}"
                filler = "x" * chance.randrange(2000)
                result = await store.append(
                    [write(f"s:{number % 4}", AnyVersion(), event(name, filler=filler))]
                )
                acknowledged[result.first_pos] = str(event(name).id)
                if len(pictures) < LOSSES and chance.random() < 0.25:
                    picture()

        async with asyncio.TaskGroup() as group:
            for number in range(PRODUCERS):
                group.create_task(produce(number))
        picture()

    lost = 0
    for folder, known in pictures:
        try:
            left = open_store(folder, writable=True, clock=SteppedClock(), ids=uuid4)
        except Exception:  # an empty or damaged file: everything is lost
            lost += len(known)
            continue
        found = {item.pos: str(item.id) for item in await everything(left)}
        lost += sum(found.get(pos) != name for pos, name in known.items())
        if not lost:
            assert await left.append([write("after", AnyVersion(), event("after"))]) == AppendResult(
                len(found) + 1, len(found) + 1
            )
        await left.close()
        if not lost:
            report = verify_store(folder)
            assert report.first_bad is None
            assert report.positions == len(found) + 1
    return lost


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_nothing_acknowledged_is_lost_with_the_power(tmp_path: Path, seed: int) -> None:
    disk = ForgetfulDisk(f"forgetful-{seed}")
    options = SqliteOptions(vfs=disk.vfs_name, checkpoint_pages=20 * seed)
    assert await losses(tmp_path, options, disk, seed) == 0


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
async def test_the_harness_finds_a_store_that_does_not_sync(
    tmp_path: Path, synchronous: Literal["OFF", "NORMAL"]
) -> None:
    disk = ForgetfulDisk(f"forgetful-{synchronous}")
    options = SqliteOptions(vfs=disk.vfs_name, synchronous=synchronous)
    assert await losses(tmp_path, options, disk, 5) > 0
