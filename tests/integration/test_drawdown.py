"""A13: losses that nobody realised halt a strategy, whatever it does, and so does not knowing what it holds."""

import itertools
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from inspect import signature
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest
from sep_hooks.errors import Ambiguous, CheckTooOld
from sep_hooks.signer import SignRequest
from sep_hooks.types import Amount, AssetId, IntentId, Transaction, address
from sep_native.decode import checksum_address
from sep_risk_drawdown import Drawdown

from sep_core.portfolio import Ledger
from sep_core.risk import BreakerHolds, Watchkeeping
from sep_core.runtime.equity_watch import EquityWatch
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.lane_desk import LaneWork
from sep_core.runtime.queries import NotFound
from sep_core.runtime.submission import parse_submission

from ..harness.hostile import Hostile
from ..harness.scenario import set_price
from . import identity_engine
from .api_engine import serving
from .command import refused, running, sep
from .identity_engine import GENESIS, IDS, TOKENS, Stage, settle, stage, submit, until
from .test_account_release import pay_outside

pytestmark = pytest.mark.anyio

WETH = TOKENS["WETH"]["address"]
WHY = "the desk has looked at it"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder whose distributions are found."""
    folder = tmp_path / "site"
    folder.mkdir()
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Stage]:
    """Two strategies that hold 10 WETH, 10 coins and 30,000 USDC each: two thirds of it fall with WETH."""
    with stage(tmp_path) as one:
        one.tables["plugins"]["enabled"].append("sep-risk-drawdown")
        one.tables["risk"]["drawdown"] = {"use": "drawdown", "numeraire": "USDC", "daily_loss": "0.9"}
        price(one, 3_000)
        yield one


def price(one: Stage, dollars: int) -> None:
    """WETH costs so much from the next block on; nobody has traded."""
    assert one.chain is not None
    set_price(one.chain, dollars)


@asynccontextmanager
async def watched(one: Stage) -> AsyncIterator[Kernel]:
    """An engine that has measured what all hold."""
    async with one.engine() as kernel:
        await until(lambda: not kernel.composition.unseen and "global" in kernel.world.equity)
        yield kernel


def opened(kernel: Kernel) -> set[str]:
    return set(kernel.world.breakers)


def both(metric: str, *names: str) -> set[str]:
    return {f"{metric}:strategy:{name}" for name in names} | {f"{metric}:global"}


async def sell(kernel: Kernel) -> IntentId:
    """Asks to sell a tenth of a WETH for USDC, in the name of the first strategy."""
    token = {
        "symbol": "WETH",
        "address": checksum_address(WETH),
        "decimals": 18,
        "chain_id": GENESIS["chain_id"],
    }
    body = {
        "id": str(uuid4()),
        "strategy_id": IDS["one"],
        "type": "DISPOSE",
        "assets": [{"asset": token, "amount": str(10**17)}],
        "constraints": {"max_slippage": "0.05", "time_window_ms": 600_000, "execution_style": "IMMEDIATE"},
    }
    request = json.dumps(body).encode()
    receipt = await kernel.submit(parse_submission(request), source="api", request=request)
    return IntentId(receipt.intent_id)


async def ended(kernel: Kernel, intent_id: IntentId) -> tuple[str, str | None]:
    """How an intent ends: its status, and the code of its reason."""
    view = await kernel.wait_until_ended(intent_id, 20)
    return view.status, view.code


async def test_a_loss_that_nobody_realised_halts_with_no_trade_closed(at: Stage) -> None:
    async with watched(at) as kernel:
        assert opened(kernel) == set()
        price(at, 2_700)  # 6.7 % of what they hold
        price(at, 2_500)  # 11.1 %
        await until(lambda: opened(kernel) == both("drawdown.reduce", "one", "two"))
        price(at, 2_000)  # 22.2 %
        await until(lambda: opened(kernel) >= both("drawdown.halt", "one", "two"))
        assert not kernel.world.intents  # nothing was asked for, let alone traded
        assert at.nonce() == 0
        said = kernel.world.breakers["drawdown.halt:strategy:one"]
        assert (said.latched, said.limit) == (True, 150_000)
        assert 222_000 <= said.used <= 223_000
        stopped = await submit(kernel)
        assert await ended(kernel, stopped) == ("REJECTED", "breaker_open")
        told = await (await kernel.queries()).explain(stopped)
        assert "breaker_open: breaker drawdown." in told.summary
        assert told.next_step == "sep breaker list"
        assert at.nonce() == 0
        # What lowers risk is let through, and is no way around: the breaker stays.
        assert (await ended(kernel, await sell(kernel)))[0] == "SETTLED"
        price(at, 3_000)
        await until(lambda: kernel.world.equity["global"].last.value > 0)
        assert "drawdown.halt:global" in opened(kernel)
    async with watched(at) as kernel:  # nor is a restart
        assert opened(kernel) >= both("drawdown.halt", "one", "two")
        assert await ended(kernel, await submit(kernel)) == ("REJECTED", "breaker_open")


async def test_a_wedged_strategy_is_halted_like_any_other(at: Stage, site: Path) -> None:
    dist = Hostile("strategy", "on_block", "waits for ever").install(site)
    at.tables["plugins"]["enabled"].append(dist)
    at.tables["strategies"]["one"] = {"use": "hostile", "account": "first"}
    async with watched(at) as kernel:
        price(at, 2_000)
        await until(lambda: opened(kernel) >= both("drawdown.halt", "one", "two"))
        assert at.nonce() == 0


async def test_a_loss_while_nobody_looked_stops_what_was_approved_before(
    at: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that ended between approval and signature sees the loss before it signs anything."""
    async with watched(at) as kernel:
        monkeypatch.setattr(LaneWork, "next_work", lambda self: None)
        approved = await submit(kernel)
        await until(lambda: kernel.world.intents[approved].status == "RISK_APPROVED")
    monkeypatch.undo()
    price(at, 2_000)
    async with watched(at) as kernel:
        assert opened(kernel) >= both("drawdown.halt", "one", "two")
        assert (await ended(kernel, approved))[0] in ("REJECTED", "CANCELLED")
        assert at.nonce() == 0


async def test_what_cannot_be_measured_is_blocked_until_it_can_be(
    at: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(at) as kernel:
        found = EquityWatch._value
        monkeypatch.setattr(
            EquityWatch,
            "_value",
            lambda self, asset, held: None if WETH in asset else found(self, asset, held),
        )
        await until(lambda: opened(kernel) >= both("measuring", "one", "two"))
        assert "has no price now" in kernel.world.breakers["measuring:global"].reason
        assert await ended(kernel, await submit(kernel)) == ("REJECTED", "breaker_open")
        assert await ended(kernel, await sell(kernel)) == ("REJECTED", "breaker_open")
        with pytest.raises(BreakerHolds, match="closes by itself"):
            await kernel.close_breaker("measuring:global", WHY, "tests")
        monkeypatch.undo()
        await until(lambda: not opened(kernel))
        await settle(kernel)


async def test_a_token_that_has_left_the_configuration_is_not_taken_for_the_chain_s_coin(at: Stage) -> None:
    async with watched(at) as kernel:
        pass
    del at.tables["assets"]["WETH"]
    async with at.engine() as kernel:
        await until(lambda: opened(kernel) >= both("measuring", "one", "two"))
        assert "has no price now" in kernel.world.breakers["measuring:global"].reason
        assert kernel.world.equity["global"].last.high == 10**18


async def test_a_rule_that_fails_to_watch_is_no_all_clear(at: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Drawdown, equity: object) -> object:
        raise ValueError("its table of references is gone")

    async with watched(at) as kernel:
        monkeypatch.setattr(Drawdown, "watch", broken)
        await until(lambda: opened(kernel) >= both("measuring", "one", "two"))
        assert "references is gone" in kernel.world.breakers["measuring:strategy:two"].reason


async def test_money_that_leaves_is_no_loss_and_hides_none(at: Stage) -> None:
    """A sixth of everything is paid out by hand, which would halt as a loss."""
    async with watched(at) as kernel:
        pay_outside(at, amount=15_000 * 10**6)
        await until(lambda: kernel.world.lanes[kernel.world.lane_of_account["first"]].frozen is not None)
        await kernel.release_account("first", "the treasurer paid a bill by hand", "tests")
        await until(lambda: kernel.world.equity["strategy:one"].last.value < 76_000 * 10**6)
        paid = kernel.world.equity["strategy:one"].last
        assert 10**18 - 10**8 < paid.unit_value <= paid.high == 10**18
        assert opened(kernel) == set()
        price(at, 2_400)  # 16 % of the 75,000 that are left: of 90,000 it would be 13 %
        await until(lambda: "drawdown.halt:strategy:one" in opened(kernel))


async def test_a_person_closes_a_breaker_and_the_loss_is_not_counted_again(at: Stage) -> None:
    async with watched(at) as kernel:
        price(at, 2_000)
        await until(lambda: opened(kernel) >= both("drawdown.halt", "one", "two"))
        with pytest.raises(NotFound, match="no breaker 'nobody' is open"):
            await kernel.close_breaker("nobody", WHY, "tests")
        for name in sorted(opened(kernel)):
            await kernel.close_breaker(name, WHY, "tests")
        assert opened(kernel) == set()
        assert all(one.last.high == one.last.unit_value for one in kernel.world.equity.values())
        await settle(kernel)
        price(at, 1_400)  # the next loss is seen like the first
        await until(lambda: opened(kernel) >= both("drawdown.halt", "two"))
        page = await (await kernel.queries()).events(after=0, limit=500, types=["BreakerClosed"])
        assert {(one.body["reason"], one.body["by"]) for one in page.items} == {(WHY, "tests")}


async def refused_as_old(kernel: Kernel, account: str) -> None:
    """Returns once the account's signer refuses what was checked before any breaker opened."""
    store = kernel.store
    with anyio.fail_after(20):
        for nonce in itertools.count():  # the epoch is on its way to the signer
            step = Transaction(
                GENESIS["chain_id"],
                nonce,
                address(GENESIS["router"]),
                Amount(0),
                b"\x12\x34\x56\x78",
                100_000,
                10**9,
                1,
            )
            asked = SignRequest(IntentId(store.store_id), f"{nonce}", store.epoch, "", step, store.store_id)
            try:
                await kernel.installation.signers[account].sign(asked)
            except CheckTooOld as error:
                said = error.message
                break
        assert "breaker epoch 0 is older than" in said


async def test_the_signer_refuses_what_was_checked_before_a_breaker_opened(at: Stage) -> None:
    """An engine that was paused between its checks and the signature gets none."""
    async with watched(at) as kernel:
        price(at, 2_000)
        await until(lambda: opened(kernel) >= both("drawdown.halt", "one", "two"))
        await refused_as_old(kernel, "first")
        await refused_as_old(kernel, "second")


async def test_a_signer_that_is_away_holds_up_no_other_and_is_told_when_it_is_back(
    at: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: object) -> None:
        raise Ambiguous("its process is away")

    async with watched(at) as kernel:
        monkeypatch.setattr(kernel.installation.signers["first"], "advance_epoch", gone)
        price(at, 2_000)
        await until(lambda: opened(kernel) >= both("drawdown.halt", "one", "two"))
        await refused_as_old(kernel, "second")
        monkeypatch.undo()
        await refused_as_old(kernel, "first")


async def test_the_interface_shows_and_closes_breakers(at: Stage) -> None:
    async with (
        watched(at) as kernel,
        serving(kernel, "secret") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        calm = (await client.get("/v1/breakers")).json()
        assert calm["items"] == []
        assert {one["scope"] for one in calm["equity"]} == {"global", "strategy:one", "strategy:two"}
        position = kernel.world.position
        price(at, 2_000)
        await until(lambda: opened(kernel) >= both("drawdown.halt", "one", "two"))
        await kernel.desk.settled()
        halted = (await client.get("/v1/breakers")).json()
        assert {one["name"] for one in halted["items"]} == opened(kernel)
        assert (await client.get(f"/v1/breakers?as_of={position}")).json() == calm
        by: dict[str, Any] = {"headers": {"authorization": "Bearer secret"}}
        path = "/v1/breakers/drawdown.halt:global/close"
        for wrong, status in (
            ({**by, "json": {}}, 422),
            ({**by, "json": {"reason": " "}}, 422),
            ({"json": {"reason": WHY}}, 401),
            ({**by, "content": b"{"}, 415),
        ):
            assert (await client.post(path, **wrong)).status_code == status
        assert (await client.post("/v1/breakers/nobody/close", **by, json={"reason": WHY})).status_code == 404
        answer = await client.post(path, **by, json={"reason": WHY})
        assert answer.status_code == 200
        assert path.split("/")[3] not in {one["name"] for one in answer.json()["items"]}


def test_at_the_command_line(tmp_path: Path) -> None:
    assert sep("init", "bot", cwd=tmp_path).code == 0
    folder = tmp_path / "bot"
    rule = '\n[risk.drawdown]\nuse = "drawdown"\nnumeraire = "USDC"\n'
    said = (folder / "sep.toml").read_text().replace("enabled = [", 'enabled = ["sep-risk-drawdown", ', 1)
    (folder / "sep.toml").write_text(said + rule)
    close = ("breaker", "close", "drawdown.halt:global")
    refused(sep(*close, "--reason", "x", cwd=folder), 4, "api-token", "sep serve")
    with running(["serve", "--json", "--port", "0", "--log", "engine.log"], folder, '"ready"'):
        found = sep("breaker", "list", "--json", cwd=folder).json
        while not found["equity"]:  # the first mark is on its way
            found = sep("breaker", "list", "--json", cwd=folder).json
        assert "global" in {one["scope"] for one in found["equity"]}
        refused(sep(*close, cwd=folder), 2, "--reason")
        refused(sep(*close, "--reason", " ", cwd=folder), 1, "/reason", "line of text")
        refused(sep(*close, "--reason", "x", cwd=folder), 1, "drawdown.halt:global", "sep breaker list")
    shown = sep("breaker", "list", cwd=folder).out
    assert "no breaker is open" in shown
    assert "BELOW ITS HIGH" in shown
    assert sep("breaker", "list", "--as-of", "0", cwd=folder).out == "no breaker is open\n"


@contextmanager
def closed_trades_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Planted: what was not sold is worth what it was worth when it was first seen."""
    first: dict[str, int] = {}
    real = EquityWatch._value

    def value(self: EquityWatch, asset: AssetId, quantity: int) -> int | None:
        unit = 10**6
        known = first.setdefault(asset, real(self, asset, unit * unit) or 0)
        return quantity * known // (unit * unit)

    with monkeypatch.context() as bug:
        bug.setattr(EquityWatch, "_value", value)
        yield


@contextmanager
def withdrawals_count(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Planted: money that leaves is a loss."""
    real = Ledger.totals
    with monkeypatch.context() as bug:
        bug.setattr(Ledger, "totals", lambda self, kind: {} if kind == "external" else real(self, kind))
        yield


@contextmanager
def unmeasured_is_calm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Planted: what has no price is worth nothing worth a word."""
    with monkeypatch.context() as bug:
        bug.setattr(Watchkeeping, "missed", lambda *_: iter(()))
        yield


@pytest.mark.parametrize(
    ("planted", "seen_by"),
    [
        (closed_trades_alone, test_a_loss_that_nobody_realised_halts_with_no_trade_closed),
        (withdrawals_count, test_money_that_leaves_is_no_loss_and_hides_none),
        (unmeasured_is_calm, test_what_cannot_be_measured_is_blocked_until_it_can_be),
    ],
)
async def test_a_planted_bug_is_seen(
    at: Stage, monkeypatch: pytest.MonkeyPatch, planted: Any, seen_by: Any
) -> None:
    monkeypatch.setattr(identity_engine, "WAIT_SECONDS", 5.0)
    wanted = {"at": at, "monkeypatch": monkeypatch}
    given = {name: wanted[name] for name in signature(seen_by).parameters}
    with planted(monkeypatch), pytest.raises(ExceptionGroup) as found:
        await seen_by(**given)
    assert found.group_contains((AssertionError, TimeoutError))
