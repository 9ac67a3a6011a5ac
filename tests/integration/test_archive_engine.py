"""An engine on a log that was made again from its archive, beside a signer and a chain that went on meanwhile."""

import shutil
from pathlib import Path

import anyio
import pytest

from sep_core.events.archive import Archive
from sep_core.events.export import export_lines
from sep_core.runtime.log_moves import restore_archive
from sep_core.runtime.queries import public_key
from sep_core.runtime.settings import settings_of
from sep_core.runtime.settings_secrets import Secrets

from .identity_engine import Stage, settle, stage, submit, until

pytestmark = pytest.mark.anyio


async def archived(one: Stage, file: Path) -> None:
    """The log so far, in a file."""
    async with one.engine() as kernel:
        lines = [line async for line in export_lines(kernel.store, public_key(kernel.store) or "", None)]
    await anyio.Path(file).write_text("\n".join([*lines, ""]))


def lose_and_restore(one: Stage, file: Path) -> None:
    """The data folder is lost but for its keys, and made again."""
    keys = one.folder / "keys"
    shutil.move(one.folder / "data" / "keys", keys)
    shutil.rmtree(one.folder / "data")
    target = settings_of(one.tables, source="test", folder=one.folder)
    restore_archive(Archive(file), keys, (target, Secrets({}, one.folder)))


async def test_a_signer_that_saw_later_engines_signs_for_a_restored_log(tmp_path: Path) -> None:
    """Engines that led after the archive was made raised the signer's epoch beyond the archive's."""
    file = tmp_path / "log.jsonl"
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
        await archived(one, file)
        for _ in range(3):
            async with one.engine():
                pass
        lose_and_restore(one, file)
        async with one.engine() as kernel:
            await settle(kernel)
        assert {kernel.world.lanes[key].frozen for key in kernel.workers} == {None}


async def test_what_was_sent_after_the_archive_freezes_its_account(tmp_path: Path) -> None:
    """The log cannot say what that was for: nothing more is signed there, and no other account is held up."""
    file = tmp_path / "log.jsonl"
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
        await archived(one, file)
        async with one.engine() as kernel:
            await settle(kernel)
        sent = one.nonce()
        lose_and_restore(one, file)
        async with one.engine() as kernel:
            waiting = await submit(kernel)
            (first,) = [w for key, w in kernel.workers.items() if kernel.world.lanes[key].name == "first"]
            await until(lambda: first.blocked != "")
            await settle(kernel, "two")
            assert "was used by a transaction that is not ours" in first.blocked
            assert kernel.world.intents[waiting].status == "RISK_APPROVED"
        assert one.nonce() == sent
