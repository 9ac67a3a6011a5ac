"""Accounts and strategies keep what is theirs in the log, whatever the tables are called after a restart."""

from pathlib import Path
from typing import Any

import pytest
from sep_hooks.errors import ConfigurationError
from sep_hooks.types import IntentId

from sep_core.runtime.kernel import Kernel
from sep_core.runtime.settings import InvalidSettings
from sep_core.telemetry.crashpoints import armed

from .identity_engine import Stage, settle, stage, strategy, submit, until

pytestmark = pytest.mark.anyio


class Death(Exception):
    """The engine dies here."""


async def refused(one: Stage, tables: dict[str, Any], pointer: str, *says: str) -> None:
    length, nonces = await one.log_length(), [one.nonce(0), one.nonce(1)]
    with pytest.raises(ConfigurationError) as found:
        async with one.engine(tables):
            raise AssertionError("it started")
    assert found.value.pointer == pointer
    assert all(text in str(found.value) for text in ("nothing was recorded or sent", *says)), str(found.value)
    assert await one.log_length() == length
    assert [one.nonce(0), one.nonce(1)] == nonces


def without(one: Stage, account: str, instance: str) -> dict[str, Any]:
    """The tables after an account and its strategy left."""
    tables = one.changed()
    del tables["accounts"][account], tables["strategies"][instance]
    return tables


def holders(kernel: Kernel, account: str) -> set[str]:
    return {held.strategy for held in kernel.world.ledger.holdings() if held.account == account}


async def test_an_intent_whose_account_left_ends_and_the_others_go_on(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            orphan = await submit(kernel, "two", max_fee="1")
            await until(lambda: kernel.plans.why_waiting(orphan) is not None)
        async with one.engine(without(one, "second", "two")) as kernel:
            view = await kernel.wait_until_ended(orphan, 10)
            assert (view.status, view.code) == ("REJECTED", "account_not_configured")
            assert "'second' has left the configuration; nothing of this was sent" in (view.reason or "")
            await settle(kernel)
            assert kernel.health().status == "ok"


async def test_an_intent_whose_strategy_left_ends(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            orphan = await submit(kernel, "two", max_fee="1")
            await until(lambda: kernel.plans.why_waiting(orphan) is not None)
        tables = one.changed()
        del tables["strategies"]["two"]
        async with one.engine(tables) as kernel:
            view = await kernel.wait_until_ended(orphan, 10)
            assert (view.status, view.code) == ("REJECTED", "strategy_not_configured")
            assert holders(kernel, "second") == {"two"}


async def approved_and_died(one: Stage, tables: dict[str, Any]) -> IntentId:
    """An engine that dies before it has done anything for an approved plan of the second account."""
    found: list[IntentId] = []

    def visit(point: str) -> None:
        if point == "execution.prepare.head.before":
            raise Death

    with armed(visit), pytest.RaisesGroup(Death, flatten_subgroups=True):
        async with one.engine(tables) as kernel:
            found.append(await submit(kernel, "two"))
            await kernel.wait_until_ended(found[0], 10)
    return found[0]


async def test_an_approved_plan_on_paper_ends_with_its_account(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        paper = one.changed(mode="paper")
        orphan = await approved_and_died(one, paper)
        async with one.engine({**without(one, "second", "two"), "mode": "paper"}) as kernel:
            view = await kernel.wait_until_ended(orphan, 10)
            assert (view.status, view.code) == ("REJECTED", "account_not_configured")
            assert not kernel.world.book.holds


async def test_an_approved_plan_that_may_be_signed_stays_open_until_its_account_is_back(
    tmp_path: Path,
) -> None:
    with stage(tmp_path) as one:
        orphan = await approved_and_died(one, one.tables)
        async with one.engine(without(one, "second", "two")) as kernel:
            await settle(kernel)
            assert (await kernel.cancel(orphan, "the test")).status == "RISK_APPROVED"
            assert "left the configuration" in (kernel.health().services["account second"].detail or "")
        async with one.engine() as kernel:
            assert (await kernel.wait_until_ended(orphan, 10)).status == "CANCELLED"
        assert one.nonce(1) == 0


async def in_flight(one: Stage) -> IntentId:
    """Transactions of the second account that no block holds yet."""
    one.ask("sim_setAutomine", False)
    async with one.engine() as kernel:
        intent = await submit(kernel, "two")
        (lane,) = [key for key, lane in kernel.world.lanes.items() if lane.name == "second"]
        await until(
            lambda: [entry.status for entry in kernel.world.lanes[lane].entries.values()] == ["SUBMITTED"] * 3
        )
    return intent


async def test_what_an_account_left_in_flight_is_followed_to_its_end(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        intent = await in_flight(one)
        async with one.engine(without(one, "second", "two")) as kernel:
            service = kernel.health().services["account second"]
            assert service.status == "blocked"
            assert "left the configuration: what is open is followed" in (service.detail or "")
            one.ask("sim_mine")
            view = await kernel.wait_until_ended(intent, 10)
            assert view.status == "SETTLED"
            assert holders(kernel, "second") == {"two"}
            assert await kernel.mismatches() == []
            assert one.nonce(1) == 3
        async with one.engine() as kernel:
            await settle_mined(one, kernel)
            assert await kernel.mismatches() == []


async def settle_mined(one: Stage, kernel: Kernel) -> None:
    one.ask("sim_setAutomine", True)
    await settle(kernel, "two")


async def test_an_account_without_its_signer_is_followed_and_not_traded_on_paper(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        intent = await in_flight(one)
        tables = one.changed()
        del tables["strategies"]["two"], tables["accounts"]["second"]["signer"]
        async with one.engine(tables) as kernel:
            one.ask("sim_mine")
            assert (await kernel.wait_until_ended(intent, 10)).status == "SETTLED"
            assert not any(state.status == "RISK_APPROVED" for state in kernel.world.open_intents())
            assert await kernel.mismatches() == []


async def test_a_start_without_the_chain_of_open_nonces_is_refused(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        await in_flight(one)
        empty = one.changed(chains={}, venues={}, assets={}, accounts={}, strategies={}, risk={})
        await refused(
            one, empty, "chains", "eip155:31337", "'second'", "open nonces 0, 1, 2", "add the table"
        )


async def test_a_chain_where_all_is_final_may_leave(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
        empty = one.changed(chains={}, venues={}, assets={}, accounts={}, strategies={}, risk={})
        async with one.engine(empty) as kernel:
            assert await kernel.mismatches() == []
            assert kernel.health().status == "ok"


async def test_exchanged_names_are_refused(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
        swapped = one.changed(accounts={"first": one.account(1), "second": one.account(0)})
        await refused(one, swapped, "accounts.first", one.owners[1], "knows as account 'second'")


async def test_a_renamed_account_is_refused(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine():
            pass
        tables = one.changed(accounts={"renamed": one.account(0), "second": one.account(1)})
        tables["strategies"]["one"]["account"] = "renamed"
        await refused(one, tables, "accounts.renamed", "call the table accounts.first again")


async def test_a_name_with_another_address_is_refused(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine(without(one, "second", "two")):
            pass
        tables = without(one, "second", "two")
        tables["accounts"]["first"] = one.account(1)
        await refused(one, tables, "accounts.first.address", one.owners[0], one.owners[1])


async def test_a_renamed_strategy_is_refused(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine():
            pass
        tables = one.changed()
        del tables["strategies"]["one"]
        tables["strategies"]["renamed"] = strategy("renamed", "first")
        await refused(one, tables, "strategies.renamed.account", "keeps for strategy 'one'")


async def test_money_stays_with_its_strategy_when_another_joins(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
        tables = one.changed()
        tables["strategies"]["two"]["account"] = "first"
        async with one.engine(tables) as kernel:
            assert kernel.composition.owner("first").strategy == "one"
            assert holders(kernel, "first") == {"one"}
        async with one.engine() as kernel:
            await settle(kernel)
            assert holders(kernel, "first") == {"one"}


async def test_one_address_is_one_account(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        twice = one.changed(accounts={"first": one.account(0), "second": one.account(0)})
        with pytest.raises(
            InvalidSettings, match=r"accounts\.second\.address: is also the address of 'first'"
        ):
            async with one.engine(twice):
                raise AssertionError("it started")
        assert not (tmp_path / "data").exists()
