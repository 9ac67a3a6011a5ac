"""`as_of` on every read: what the interface says of the past is what the log said then."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from ..contract.test_api_document import KEPT
from .api_engine import Engine, engine, intent

pytestmark = pytest.mark.anyio

READS = (
    "/v1/intents",
    "/v1/portfolio",
    "/v1/accounts",
    "/v1/chains",
    "/v1/plugins",
    "/v1/limits",
    "/v1/venues",
    "/v1/venues/amm",
    "/v1/audit/head",
)


async def read(one: Engine, path: str, as_of: object = None) -> object:
    answer = await one.client.get(path, params=None if as_of is None else {"as_of": str(as_of)})
    assert answer.status_code == 200, (path, as_of, answer.text)
    return answer.json()


async def test_every_read_tells_of_the_past(tmp_path: Path) -> None:
    """Between two intents and two orders of an operator; by a position and by a moment."""
    async with engine(tmp_path) as one:
        first = UUID((await one.send(intent())).json()["intent_id"])
        await one.kernel.wait_until_ended(first, 20)
        await one.send({"reason": "under attack"}, path="/v1/venues/amm/disable")
        then = one.kernel.world.position
        (last,) = [event async for event in one.kernel.store.read_all(after=then - 1)]
        moment = last.recorded_at.isoformat()
        before = {path: await read(one, path, then) for path in READS}
        live = {path: await read(one, path) for path in READS}
        await one.send({"reason": "over"}, path="/v1/venues/amm/enable")
        second = UUID((await one.send(intent())).json()["intent_id"])
        await one.kernel.wait_until_ended(second, 20)
        for path in READS:
            assert await read(one, path, then) == before[path], "the past stays what it was"
            assert await read(one, path, moment) == before[path]
        for path in ("/v1/intents", "/v1/portfolio", "/v1/accounts", "/v1/limits", "/v1/audit/head"):
            assert before[path] == live[path], "and was the present once"
        venue = before["/v1/venues/amm"]
        assert isinstance(venue, dict)
        assert (venue["status"], venue["reason"], venue["calls"]) == (
            "disabled",
            "by api: under attack",
            None,
        )
        now = await read(one, "/v1/venues/amm")
        assert isinstance(now, dict)
        assert now["status"] == "ok"
        names = {
            path: sorted(row["name"] for row in before[path]["items"])
            for path in ("/v1/plugins", "/v1/chains")
        }  # type: ignore[index]
        assert names == {
            path: sorted(row["name"] for row in live[path]["items"])  # type: ignore[index]
            for path in names
        }
        head = await read(one, "/v1/audit/head", then)
        assert isinstance(head, dict)
        assert head["position"] <= then
        for path in READS:
            far = await one.client.get(path, params={"as_of": "99999999"})
            assert (far.status_code, far.json()["code"]) == (404, "not_in_log"), path
            wrong = await one.client.get(path, params={"as_of": "yesterday"})
            assert wrong.status_code in (400, 422), path
        assert (await one.client.get("/v1/venues/nobody", params={"as_of": str(then)})).status_code == 404
        assert (await one.client.get("/v1/limits", params={"as_of": "0"})).status_code == 404


def test_every_read_of_a_state_takes_it() -> None:
    """By the interface's own description: what has no past is named here."""

    described = json.loads(KEPT.read_text())["paths"]
    without = {
        path
        for path, verbs in described.items()
        if "get" in verbs and "as_of" not in {one["name"] for one in verbs["get"].get("parameters", [])}
    }
    now_alone = {"/", "/health", "/livez", "/metrics", "/readyz", "/v1/time"}
    the_log_itself = {"/v1/events/{position}", "/v1/stream", "/v1/intents/{intent_id}/receipt"}
    assert without <= now_alone | the_log_itself, without - now_alone - the_log_itself
