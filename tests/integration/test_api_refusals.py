"""What must not come in: each mistake gets a problem document that names its place, and leaves no trace."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import Response

from .api_engine import Engine, engine, intent

pytestmark = pytest.mark.anyio

FIELDS = {"type", "title", "status", "detail", "code", "errors", "next_step", "retryable", "intent_id"}


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """A serving engine."""
    async with engine(tmp_path_factory.mktemp("engine")) as one:
        yield one


@pytest.fixture(autouse=True)
async def nothing_recorded(served: Engine) -> AsyncIterator[None]:
    """No refusal may leave an intent in the log."""
    yield
    assert (await served.client.get("/v1/intents")).json()["items"] == []


def problem(answer: Response, status: int) -> dict[str, Any]:
    """The problem document of an answer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert set(found) == FIELDS
    assert found["status"] == status
    assert found["detail"]
    assert "Traceback" not in answer.text
    assert "site-packages" not in answer.text
    assert "x-sep-pos" in answer.headers
    return found


def with_asset(**changes: object) -> dict[str, Any]:
    """An intent whose asset is said otherwise."""
    body = intent()
    body["assets"][0]["asset"].update(changes)
    return body


def with_leg(**changes: object) -> dict[str, Any]:
    """An intent whose amount is said otherwise."""
    body = intent()
    body["assets"][0].update(changes)
    return body


def with_constraints(**changes: object) -> dict[str, Any]:
    """An intent whose constraints are said otherwise."""
    body = intent()
    body["constraints"].update(changes)
    return body


def broken_checksum() -> str:
    """The address of WETH with one letter in the wrong case."""
    right = str(with_asset()["assets"][0]["asset"]["address"])
    at = next(i for i, letter in enumerate(right) if i > 1 and letter.isalpha())
    return right[:at] + right[at].swapcase() + right[at + 1 :]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (with_asset(address="0x" + "12" * 20), "/assets/0/asset", "unknown_asset"),
        (with_asset(chain_id=1), "/assets/0/asset", "unknown_asset"),
        (with_asset(address=broken_checksum()), "/assets/0/asset/address", "wrong_checksum"),
        (with_asset(address="0x12"), "/assets/0/asset/address", "invalid"),
        (with_asset(decimals=6), "/assets/0/asset/decimals", "decimals_differ"),
        (with_leg(amount="0"), "/assets/0/amount", None),
        (with_leg(amount="-1"), "/assets/0/amount", "invalid"),
        (with_leg(amount="1" + "0" * 80), "/assets/0/amount", "invalid"),
        (with_leg(amount=1), "/assets/0/amount", "invalid"),
        (with_leg(amount="0x10"), "/assets/0/amount", "invalid"),
        (with_leg(amount="١"), "/assets/0/amount", "invalid"),
        (with_leg(percentage=2), "/assets/0/percentage", None),
        (with_constraints(max_slippage=0.5), "/constraints/max_slippage", "constraint_out_of_bounds"),
        (with_constraints(time_window_ms=1), "/constraints/time_window_ms", "constraint_out_of_bounds"),
        (with_constraints(execution_style="FAST"), "/constraints/execution_style", "invalid"),
        (with_constraints(venues=["nowhere"]), "/constraints/venues/0", "unknown_venue"),
        (with_constraints(max_slippage=True), "/constraints/max_slippage", "invalid"),
        (intent(deadline="2020-01-01T00:00:00Z"), "/deadline", None),
        (intent(deadline="2020-01-01T00:00:00"), "/deadline", "invalid"),
        (intent(strategy_id="00000000-0000-0000-0000-000000000001"), "/strategy_id", "unknown_strategy"),
        (intent(id="me"), "/id", "invalid"),
        (intent(assets=[]), "/assets", "invalid"),
        (intent(assets="WETH"), "/assets", "invalid"),
        (intent(type="BRIDGE"), "/type", None),
        (intent(type="STEAL"), "/type", "invalid"),
        (intent(extra=1), "/extra", "unknown_field"),
        ({}, "/id", "missing"),
    ],
)
async def test_a_wrong_field_is_named(
    served: Engine, body: dict[str, Any], pointer: str, code: str | None
) -> None:
    """422 with a JSON pointer, on the route and on the dry run."""
    for path in ("/v1/intents", "/v1/intents/dry-run"):
        found = problem(await served.send(body, path=path), 422)
        places = {one["pointer"]: one["code"] for one in found["errors"]}
        assert pointer in places, places
        assert code in (None, places[pointer])
        assert found["next_step"]


GOOD = json.dumps(intent(id="25b6a0de-0000-4000-8000-000000000001")).encode()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "not_json"),
        (b"{", 400, "not_json"),
        (b"[]", 422, "invalid"),
        (b"null", 422, "invalid"),
        (GOOD[:-1] + b', "type": "DISPOSE"}', 400, "duplicate_key"),
        (GOOD.replace(b"0.005", b"NaN"), 400, "not_json"),
        (GOOD.replace(b"0.005", b"Infinity"), 400, "not_json"),
        (GOOD.replace(b"60000", b"9" * 5000), 400, "number_too_long"),
        (GOOD.replace(b"0.005", b"1e999999"), 422, "invalid"),
        (GOOD.replace(b"0.005", b"1e-999999"), 422, "invalid"),
        (b"[" * 1000 + b"]" * 1000, 400, "nested_too_deep"),
        (b"[" * 60000, 400, "nested_too_deep"),
        (GOOD.replace(b"WETH", b"\xff\xfe"), 400, "not_utf8"),
        (GOOD.replace(b"WETH", b"\\ud800"), None, None),
        (b"\xef\xbb\xbf" + GOOD, 400, "not_json"),
        (GOOD + b" " * (70 * 1024), 413, "body_too_large"),
        (b"a" * (5 * 1024 * 1024), 413, "body_too_large"),
    ],
    ids=lambda value: f"{value[:12]!r}" if isinstance(value, bytes) else None,
)
async def test_a_body_that_cannot_be_read_is_refused(
    served: Engine, body: bytes, status: int | None, code: str | None
) -> None:
    """By its first mistake."""
    answer = await served.send(body)
    found = problem(answer, status or answer.status_code)
    assert answer.status_code < 500
    assert code in (None, found["code"])


async def test_all_mistakes_come_together(served: Engine) -> None:
    """Not one at a time."""
    body = with_constraints(venues=["a"], chains=["b"])
    body["strategy_id"] = "00000000-0000-0000-0000-000000000001"
    found = problem(await served.send(body), 422)
    assert {one["pointer"] for one in found["errors"]} == {
        "/strategy_id",
        "/constraints/venues/0",
        "/constraints/chains/0",
    }


async def test_a_chunked_body_is_bounded_too(served: Engine) -> None:
    """Without a content length."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1024

    answer = await served.client.post(
        "/v1/intents",
        content=chunks(),
        headers={"authorization": f"Bearer {served.token}", "content-type": "application/json"},
    )
    problem(answer, 413)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_only_json_is_read(served: Engine, kind: str) -> None:
    """Which a plain web form cannot send."""
    answer = await served.client.post(
        "/v1/intents",
        content=GOOD,
        headers={"authorization": f"Bearer {served.token}", **({"content-type": kind} if kind else {})},
    )
    assert problem(answer, 415)["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/intents",
        "/intents/submit",
        "/v1/intents/dry-run",
        "/v1/intents/a3a2e9a8-1b3c-4d5e-8f6a-7b8c9d0e1f2a/cancel",
    ],
)
@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic abc", "Bearer é"])
async def test_a_write_needs_the_token(served: Engine, path: str, given: str) -> None:
    """Whatever else is wrong with it."""
    headers = {"authorization": given.encode(), "content-type": b"application/json"} if given else {}
    answer = await served.client.post(path, content=GOOD, headers=headers)
    assert problem(answer, 401)["code"] == "unauthorised"
    assert answer.headers["www-authenticate"] == 'Bearer realm="sep"'
    assert served.token not in answer.text


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("host", "attacker.example", "foreign_host"),
        ("host", "127.0.0.1.attacker.example:80", "foreign_host"),
        ("host", "localhost.attacker.example", "foreign_host"),
        ("host", "10.0.0.1", "foreign_host"),
        ("origin", "https://attacker.example", "foreign_origin"),
        ("origin", "null", "foreign_origin"),
        ("origin", "http://localhost:1", "foreign_origin"),
    ],
)
async def test_web_pages_stay_out(served: Engine, name: str, value: str, code: str) -> None:
    """Neither a rebound name nor a page of another origin may read or write, token or not."""
    assert problem(await served.send(GOOD, **{name: value}), 403)["code"] == code
    answer = await served.client.get("/v1/portfolio", headers={name: value})
    assert problem(answer, 403)["code"] == code
    preflight = await served.client.options("/v1/intents", headers={name: value})
    assert "access-control-allow-origin" not in preflight.headers


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]:80", "127.1.2.3"])
async def test_loopback_names_are_known(served: Engine, host: str) -> None:
    """With and without a port."""
    answer = await served.client.get("/livez", headers={"host": host})
    assert answer.status_code == 200
    own = await served.client.get("/livez", headers={"host": host, "origin": f"http://{host}"})
    assert own.status_code == 200


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("limit=0", "query.limit", "invalid"),
        ("limit=501", "query.limit", "invalid"),
        ("limit=x", "query.limit", "invalid"),
        ("limit=1&limit=2", "query.limit", "duplicate_parameter"),
        ("status=DONE", "query.status", "invalid"),
        ("as_of=yesterday", "query.as_of", "invalid"),
        ("as_of=2026-01-31T12:00:00", "query.as_of", "invalid"),
        ("as_of=2026-02-31T12:00:00Z", "query.as_of", "invalid"),
        ("as_off=1", "query.as_off", "unknown_parameter"),
        ("strategy=%ff", "query", "malformed"),
        ("&".join(f"a{n}=1" for n in range(100)), "query", "malformed"),
    ],
)
async def test_a_wrong_parameter_is_named(served: Engine, query: str, pointer: str, code: str) -> None:
    """A misspelt one too: it would silently ask something else."""
    found = problem(await served.client.get(f"/v1/intents?{query}"), 400)
    assert found["errors"][0]["pointer"] == pointer
    assert found["errors"][0]["code"] == code


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/intents/not-a-uuid", 404, "not_found"),
        ("/v1/intents/00000000-0000-0000-0000-000000000000", 404, "not_found"),
        ("/v1/intents/00000000-0000-0000-0000-000000000000/plan", 404, "not_found"),
        ("/v1/intents/00000000-0000-0000-0000-000000000000/events", 404, "not_found"),
        ("/v1/intents/by-client-id/author/00000000-0000-0000-0000-000000000000", 404, "not_found"),
        ("/v1/intents/by-client-id/nobody/00000000-0000-0000-0000-000000000000", 404, "not_found"),
        ("/v1/intents?as_of=999999999", 404, "not_in_log"),
        ("/v1/intents?cursor=abc", 400, "bad_cursor"),
        ("/v1/intents?cursor=%C3%A9%F0%9F%98%80", 400, "invalid"),
        ("/v1/events/0", 400, "malformed"),
        ("/v1/events/999999999", 404, "not_found"),
        ("/v1/events/99999999999999999999999999", 400, "malformed"),
        ("/v1/events?stream=%00", 400, "invalid"),
        ("/v1/stream?after=999999999", 404, "not_in_log"),
        ("/v1/nothing", 404, "not_found"),
        ("/schema/nothing", 404, "not_found"),
        ("/v1/portfolio?as_of=-1", 400, "invalid"),
    ],
)
async def test_what_is_not_there_is_said_so(served: Engine, path: str, status: int, code: str) -> None:
    """Each in the one form of all errors."""
    assert problem(await served.client.get(path), status)["code"] == code


async def test_a_wrong_method_is_told_the_right_one(served: Engine) -> None:
    """405 names what is allowed."""
    answer = await served.client.delete("/v1/intents")
    assert problem(answer, 405)["code"] == "method_not_allowed"
    asked = await served.client.options("/v1/intents")
    assert asked.status_code == 204
    for one in (answer, asked):
        assert set(one.headers["allow"].replace(" ", "").split(",")) == {"GET", "POST", "OPTIONS"}


async def test_wrong_last_event_ids_are_refused(served: Engine) -> None:
    """They would silently begin elsewhere."""
    for text in ("x", "-1", "1.5", "9" * 30):
        answer = await served.client.get("/v1/stream", headers={"last-event-id": text})
        assert problem(answer, 400)["errors"][0]["pointer"] == "header.Last-Event-ID"
