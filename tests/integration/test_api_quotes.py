"""Quotes over HTTP: a priced route with its proof, bounded work, and a problem document for everything else."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest
from httpx import Response
from sep_hooks.types import Plan, address
from sep_native.decode import checksum_address

from sep_core.events.codec import encode
from sep_core.events.values import value_codec
from sep_core.markets.snapshot_data import SnapshotData
from sep_core.markets.snapshot_reader import snapshot_of
from sep_core.markets.strict_json import FileRefused
from sep_core.planning.digest import named
from sep_core.runtime.plan_check import check_answer
from sep_core.runtime.stored_plan_check import check_stored_plan, is_stored_plan

from .api_engine import GENESIS, TOKENS, Engine, engine, intent

pytestmark = pytest.mark.anyio

PATH = "/v1/quotes"
DEEP = b'{"spend":' + b"[" * 500 + b"]" * 500 + b"}"


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """A serving engine."""
    async with engine(tmp_path_factory.mktemp("engine")) as one:
        yield one


def asset(symbol: str) -> dict[str, Any]:
    return {"address": checksum_address(TOKENS[symbol]["address"]), "chain_id": GENESIS["chain_id"]}


def body(**change: object) -> dict[str, Any]:
    """One WETH for USDC."""
    return {
        "spend": [{"asset": asset("WETH"), "amount": str(10**18)}],
        "receive": {"asset": asset("USDC")},
        **change,
    }


async def test_a_quote_is_proven_by_its_own_snapshot_and_leaves_no_trace(served: Engine) -> None:
    before = (await served.client.get("/v1/events")).json()
    answer = await served.send(body(include_snapshot=True), path=PATH)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["legs"]
    assert found["spends"][0]["text"] == "1 WETH"
    assert found["gas_priced"] is True
    checked = check_answer(found, "the answer")
    assert not checked.differences
    bare = (await served.send(body(), path=PATH)).json()
    assert bare["snapshot"] is None
    after = (await served.client.get("/v1/events")).json()
    assert after == before


THIEF = "0x" + "66" * 20
decode_plan = value_codec(Plan)[1]
encode_plan = value_codec(Plan)[0]


def exchange_of(plan: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in plan["steps"] if one["order"] is not None)
    return found


FALSE: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("/plan/receives/0/expected", lambda it: it["receives"][0].update(expected="9" * 30, quoted="9" * 30)),
    ("/plan/receives/0/limit", lambda it: it["receives"][0].update(limit="0")),
    ("/plan/spends/0/expected", lambda it: it["spends"][0].update(expected="1")),
    ("/plan/spends/0/limit", lambda it: it["spends"][0].update(limit="0")),
    ("/plan/steps/1/order/amount_in", lambda it: exchange_of(it)["order"].update(amount_in=str(10**30))),
    ("/plan/steps/1/order/amount_out", lambda it: exchange_of(it)["order"].update(amount_out="1")),
    ("/plan/steps/1/order/recipient", lambda it: exchange_of(it)["order"].update(recipient=THIEF)),
    ("/plan/steps/1/call/value", lambda it: exchange_of(it)["call"].update(value="1")),
    ("/plan/steps/0/allowance", lambda it: it["steps"][0].update(allowance=str(2**256 - 1))),
    ("/plan/steps/0/call", lambda it: it["steps"][0].update(spender=THIEF)),
    ("/plan/steps/0/call", lambda it: it["steps"][0]["call"].update(to=THIEF)),
    ("/plan/steps", lambda it: it["steps"].append(exchange_of(it))),
    ("/plan/sandwich/amount", lambda it: it["sandwich"].update(amount="0")),
    ("/plan/gas_limit", lambda it: it.update(gas_limit=1)),
    ("/plan/snapshot/markets", lambda it: it["snapshot"].update(markets=99)),
    ("/plan/certificate/gap_before_gas", lambda it: it["certificate"].update(gap_before_gas="nan")),
    ("/plan/certificate/gap_before_gas", lambda it: it["certificate"].update(gap_before_gas=(0.5).hex())),
    ("/plan/certificate/bound", lambda it: it["certificate"].update(bound="inf")),
    ("/plan/certificate/bound", lambda it: it["certificate"].update(bound=(1.0).hex())),
    ("/plan/certificate/objective", lambda it: it["certificate"].update(objective="inf")),
    ("/plan/certificate/net_gap", lambda it: it["certificate"].update(net_gap="best possible")),
    ("/plan/certificate/single_path/gas", lambda it: it["certificate"]["single_path"].update(gas=0)),
]


def falsified(plan: dict[str, Any], data: SnapshotData) -> None:
    """Whatever is changed in a plan is found, though its own digest was made to fit."""
    account = address(exchange_of(plan)["order"]["recipient"])
    honest = check_stored_plan(plan, "it", data, account)
    assert not honest.differences
    assert "max_slippage" in honest.unchecked[0]
    for pointer, change in FALSE:
        changed = json.loads(json.dumps(plan))
        change(changed)
        document = json.loads(encode(encode_plan(named(decode_plan(encode(changed))))))
        found = check_stored_plan(document, "it", data, account).differences
        assert pointer in {one.pointer for one in found}, (pointer, found)
        assert all((one.said + one.found).isprintable() for one in found)


@pytest.mark.parametrize("kind", ["DISPOSE", "ACQUIRE"])
async def test_a_plan_of_the_log_holds_on_the_snapshot_of_its_block(served: Engine, kind: str) -> None:
    """In paper mode nothing moves the markets, so the states of the plan are still those of now."""
    asked = intent(type=kind)
    accepted = await served.send(asked, prefer="wait=30")
    assert accepted.json()["status"] == "SETTLED", accepted.text
    page = (await served.client.get(f"/v1/intents/{accepted.json()['intent_id']}/events")).json()
    (planned,) = (one for one in page["items"] if one["type"] == "IntentPlanned")
    snapshot = (await served.send(body(include_snapshot=True), path=PATH)).json()["snapshot"]
    data = snapshot_of(snapshot, "it")
    for document in (planned, planned["body"], planned["body"]["plan"]):
        assert is_stored_plan(document)
        checked = check_stored_plan(document, "it", data)
        assert not checked.differences
        assert checked.covered, checked.notes
        assert not checked.notes
    falsified(planned["body"]["plan"], data)
    changed = json.loads(json.dumps(planned))
    changed["body"]["plan"]["certificate"]["bound"] = (1.0).hex()
    found = check_stored_plan(changed, "it", data).differences
    assert "/plan/digest" in {one.pointer for one in found}
    moved = json.loads(json.dumps(snapshot))
    moved["digest"] = None
    moved["markets"][0]["gas"] += 1
    found = check_stored_plan(planned, "it", snapshot_of(moved, "it")).differences
    assert [one.pointer for one in found] == ["/plan/snapshot/digest"]
    wrong: object
    for wrong in ({"steps": [], "snapshot": {}}, {"plan": {"steps": 1, "snapshot": 1}}):
        with pytest.raises(FileRefused):
            check_stored_plan(wrong, "it", data)
    assert not is_stored_plan([])
    assert not is_stored_plan({"plan": {}})


async def test_an_exact_amount_out_and_limits(served: Engine) -> None:
    wanted = body(
        spend=[{"asset": asset("WETH")}],
        receive={"asset": asset("USDC"), "amount": "100000000"},
        max_legs=1,
        include_snapshot=True,
    )
    found = (await served.send(wanted, path=PATH)).json()
    assert len(found["legs"]) == 1
    assert int(found["receives"][0]["amount"]) >= 100_000_000
    assert not check_answer(found, "the answer").differences


def problem(answer: Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["detail"]
    assert "Traceback" not in answer.text
    return found


NOBODY = {"address": "0x" + "12" * 20, "chain_id": GENESIS["chain_id"]}


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        (body(receive={"asset": asset("WETH")}), "/receive/asset"),
        (body(receive={"asset": NOBODY}), "/receive/asset"),
        (body(receive={"asset": {**NOBODY, "chain_id": 1}}), "/receive/asset/chain_id"),
        (body(receive={"asset": {**asset("USDC"), "address": "0x12"}}), "/receive/asset/address"),
        (body(receive={"asset": asset("USDC"), "amount": "5"}), "/spend/0/amount"),
        (body(spend=[]), "/spend"),
        (body(spend=[{"asset": asset("WETH")}]), "/spend/0/amount"),
        (body(spend=[{"asset": asset("WETH"), "amount": "0"}]), "/spend/0/amount"),
        (body(spend=[{"asset": asset("WETH"), "amount": "-1"}]), "/spend/0/amount"),
        (body(spend=[{"asset": asset("WETH"), "amount": 1}]), "/spend/0/amount"),
        (body(spend=[{"asset": asset("WETH"), "amount": "1" + "0" * 80}]), "/spend/0/amount"),
        (body(spend=[{"asset": asset("WETH"), "amount": "1"}] * 2), "/spend"),
        (body(max_legs=0), "/max_legs"),
        (body(max_hops=9), "/max_hops"),
        (body(max_hops=True), "/max_hops"),
        (body(time_ms=60_000), "/time_ms"),
        (body(arbitrage="yes"), "/arbitrage"),
        (body(venues=["nowhere"]), "/venues/0"),
        (body(exclude=["nowhere/market"]), "/exclude/0"),
        (body(more=1), "/more"),
        ({}, "/spend"),
    ],
)
async def test_a_wrong_field_is_named(served: Engine, wrong: dict[str, Any], pointer: str) -> None:
    found = problem(await served.send(wrong, path=PATH), 422)
    assert pointer in {one["pointer"] for one in found["errors"]}, found
    assert found["next_step"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"nope", 400),
        (b'{"spend": NaN}', 400),
        (b'{"spend": [], "spend": []}', 400),
        (DEEP, 400),
        (b" " * 70_000, 413),
    ],
)
async def test_what_cannot_be_read_is_refused(served: Engine, content: bytes, status: int) -> None:
    problem(await served.send(content, path=PATH), status)


async def test_the_token_is_demanded(served: Engine) -> None:
    content = json.dumps(body()).encode()
    headers = {"content-type": "application/json"}
    problem(await served.client.post(PATH, content=content, headers=headers), 401)


async def test_more_than_the_markets_hold_has_no_route_or_an_honest_one(served: Engine) -> None:
    answer = await served.send(body(spend=[{"asset": asset("WETH"), "amount": str(2**255)}]), path=PATH)
    if answer.status_code == 200:
        assert int(answer.json()["spends"][0]["amount"]) == 2**255
    else:
        problem(answer, 422)


async def test_many_at_once_are_answered_or_told_to_come_again(served: Engine) -> None:
    found: list[Response] = []

    async def ask() -> None:
        found.append(await served.send(body(), path=PATH))

    async with anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(ask)
    assert {one.status_code for one in found} <= {200, 503}
    amounts = {one.json()["receives"][0]["amount"] for one in found if one.status_code == 200}
    assert len(amounts) == 1
    for one in found:
        if one.status_code == 503:
            assert problem(one, 503)["code"] == "quotes_busy"
    assert (await served.client.get("/livez")).status_code == 200
