"""What must not come in, by file and by HTTP: the place is named, the next step too, and nothing of it stays."""

import http.client
import json
import tomllib
import urllib.request
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from sep_native.decode import checksum_address

from .command import refused, running, sep


@dataclass(frozen=True, slots=True)
class Served:
    """An engine in a process of its own: paper mode, simulated chain."""

    folder: Path
    url: str
    token: str
    valid: dict[str, Any]

    def post(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Submits over HTTP."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/intents/submit", body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def intents(self) -> list[dict[str, Any]]:
        """What the log holds of the author who lives outside."""
        with urllib.request.urlopen(f"{self.url}/v1/intents?strategy=mine&limit=500", timeout=30) as answer:
            return json.load(answer)["items"]  # type: ignore[no-any-return]

    def intent(self, **change: object) -> dict[str, Any]:
        """A valid one under a new id."""
        return {"id": str(uuid4()), **deepcopy(self.valid), **change}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serves for all tests of this file."""
    folder = tmp_path_factory.mktemp("intents")
    assert sep("init", ".", cwd=folder).code == 0
    tables = tomllib.loads((folder / "sep.toml").read_text())
    token = tables["assets"]["WETH"]
    asset = {"address": token["address"], "chain_id": 31337, "decimals": 18, "symbol": "WETH"}
    valid = {
        "strategy_id": tables["strategies"]["mine"]["id"],
        "type": "ACQUIRE",
        "assets": [{"asset": asset, "amount": "1000000000000000"}],
        "constraints": {"max_slippage": 0.005, "time_window_ms": 60000, "execution_style": "IMMEDIATE"},
    }
    with running(["serve", "--json", "--port", "0", "--log", "engine.log"], folder, '"ready"') as engine:
        said = json.loads(engine.said)
        yield Served(folder, said["url"], Path(said["token"]).read_text().strip(), valid)
        assert engine.stop() == 0


def _asset(**change: object) -> object:
    def mend(body: dict[str, Any]) -> None:
        body["assets"][0]["asset"].update(change)

    return mend


def _amount(amount: str) -> object:
    def mend(body: dict[str, Any]) -> None:
        body["assets"][0]["amount"] = amount

    return mend


def _wrong_checksum(body: dict[str, Any]) -> None:
    asset = body["assets"][0]["asset"]
    asset["address"] = "0x" + checksum_address(asset["address"])[2:].swapcase()


def _field(**change: object) -> object:
    def mend(body: dict[str, Any]) -> None:
        body.update(change)

    return mend


def _constraint(**change: object) -> object:
    def mend(body: dict[str, Any]) -> None:
        body["constraints"].update(change)

    return mend


WRONG = {
    "unknown asset": (
        _asset(address="0x" + "11" * 20),
        422,
        "unknown_asset",
        ["/assets/0/asset", "[assets]"],
    ),
    "wrong checksum": (_wrong_checksum, 422, "wrong_checksum", ["/assets/0/asset/address", "checksum"]),
    "other decimals": (_asset(decimals=6), 422, "decimals_differ", ["/assets/0/asset/decimals", "18"]),
    "zero": (_amount("0"), 422, "zero_amount", ["/assets/0/amount", "zero"]),
    "negative": (_amount("-1"), 422, "invalid", ["/assets/0/amount", "without sign"]),
    "fraction": (_amount("0.1"), 422, "invalid", ["/assets/0/amount", "base units"]),
    "10^80": (_amount("1" + "0" * 80), 422, "invalid", ["/assets/0/amount", "81 digits"]),
    "deadline in the past": (_field(deadline="2020-01-01T00:00:00Z"), 422, None, ["/deadline", "passed"]),
    "unknown strategy": (
        _field(strategy_id=str(uuid4())),
        422,
        "unknown_strategy",
        ["/strategy_id", "[strategies.NAME]"],
    ),
    "unknown field": (_field(venue="x"), 422, "unknown_field", ["/venue"]),
    "type of a later release": (_field(type="BRIDGE"), 422, None, ["/type", "later release"]),
    "VWAP without a profile": (
        _constraint(execution_style="VWAP"),
        422,
        "profile_missing",
        ["/constraints/slicing/profile", "2 to 256 weights"],
    ),
    "more slices than seconds": (
        _constraint(execution_style="TWAP", slicing={"slices": 61}),
        422,
        "slices_too_close",
        ["/constraints/slicing", "widen the window"],
    ),
    "slices for a whole": (
        _constraint(slicing={"slices": 2}),
        422,
        "slicing_without_use",
        ["/constraints/slicing", "TWAP or VWAP"],
    ),
    "a weight that is no number": (
        _constraint(execution_style="VWAP", slicing={"profile": ["1", "NaN"]}),
        422,
        "invalid",
        ["/constraints/slicing/profile/1", "NaN"],
    ),
    "a rebalance of one asset": (_field(type="REBALANCE"), 422, None, ["/assets", "at least two assets"]),
    "no id": (lambda body: body.pop("id"), 422, "missing", ["/id"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_intent_is_named_by_its_place(served: Served, name: str) -> None:
    """By file and by HTTP alike."""
    mend, status, code, words = WRONG[name]
    body = served.intent()
    mend(body)  # type: ignore[operator]
    _refused_both_ways(served, json.dumps(body).encode(), status, code, words)


RAW = {
    "duplicate key": (
        lambda text: text[:-1] + b', "type": "ACQUIRE"}',
        400,
        "duplicate_key",
        ["'type'", "twice"],
    ),
    "70 KiB": (lambda text: text[:-1] + b" " * 70 * 1024 + b"}", 413, "body_too_large", ["65536 bytes"]),
    "not JSON": (lambda text: text[:-1], 400, "not_json", ["line 1, column"]),
    "not UTF-8": (lambda text: text.replace(b"ACQUIRE", b"\xff"), 400, "not_utf8", ["UTF-8"]),
    "nothing": (lambda _: b"", 400, None, []),
    "a list": (lambda _: b"[]", 422, None, []),
}


@pytest.mark.parametrize("name", RAW)
def test_a_body_that_is_no_intent_is_named(served: Served, name: str) -> None:
    """By file and by HTTP alike."""
    mend, status, code, words = RAW[name]
    body = json.dumps(served.intent()).encode()
    _refused_both_ways(served, mend(body), status, code, words)


def test_an_id_names_one_intent_for_ever(served: Served) -> None:
    """The same again is answered with what it became, another under its id is refused, the first one stands."""
    body = served.intent()
    before = {one["id"] for one in served.intents()}
    file = served.folder / "first.json"
    file.write_text(json.dumps(body))
    first = sep("submit", file, "--wait", "20", "--json", cwd=served.folder)
    assert (first.code, first.json["duplicate"], first.json["status"]) == (0, False, "SETTLED")
    again = sep("submit", file, cwd=served.folder)
    assert again.code == 0
    assert "known already, SETTLED" in again.out
    body["assets"][0]["amount"] = "7"
    file.write_text(json.dumps(body))
    refused(sep("submit", file, cwd=served.folder), 1, "/id", first.json["intent_id"], "stands unchanged")
    assert {one["id"] for one in served.intents()} == before | {first.json["intent_id"]}
    for name in (first.json["intent_id"], first.json["intent_id"][:8], body["id"]):
        told = sep("explain", name, cwd=served.folder)
        assert told.code == 0
        assert "Settled" in told.out
        assert max(map(len, told.out.splitlines())) <= 100
    assert sep("verify", cwd=served.folder).code == 0


def test_errors_are_json_where_json_is_asked_for(served: Served) -> None:
    """With the engine's own code and its list of mistakes."""
    body = served.intent(type="BRIDGE")
    answer = sep("submit", "-", "--json", cwd=served.folder, given=json.dumps(body))
    assert (answer.code, answer.out) == (1, "")
    said = json.loads(answer.err)
    assert said["exit_code"] == 1
    assert said["error"]["errors"][0]["pointer"] == "/type"
    assert said["error"]["code"] == said["error"]["errors"][0]["code"]
    assert said["error"]["next_step"]
    assert not said["error"]["retryable"]


def test_a_dry_run_leaves_nothing(served: Served) -> None:
    """It plans and says what would happen."""
    before = served.intents()
    body = served.intent()
    answer = sep("submit", "-", "--dry-run", cwd=served.folder, given=json.dumps(body))
    assert answer.code == 0
    assert "would get 0.001 WETH" in answer.out
    body["assets"][0]["amount"] = str(10**21)
    answer = sep("submit", "-", "--dry-run", cwd=served.folder, given=json.dumps(body))
    assert answer.code == 1
    assert "would be rejected" in answer.out
    assert served.intents() == before


def test_an_intent_that_is_not_there_is_named(served: Served) -> None:
    """By every verb that takes one."""
    unknown = str(uuid4())
    for verb in ("status", "explain", "cancel", "reconcile"):
        refused(sep(verb, unknown, cwd=served.folder), 1, unknown, "sep status")
    refused(sep("explain", "what?", cwd=served.folder), 2, "'what?'", "hex digits")


def _refused_both_ways(served: Served, body: bytes, status: int, code: str | None, words: list[str]) -> None:
    before = served.intents()
    file = served.folder / "wrong.json"
    file.write_bytes(body)
    refused(sep("submit", file, cwd=served.folder), 1, *words)
    answered, problem = served.post(body)
    assert answered == status, problem
    assert code in (None, problem["code"])
    said = problem["detail"] + json.dumps(problem["errors"])
    assert all(word in said for word in words), problem
    assert problem["next_step"]
    assert served.intents() == before
