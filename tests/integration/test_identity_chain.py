"""A log belongs to one chain: another one under the same id is refused before anything is recorded."""

from pathlib import Path

import pytest
from sep_hooks.errors import ConfigurationError

from .identity_engine import Stage, settle, stage, until

pytestmark = pytest.mark.anyio


async def refused(one: Stage, match: str) -> None:
    length, nonces = await one.log_length(), [one.nonce(0), one.nonce(1)]
    with pytest.raises(ConfigurationError, match=match) as found:
        async with one.engine():
            raise AssertionError("it started")
    assert "is not the chain that this log tells of" in found.value.message
    assert "name another data folder in [store] path" in found.value.next_step
    assert found.value.pointer == "chains.sim"
    assert await one.log_length() == length
    assert [one.nonce(0), one.nonce(1)] == nonces


async def test_a_chain_that_began_anew_is_refused(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
        one.new_chain()
        await refused(one, r"its latest block is 0, final for .* was block \d+ 0x")


async def test_a_chain_that_went_another_way_is_refused(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
        one.new_chain(blocks=40)
        await refused(one, r"its block \d+ is 0x\w+, final for account 'first' was 0x\w+")


async def test_another_genesis_is_refused(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine():
            pass
        one.new_chain(timestamp=1_700_000_001)
        await refused(one, "its block 0 is 0x.*, the log was begun on 0x")


async def test_an_account_that_did_nothing_yet_is_bound_too(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        one.new_chain(blocks=3)
        async with one.engine():
            pass
        one.new_chain()
        await refused(one, "its latest block is 0, final for an earlier start was block 3 ")


async def test_a_chain_that_is_shorter_than_where_an_account_was_opened_is_refused(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        one.new_chain(blocks=3)
        one.ask("sim_setFinality", 8)
        async with one.engine():
            pass
        one.new_chain(blocks=2)
        await refused(one, "its latest block is 2, the log opened account 'first' at block 3")


async def test_an_account_that_was_opened_on_a_lost_branch_goes_on(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        one.new_chain(blocks=3)
        one.ask("sim_setFinality", 8)
        async with one.engine() as kernel:
            one.ask("sim_reorg", 1, {"blocks": 2})
            await until(lambda: kernel.chains()[0].head == 4)
        async with one.engine() as kernel:
            assert all(lane.opened.number == 3 for lane in kernel.world.lanes.values())


async def test_the_same_chain_goes_on(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        for _ in range(2):
            async with one.engine() as kernel:
                await settle(kernel)
                assert await kernel.mismatches() == []
                assert list(kernel.world.genesis.values()) == [
                    one.ask("eth_getBlockByNumber", "0x0", False)["hash"]
                ]
