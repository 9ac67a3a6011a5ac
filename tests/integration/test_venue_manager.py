"""Venues kept out of plans and let in again: by an operator over restarts, by their own faults until they answer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from sep_hooks.types import BlockRef, Market, MarketState

from sep_core.adapters.sim_rpc import SimRpc
from sep_core.adapters.sim_venue import SimulatedAmm

from .api_engine import Engine, engine, intent

pytestmark = pytest.mark.anyio
ORDER = intent(constraints={"max_slippage": 0.005, "time_window_ms": 60000, "execution_style": "IMMEDIATE"})
WHY = {"reason": "its pools are being migrated"}


async def venue(box: Engine) -> dict[str, Any]:
    """The only venue as seen now."""
    answer = await box.client.get("/v1/venues/amm")
    assert answer.status_code == 200
    return dict(answer.json())


async def standings(box: Engine) -> list[tuple[str, str]]:
    """What the log says of the venue."""
    page = (await box.client.get("/v1/events", params={"stream": "venue:amm"})).json()
    return [(one["body"]["standing"], one["body"]["by"]) for one in page["items"]]


async def until(box: Engine, status: str) -> dict[str, Any]:
    """The venue once it has this status; blocks go on meanwhile."""
    rpc = box.kernel.installation.chains["sim"].access.rpc
    assert isinstance(rpc, SimRpc)
    with anyio.fail_after(60):
        while (found := await venue(box))["status"] != status:
            rpc.chain.rpc("sim_mine", "[]")
    return found


async def test_a_disabled_venue_takes_no_part_until_it_is_enabled(tmp_path: Path) -> None:
    async with engine(tmp_path) as box:
        well = await until(box, "ok")
        assert well["markets"] > 0
        assert well["circuit"] == "closed"
        assert well["calls"]["answered"] > 0
        assert well["calls"]["failed"] == 0
        assert await standings(box) == []

        off = await box.send(WHY, path="/v1/venues/amm/disable")
        assert off.status_code == 200
        assert off.json()["status"] == "disabled"
        assert WHY["reason"] in off.json()["reason"]
        again = await box.send({"reason": "twice"}, path="/v1/venues/amm/disable")
        assert again.json()["reason"] == off.json()["reason"]
        tried = (await box.send(ORDER, path="/v1/intents/dry-run")).json()
        assert not tried["approved"]
        assert "disabled" in json.dumps(tried)

    async with engine(tmp_path) as box:
        assert (await venue(box))["status"] == "disabled"
        on = await box.send({"reason": "done"}, path="/v1/venues/amm/enable")
        assert on.json()["status"] == "ok"
        tried = (await box.send(ORDER, path="/v1/intents/dry-run")).json()
        assert tried["approved"], tried
        assert await standings(box) == [("disabled", "api"), ("ok", "api")]


async def test_a_venue_that_faults_is_set_aside_and_comes_back_when_a_probe_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = True
    real = SimulatedAmm.states

    async def states(self: SimulatedAmm, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        if broken:
            raise ValueError("its server is on fire")
        return await real(self, markets, at)

    monkeypatch.setattr(SimulatedAmm, "states", states)
    async with engine(tmp_path) as box:
        out = await until(box, "circuit_open")
        assert out["faults"] >= 3
        assert "on fire" in out["reason"]
        assert "on fire" in out["calls"]["last_failure"]
        tried = (await box.send(ORDER, path="/v1/intents/dry-run")).json()
        assert not tried["approved"]
        broken = False
        back = await until(box, "ok")
        assert back["markets"] > 0
        with anyio.fail_after(20):  # seen at once, recorded at the next look
            while len(told := await standings(box)) < 2:
                pass
        assert told == [("circuit_open", "engine"), ("ok", "engine")]
        tried = (await box.send(ORDER, path="/v1/intents/dry-run")).json()
        assert tried["approved"], tried


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/venues/nobody/disable", WHY, 404),
        ("/v1/venues/nobody/enable", WHY, 404),
        ("/v1/venues/amm/disable", {}, 422),
        ("/v1/venues/amm/disable", {"reason": ""}, 422),
        ("/v1/venues/amm/disable", {"reason": " "}, 422),
        ("/v1/venues/amm/disable", {"reason": "a\nb"}, 422),
        ("/v1/venues/amm/disable", {"reason": "x" * 301}, 422),
        ("/v1/venues/amm/disable", {"reason": 1}, 422),
        ("/v1/venues/amm/disable", {**WHY, "by": "somebody else"}, 422),
        ("/v1/venues/amm/disable", b"{", 400),
        ("/v1/venues/amm/disable?force=1", WHY, 400),
    ],
)
async def test_bad_orders_change_nothing(api_box: Engine, path: str, body: object, status: int) -> None:
    answer = await api_box.send(body, path=path)
    assert answer.status_code == status, answer.text
    assert answer.json()["code"]
    assert await standings(api_box) == []


async def test_orders_need_the_token(api_box: Engine) -> None:
    answer = await api_box.send(WHY, path="/v1/venues/amm/disable", authorization="Bearer no")
    assert answer.status_code == 401
    assert (await venue(api_box))["status"] != "disabled"


@pytest.fixture
async def api_box(tmp_path: Path) -> Any:
    """A running engine of a test's own."""
    async with engine(tmp_path) as box:
        yield box
