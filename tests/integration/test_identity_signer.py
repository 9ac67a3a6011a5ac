"""What a signer remembers of another log is never executed by this one; what it says nonsense of, neither."""

from pathlib import Path
from unittest.mock import patch

import pytest
from sep_hooks.errors import ConfigurationError

from sep_core.adapters.signer_keystore import KeystoreSigner

from .identity_engine import settle, stage, submit, until

pytestmark = pytest.mark.anyio


async def test_a_fresh_log_executes_nothing_that_another_had_signed(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
            first = kernel.store.store_id
        signed = one.nonce()
        assert signed > 0
        one.new_chain()
        async with one.engine(one.changed(store={"path": "fresh"})) as kernel:
            (worker,) = [
                one for key, one in kernel.workers.items() if kernel.world.lanes[key].name == "first"
            ]
            await until(lambda: "signatures that this log does not know" in worker.blocked)
            assert "nonce 0, step 1.1-approve of intent " in worker.blocked
            assert f"of log {first}" in worker.blocked
            assert "-> start the engine on the data folder that they belong to" in worker.blocked
            waiting = await submit(kernel)
            await until(lambda: kernel.world.intents[waiting].status == "RISK_APPROVED")
            # The other account is not concerned.
            await settle(kernel, "two")
            assert kernel.world.intents[waiting].status == "RISK_APPROVED"
            assert [lane.entries for lane in kernel.world.lanes.values() if lane.name == "first"] == [{}]
            assert one.nonce() == 0
            assert kernel.health().services["account first"].status == "blocked"


async def test_what_the_chain_has_taken_already_is_in_nobodys_way(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
        taken = one.nonce()
        async with one.engine(one.changed(store={"path": "fresh"})) as kernel:
            await settle(kernel)
            assert await kernel.mismatches() == []
            (lane,) = [lane for lane in kernel.world.lanes.values() if lane.name == "first"]
            assert min(lane.entries) == taken
            assert not any(entry.recovered for entry in lane.entries.values())


@pytest.mark.parametrize("nonsense", [None, 7, object()])
async def test_a_signer_that_answers_no_address_stops_the_start(tmp_path: Path, nonsense: object) -> None:
    async def opened(_: object) -> object:
        return nonsense

    with (
        stage(tmp_path) as one,
        patch.object(KeystoreSigner, "open", opened),
        pytest.raises(ConfigurationError, match=r"accounts\.first\.signer") as caught,
    ):
        async with one.engine():
            pass
    assert "mistake" not in caught.value.message
