"""Intents over HTTP, on a real engine: taken once, looked up, explained, cancelled."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import anyio
import httpx
import pytest

from .api_engine import STRATEGY, Engine, engine, intent

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """A serving engine."""
    async with engine(tmp_path_factory.mktemp("engine")) as one:
        yield one


async def test_an_intent_settles_and_sending_it_again_changes_nothing(served: Engine) -> None:
    """The receipt, the lookups, and the repeat."""
    body = intent()
    answer = await served.send(body, prefer="respond-async, wait=20")
    receipt = answer.json()
    assert answer.status_code == 202, receipt
    assert receipt["status"] == "SETTLED"
    assert answer.headers["preference-applied"] == "wait=20"
    assert int(answer.headers["x-sep-pos"]) >= receipt["position"]

    found = (await served.client.get(answer.headers["location"])).json()
    assert found["id"] == receipt["intent_id"]
    assert found["received"] == "100000000000000000"
    by_name = await served.client.get(f"/v1/intents/by-client-id/author/{body['id']}")
    by_id = await served.client.get(f"/v1/intents/by-client-id/{STRATEGY}/{body['id']}")
    assert by_name.json() == by_id.json() == found

    events = (await served.client.get(f"/v1/intents/{found['id']}/events")).json()["items"]
    before = (await served.client.get("/v1/audit/head")).json()["position"]
    again = await served.send(body)
    assert again.status_code == 202
    assert again.json() == {**receipt, "duplicate": True}
    assert (await served.client.get(f"/v1/intents/{found['id']}/events")).json()["items"] == events
    assert (await served.client.get("/v1/audit/head")).json()["position"] == before


async def test_an_intent_can_be_explained_and_proven(served: Engine) -> None:
    """Plan, explanation, receipt with proof, and the past."""
    receipt = (await served.send(intent(), path="/intents/submit", prefer="wait=20")).json()
    place = f"/v1/intents/{receipt['intent_id']}"
    plan = (await served.client.get(f"{place}/plan")).json()
    assert plan["receives"]["amount"] == "100000000000000000"
    explained = (await served.client.get(f"{place}/explain")).json()
    assert explained["intent"]["status"] == "SETTLED"
    assert explained["timeline"]
    proof = (await served.client.get(f"{place}/receipt")).json()
    assert proof["leaf_hash"] == receipt["leaf_hash"]
    assert proof["checkpoint"]
    assert proof["public_key"]
    past = await served.client.get(place, params={"as_of": receipt["position"]})
    assert past.json()["status"] in ("RECEIVED", "ACCEPTED")
    first = (await served.client.get(f"{place}/events", params={"limit": 1})).json()["items"][0]["position"]
    unborn = await served.client.get(place, params={"as_of": first - 1})
    assert unborn.status_code == 404
    event = (await served.client.get(f"/v1/events/{receipt['position']}")).json()
    assert event["position"] == receipt["position"]


async def test_the_same_id_with_another_content_is_a_conflict(served: Engine) -> None:
    """The id names one intent for ever."""
    body = intent()
    await served.send(body, prefer="wait=20")
    other = intent(id=body["id"], type="DISPOSE")
    answer = await served.send(other)
    assert answer.status_code == 409, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/id"


async def test_a_dry_run_records_nothing(served: Engine) -> None:
    """Plan and verdicts, no event."""
    before = (await served.client.get("/v1/audit/head")).json()["position"]
    answer = await served.send(intent(), path="/v1/intents/dry-run")
    assert answer.status_code == 200, answer.text
    assert answer.json()["approved"] is True
    assert answer.json()["plan"]["steps"]
    assert (await served.client.get("/v1/audit/head")).json()["position"] == before


async def test_cancelling_says_who_won(served: Engine) -> None:
    """A settled intent stays settled; one that nobody knows is not found."""
    receipt = (await served.send(intent(), prefer="wait=20")).json()
    answer = await served.send(b"", path=f"/v1/intents/{receipt['intent_id']}/cancel")
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "SETTLED"
    unknown = await served.send(b"{}", path=f"/v1/intents/{uuid4()}/cancel")
    assert unknown.status_code == 404
    assert unknown.json()["code"] == "not_found"
    assert unknown.json()["intent_id"] == unknown.url.path.split("/")[3]


async def test_pages_lead_through_all_intents(served: Engine) -> None:
    """Each intent once, newest first."""
    sent = [(await served.send(intent())).json()["intent_id"] for _ in range(5)]
    found: list[str] = []
    cursor: dict[str, str] = {}
    with anyio.fail_after(20):
        while True:
            page = (await served.client.get("/v1/intents", params={"limit": "2", **cursor})).json()
            found += [one["id"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
    assert found[:5] == sent[::-1]
    assert len(found) == len(set(found))


async def test_many_at_once_are_each_taken_once(served: Engine) -> None:
    """Twenty intents, each sent four times at the same moment."""
    bodies = [intent() for _ in range(20)]
    answers: list[httpx.Response] = []

    async def send(body: dict[str, object]) -> None:
        answers.append(await served.send(body))

    async with anyio.create_task_group() as group:
        for body in bodies * 4:
            group.start_soon(send, body)
    assert {one.status_code for one in answers} == {202}
    assert len({one.json()["intent_id"] for one in answers}) == 20
    assert sum(not one.json()["duplicate"] for one in answers) == 20


async def test_an_unchanged_log_is_not_sent_again(served: Engine) -> None:
    """The entity tag follows the log."""
    receipt = (await served.send(intent(), prefer="wait=20")).json()
    place = f"/v1/intents/{receipt['intent_id']}"
    with anyio.fail_after(10):
        while True:
            tag = (await served.client.get(place)).headers["etag"]
            unchanged = await served.client.get(place, headers={"if-none-match": f'"other", {tag}'})
            if unchanged.status_code == 304:
                break
    assert unchanged.content == b""
    await served.send(intent(), prefer="wait=20")
    assert (await served.client.get(place, headers={"if-none-match": tag})).status_code == 200


async def test_state_and_probes_answer(served: Engine) -> None:
    """Everything that is only read."""
    for path in ("portfolio", "plugins", "chains", "venues", "limits", "time", "audit/head", "events"):
        answer = await served.client.get(f"/v1/{path}")
        assert answer.status_code == 200, (path, answer.text)
        assert answer.headers["x-sep-pos"].isdigit()
    for path in ("/health", "/livez", "/readyz"):
        assert (await served.client.get(path)).json()["status"] == "ok"
    figures = await served.client.get("/metrics")
    assert figures.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "sep_log_position" in figures.text
    assert "sep_unknown_effects 0.0" in figures.text
    assert 'path="/v1/chains"' in figures.text
    page = await served.client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (await served.client.get("/v1/portfolio", params={"as_of": "0"})).json()["balances"] == []


async def test_the_data_survives_a_restart(tmp_path: Path) -> None:
    """The token is kept, and so is what was accepted."""
    body = intent()
    async with engine(tmp_path) as one:
        token, receipt = one.token, (await one.send(body, prefer="wait=20")).json()
    async with engine(tmp_path) as two:
        assert two.token == token
        again = (await two.send(body)).json()
        assert again == {**receipt, "duplicate": True}


async def test_an_intent_in_slices_shows_its_tree_and_is_cancelled_as_one(served: Engine) -> None:
    """The schedule, the first child, its way back, and an end that keeps what was done."""
    constraints = {
        "max_slippage": "0.05",
        "time_window_ms": 600_000,
        "execution_style": "VWAP",
        "slicing": {"profile": ["1", "2", 3], "size_jitter": "0.1"},
    }
    body = intent(constraints=constraints)
    shown = await served.send(body, path="/v1/intents/dry-run")
    assert shown.json()["approved"] is True
    assert "3 slices spread as the given volume profile" in shown.json()["reason"]
    receipt = (await served.send(body)).json()
    assert receipt["status"] in {"ACCEPTED", "EXECUTING"}, receipt
    place = f"/v1/intents/{receipt['intent_id']}"
    with anyio.fail_after(20):
        while not (found := (await served.client.get(place)).json())["slices"]["done"]["amount"].strip("0"):
            await served.client.get(place, headers={"Prefer": "wait=1"})
    assert found["constraints"]["slicing"]["profile"] == ["1", "2", "3"]
    assert found["status"] == "PARTIALLY_FILLED"
    tree = found["slices"]
    assert (tree["style"], len(tree["items"]), tree["pending"], len(tree["seed"])) == ("VWAP", 3, 2, 32)
    assert sum(int(one["amount"]["amount"]) for one in tree["items"]) == int(tree["total"]["amount"])
    first = tree["items"][0]
    child = (await served.client.get(f"/v1/intents/{first['id']}")).json()
    assert child["parent"] == {"intent_id": found["id"], "ordinal": 0}
    assert (child["status"], child["received"]) == ("SETTLED", first["amount"]["amount"])
    listed = (await served.client.get("/v1/intents", params={"limit": 500})).json()["items"]
    assert found["id"] in {one["id"] for one in listed}
    assert child["id"] not in {one["id"] for one in listed}
    again = (await served.send(body)).json()
    assert again["duplicate"] is True
    ended = (await served.send(b"", path=f"{place}/cancel")).json()
    assert (ended["status"], ended["slices"]["done"]) == ("CANCELLED", first["amount"])
    assert {change["asset"]["symbol"] for change in ended["changes"]} == {"WETH", "USDC"}


@pytest.mark.parametrize(
    ("slicing", "pointer", "code"),
    [
        ({"profile": ["1"]}, "/constraints/slicing/profile", "profile_length"),
        ({"profile": ["1", "-1"]}, "/constraints/slicing/profile/1", "invalid"),
        ({"profile": ["1", "1"], "slices": 2}, "/constraints/slicing/slices", "slicing_without_use"),
        (
            {"profile": ["1", "1"], "time_jitter": "1"},
            "/constraints/slicing/time_jitter",
            "jitter_out_of_range",
        ),
        ({"profile": ["1"] * 257}, "/constraints/slicing/profile", "invalid"),
        ({"weights": ["1", "1"]}, "/constraints/slicing/weights", "unknown_field"),
    ],
)
async def test_slicing_that_cannot_be_is_named_by_its_place(
    served: Engine, slicing: dict[str, object], pointer: str, code: str
) -> None:
    constraints = {
        "max_slippage": "0.05",
        "time_window_ms": 600_000,
        "execution_style": "VWAP",
        "slicing": slicing,
    }
    answer = await served.send(intent(constraints=constraints))
    assert answer.status_code == 422, answer.text
    assert (pointer, code) in {(one["pointer"], one["code"]) for one in answer.json()["errors"]}
