"""A log is begun in one mode, and its start record tells nothing of a password."""

from pathlib import Path

import pytest
from sep_hooks.errors import ConfigurationError

from sep_core.runtime.recording import config_digest
from sep_core.runtime.settings import settings_of

from .identity_engine import PASSWORD, settle, stage

pytestmark = pytest.mark.anyio


async def test_paper_and_testnet_never_share_a_log(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
        length = await one.log_length()
        with pytest.raises(ConfigurationError, match=r'the log in .* was begun in mode "testnet"') as found:
            async with one.engine(one.changed(mode="paper")):
                raise AssertionError("it started")
        assert found.value.pointer == "mode"
        assert "name another data folder in [store] path" in found.value.next_step
        assert await one.log_length() == length
        async with one.engine(one.changed(mode="paper", store={"path": "paper"})) as kernel:
            await settle(kernel)


async def test_the_start_record_is_no_test_for_a_password(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        tables = one.changed()
        tables["accounts"]["first"]["signer"]["password"] = PASSWORD
        async with one.engine(tables) as kernel:
            recorded = kernel.world.runs[-1].config_digest

            def told(password: str, funding: str = "USDC") -> str:
                tables["accounts"]["first"]["signer"]["password"] = password
                tables["accounts"]["first"]["funding"] = [funding]
                made = settings_of(tables, source="test", folder=tmp_path)
                return config_digest(made, kernel.installation)

            assert told(PASSWORD) == recorded
            assert told("a guess") == recorded
            assert told(PASSWORD, "WETH") != recorded
