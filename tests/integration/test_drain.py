"""An engine that is drained finishes what is open and ends by itself; a standby, or the next start, takes in what it
refused."""

import os
from pathlib import Path

import pytest

from ..harness.bench import DATA, ENVIRON, acquire, dispose, new_key_file, tables, toml_text, wish
from ..harness.fleet import chain_of_its_own
from ..harness.killing import START_SECONDS, Serving
from ..harness.verdict import own_transactions
from .command import refused, sep

SLICING = {"profile": ["1"] * 3 + ["0"] * 27}
"""Three slices in the first six seconds of a minute: much time is left after them."""


def configured(folder: Path, socket: Path) -> Path:
    """A folder with an engine on a chain of its own."""
    new_key_file(folder)
    config = folder / "sep.toml"
    config.write_text(toml_text(tables({"socket": str(socket)})))
    return config


@pytest.mark.slow
def test_what_is_open_is_finished_and_a_standby_takes_over(tmp_path: Path) -> None:
    """Slices that have still to come go on; new intents are refused by name; repeats are answered; exit code 0."""
    environ = {**os.environ, **ENVIRON}
    with chain_of_its_own(tmp_path / "chain.sock") as chain:
        config = configured(tmp_path, tmp_path / "chain.sock")
        serving = Serving(config, tmp_path / DATA, environ)
        standby = None
        try:
            assert serving.ready.wait(START_SECONDS)
            standby = Serving(config, tmp_path / DATA, environ, "--standby")
            sliced = wish(
                "drained", "DISPOSE", "WETH", 3 * 10**16, 60_000, "0.05", style="VWAP", slicing=SLICING
            )
            status, taken = serving.call("POST", "/v1/intents", sliced.body)
            assert status == 202, taken

            told = sep("drain", "--config", config, cwd=tmp_path, environ=ENVIRON)
            assert told.code == 0, told
            # The intent, and its first slice where that has begun.
            assert told.out.startswith(("draining: 1 open", "draining: 2 open")), told
            status, answer = serving.call("POST", "/v1/drain")
            assert (status, answer["status"]) == (202, "draining"), "asking twice is asking once"
            status, answer = serving.call("GET", "/readyz")
            assert (status, answer["code"]) == (503, "draining")
            assert serving.call("GET", "/health")[1]["status"] == "draining"
            late = dispose("too late")
            status, answer = serving.call("POST", "/v1/intents", late.body)
            assert (status, answer["code"], answer["retryable"]) == (503, "draining", True)
            assert "nothing was recorded" in answer["detail"]
            assert "the same intent" in answer["next_step"]
            status, again = serving.call("POST", "/v1/intents", sliced.body)
            assert (status, again["intent_id"]) == (202, taken["intent_id"]), "what is known is answered"

            assert serving.process.wait(START_SECONDS) == 0, "it ends by itself"
            assert standby.ready.wait(START_SECONDS), "and another one leads"
            status, ended = standby.call("GET", f"/v1/intents/{taken['intent_id']}")
            assert (status, ended["status"]) == (200, "SETTLED"), ended
            states = [one["status"] for one in ended["slices"]["items"] if one["amount"]["amount"] != "0"]
            assert states == ["SETTLED"] * 3, "most of them began after the drain was asked for"
            _, page = standby.call("GET", "/v1/events?type=KernelStopped")
            assert [one["body"]["reason"] for one in page["items"]] == ["drained: nothing was open"]
            status, answer = standby.call("POST", "/v1/intents", late.body)
            assert status == 202, "the same intent is taken in by the next one"
            assert standby.call("GET", "/readyz")[0] == 200
            assert standby.stop() == 0
            assert own_transactions(chain), "it did trade"
        finally:
            for one in (serving, standby):
                if one is not None and one.process.poll() is None:
                    one.kill()


def test_with_nothing_open_it_ends_at_once(tmp_path: Path) -> None:
    """The answer is still given; a drain without the token changes nothing; without an engine it says so."""
    with chain_of_its_own(tmp_path / "chain.sock"):
        config = configured(tmp_path, tmp_path / "chain.sock")
        refused(sep("drain", "--config", config, cwd=tmp_path, environ=ENVIRON), 4, "sep serve")
        serving = Serving(config, tmp_path / DATA, {**os.environ, **ENVIRON})
        try:
            assert serving.ready.wait(START_SECONDS)
            status, answer = serving.call("POST", "/v1/drain", b'{"now": true}')
            assert status == 422, answer
            assert serving.call("GET", "/readyz")[0] == 200, "what was refused drains nothing"
            assert serving.call("POST", "/v1/intents", acquire("before").body)[0] == 202
            while serving.call("GET", "/health")[1]["open_intents"]:
                pass
            told = sep("drain", "--config", config, "--json", cwd=tmp_path, environ=ENVIRON)
            assert told.json == {"status": "draining", "open_intents": 0}
            assert serving.process.wait(START_SECONDS) == 0
        finally:
            if serving.process.poll() is None:
                serving.kill()
