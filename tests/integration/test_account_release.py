"""An account that somebody else used is frozen, looked at, and let go with books that equal its chain."""

import shutil
from pathlib import Path
from uuid import uuid4

import anyio
import httpx
import pytest
from sep_hooks.types import Address
from sep_native.decode import checksum_address
from sep_native.sign import Keystore, Transaction1559

from sep_core.adapters.store_sqlite import open_store
from sep_core.events.export import export_lines
from sep_core.execution import LaneState
from sep_core.execution.errors import ReleaseRefused
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.queries import NotFound, public_key
from sep_core.runtime.world import Touched

from .api_engine import serving
from .command import refused, running, sep
from .identity_engine import GENESIS, PASSWORD, TOKENS, Stage, settle, stage, submit, until
from .test_archive_engine import lose_and_restore

pytestmark = pytest.mark.anyio

STRANGER = Address("0x" + "57" * 20)
GWEI = 10**9
WHY = "the treasurer paid a bill by hand"


def pay_outside(one: Stage, *, amount: int = 10**6) -> None:
    """The holder of the first account's key pays USDC to a stranger, past the engine."""
    keystore = Keystore.open(one.folder / "key0.json", PASSWORD.encode())
    data = bytes.fromhex("a9059cbb") + bytes.fromhex(STRANGER[2:]).rjust(32, b"\0") + amount.to_bytes(32)
    usdc = checksum_address(TOKENS["USDC"]["address"])
    pay = Transaction1559(GENESIS["chain_id"], one.nonce(), usdc, 0, data, 100_000, 10 * GWEI, GWEI)
    one.ask("eth_sendRawTransaction", "0x" + keystore.sign_transaction(pay).raw.hex())


def lane_of(kernel: Kernel) -> LaneState:
    lane = kernel.world.lane("first")
    assert lane is not None
    return lane


async def frozen(kernel: Kernel) -> None:
    """The engine sees what was done outside."""
    await until(lambda: lane_of(kernel).frozen is not None)


async def told(kernel: Kernel) -> list[dict[str, object]]:
    """What was recorded of accounts that were let go."""
    page = await (await kernel.queries()).events(after=0, limit=500, types=["AccountReleased"])
    return [dict(one.body) for one in page.items]


async def test_a_frozen_account_is_let_go_with_books_that_equal_the_chain(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
            for _ in range(3):
                pay_outside(one)
            await frozen(kernel)
            assert await kernel.mismatches() != []
            waiting = await submit(kernel)
            view = await kernel.release_account("first", WHY, "tests")
            assert (view.status, view.next_nonce) == ("ok", one.nonce())
            assert await kernel.mismatches() == []
            assert (await kernel.wait_until_ended(waiting, 20)).status == "SETTLED"
            assert await kernel.mismatches() == []
        async with one.engine() as kernel:  # what the log says, a later engine goes on from
            await settle(kernel)
            assert await kernel.mismatches() == []
            assert [(one["reason"], one["by"]) for one in await told(kernel)] == [(WHY, "tests")]
            pay_outside(one)
            await frozen(kernel)  # and it sees the next stranger as it saw the first


async def test_a_restored_log_takes_in_what_its_account_did_meanwhile(tmp_path: Path) -> None:
    """One intent was approved when the archive was made, and settled later; of two more the log knows nothing."""
    then, file = tmp_path / "then", tmp_path / "log.jsonl"
    with stage(tmp_path) as one:
        async with one.engine() as kernel:

            def keep(touched: Touched) -> None:
                states = [kernel.world.intents[intent].status for intent in touched.intents]
                if states == ["RISK_APPROVED"] and not then.exists():
                    shutil.copytree(one.folder / "data", then)

            kernel.desk.on_commit(keep)
            known = await submit(kernel)
            await kernel.wait_until_ended(known, 20)
            await settle(kernel)
            await settle(kernel)
        store = open_store(then, writable=False, clock=SystemClock(), ids=uuid4)
        lines = [line async for line in export_lines(store, public_key(store) or "", None)]
        await store.close()
        await anyio.Path(file).write_text("\n".join([*lines, ""]))
        lose_and_restore(one, file)
        sent = one.nonce()
        async with one.engine() as kernel:
            assert kernel.world.intents[known].status != "SETTLED"
            await frozen(kernel)
            assert (await kernel.wait_until_ended(known, 20)).status == "SETTLED"
            await kernel.release_account("first", "two intents behind the archive's end", "tests")
            assert await kernel.mismatches() == []
            assert one.nonce() == sent
            await settle(kernel)
            assert await kernel.mismatches() == []
            assert one.nonce() == sent + sent // 3


async def test_what_is_not_settled_on_chain_keeps_it_frozen(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
            pay_outside(one)
            await frozen(kernel)
            one.ask("sim_setFinality", 64)
            pay_outside(one)
            with pytest.raises(ReleaseRefused, match="it was used a moment ago"):
                await kernel.release_account("first", WHY, "tests")
            assert lane_of(kernel).frozen is not None
            assert await told(kernel) == []
            one.ask("sim_setFinality", 0)
            assert (await kernel.release_account("first", WHY, "tests")).status == "ok"


async def test_without_its_signer_it_stays_frozen(tmp_path: Path) -> None:
    """What the signer remembers might be of an intent that would be executed a second time."""
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
            pay_outside(one)
            await frozen(kernel)
        accounts = {name: dict(table) for name, table in one.tables["accounts"].items()}
        del accounts["first"]["signer"]
        watching = one.changed(accounts=accounts, strategies={"two": one.tables["strategies"]["two"]})
        async with one.engine(watching) as kernel:
            with pytest.raises(
                ReleaseRefused, match="what the signer of account first remembers is not known"
            ):
                await kernel.release_account("first", WHY, "tests")


async def test_an_account_that_is_not_frozen_stays_as_it_is(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            before = kernel.world.position
            assert (await kernel.release_account("first", WHY, "tests")).status == "ok"
            with pytest.raises(NotFound, match="no account 'third'"):
                await kernel.release_account("third", WHY, "tests")
            assert kernel.world.position == before


async def test_over_http(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with (
            one.engine() as kernel,
            serving(kernel, "a token") as url,
            httpx.AsyncClient(base_url=url, timeout=20) as client,
        ):
            await settle(kernel)
            before = kernel.world.position
            pay_outside(one)
            await frozen(kernel)
            shown = (await client.get("/v1/accounts")).json()["items"]
            assert [(each["name"], each["status"]) for each in shown] == [
                ("first", "frozen"),
                ("second", "ok"),
            ]
            assert "not ours" in shown[0]["reason"]
            past = (await client.get("/v1/accounts", params={"as_of": before})).json()["items"]
            assert past[0]["status"] == "ok"
            path, token = "/v1/accounts/first/release", {"authorization": "Bearer a token"}
            assert (await client.post(path, json={"reason": WHY})).status_code == 401
            assert (await client.post(path, json={"reason": " "}, headers=token)).status_code == 422
            assert (await client.post(path, json={}, headers=token)).status_code == 422
            one.ask("sim_setFinality", 64)
            pay_outside(one)
            refused = await client.post(path, json={"reason": WHY}, headers=token)
            assert (refused.status_code, refused.json()["code"]) == (409, "release_refused")
            one.ask("sim_setFinality", 0)
            answer = await client.post(path, json={"reason": WHY}, headers=token)
            assert (answer.status_code, answer.json()["status"]) == (200, "ok")
            assert (
                await client.post("/v1/accounts/x/release", json={"reason": WHY}, headers=token)
            ).status_code == 404


def test_at_the_command_line(tmp_path: Path) -> None:
    assert sep("init", "bot", cwd=tmp_path).code == 0
    folder = tmp_path / "bot"
    refused(sep("account", "release", "main", "--reason", "x", cwd=folder), 4, "api-token", "sep serve")
    with running(["serve", "--json", "--port", "0", "--log", "engine.log"], folder, '"ready"'):
        one, *_ = sep("account", "list", "--json", cwd=folder).json["items"]
        assert one["status"] == "ok"
        assert one["name"] in sep("account", "list", cwd=folder).out
        assert "ok  next nonce" in sep("account", "release", one["name"], "--reason", "x", cwd=folder).out
        refused(sep("account", "release", one["name"], cwd=folder), 2, "--reason")
        refused(sep("account", "release", "x", "--reason", "y", cwd=folder), 1, "'x'", "sep account list")
        refused(
            sep("account", "release", one["name"], "--reason", " ", cwd=folder), 1, "/reason", "line of text"
        )
    assert "no accounts yet" in sep("account", "list", "--as-of", "0", cwd=folder).out
