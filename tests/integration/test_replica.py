"""`sep replica`: reads beside the engine, writes through it, whoever leads; what is not known is not guessed."""

import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import UUID

import anyio
import pytest
from aiohttp import ClientSession, web

from sep_core.api.leader import Leader, LeaderSilent, NoLeader

from ..harness.bench import DATA, ENVIRON, acquire, new_key_file, tables, toml_text
from ..harness.fleet import chain_of_its_own
from ..harness.killing import START_SECONDS, Serving
from .command import refused, sep

LOG = UUID(int=7)


class Reading(Serving):
    """A `sep replica` of a configuration, in a process of its own."""

    verb = "replica"


@contextmanager
def engine_and_replica(folder: Path) -> Iterator[tuple[Serving, Reading, Path]]:
    """An engine on a chain of its own, and a replica beside it."""
    environ = {**os.environ, **ENVIRON}
    with chain_of_its_own(folder / "chain.sock"):
        new_key_file(folder)
        config = folder / "sep.toml"
        config.write_text(toml_text(tables({"socket": str(folder / "chain.sock")})))
        made: list[Serving] = []
        try:
            made.append(Serving(config, folder / DATA, environ))
            assert made[0].ready.wait(START_SECONDS)
            reading = Reading(config, folder / DATA, environ)
            made.append(reading)
            assert reading.ready.wait(START_SECONDS)
            yield made[0], reading, config
        finally:
            for one in made:
                if one.process.poll() is None:
                    one.kill()


def lines_of(url: str, count: int) -> list[str]:
    """The first lines of a live stream."""
    with subprocess.Popen(["curl", "-sN", url], stdout=subprocess.PIPE, text=True) as stream:
        assert stream.stdout is not None
        found = [stream.stdout.readline() for _ in range(count)]
        stream.kill()
    return found


@pytest.mark.slow
def test_it_reads_here_and_writes_through_whoever_leads(tmp_path: Path) -> None:
    with engine_and_replica(tmp_path) as (leading, reading, config):
        wish = acquire("through a replica")
        status, taken = reading.call("POST", "/v1/intents", wish.body)
        assert status == 202, taken
        intent = f"/v1/intents/{taken['intent_id']}"
        status, view = reading.call("GET", intent)
        assert (status, view["id"]) == (200, taken["intent_id"]), "one's own write is read at once"
        status, again = reading.call("POST", "/v1/intents", wish.body)
        assert (status, again["duplicate"]) == (202, True)
        status, _ = leading.call("POST", f"{intent}/cancel")
        assert status in (200, 409)
        for path in (
            "/v1/intents?limit=3",
            f"{intent}/plan",
            f"{intent}/events",
            "/v1/events?after=0&limit=5",
            "/v1/events/1",
            "/v1/portfolio?as_of=5",
            "/v1/venues",
            "/v1/chains",
            "/v1/limits",
            "/readyz",
        ):
            assert reading.call("GET", path)[0] == leading.call("GET", path)[0], path
        assert reading.call("GET", "/v1/events/1") == leading.call("GET", "/v1/events/1")
        assert "event: hello\n" in lines_of(f"{reading.url}/v1/stream?after=0", 4)
        status, problem = reading.call("POST", "/v1/intents", b'{"id": 1}')
        assert (status, problem["code"]) == leading_refusal(leading)
        assert reading.call("GET", "/v1/nowhere")[0] == 404
        big = b'"' + b"x" * (1 << 20) + b'"'
        assert reading.call("POST", "/v1/intents", big)[1]["code"] == "body_too_large"

        leading.kill()
        status, view = reading.call("GET", intent)
        assert (status, view["id"]) == (200, taken["intent_id"]), "the log is there without its engine"
        status, problem = reading.call("POST", "/v1/intents", acquire("nobody leads").body)
        assert (status, problem["code"], problem["retryable"]) == (503, "no_leader", True)
        assert "nothing was recorded" in problem["detail"]
        assert reading.call("GET", "/livez")[0] == 200
        following = Serving(config, tmp_path / DATA, {**os.environ, **ENVIRON})
        try:
            assert following.ready.wait(START_SECONDS)
            status, taken = reading.call("POST", "/v1/intents", acquire("nobody leads").body)
            assert status == 202, "the next engine is found by itself"
            assert reading.call("GET", f"/v1/intents/{taken['intent_id']}")[0] == 200
            following.process.send_signal(signal.SIGSTOP)
            time.sleep(2.5)  # longer than a leader that was found is trusted
            status, problem = reading.call("POST", "/v1/intents", acquire("it is paused").body)
            assert (status, problem["code"]) == (503, "no_leader")
            following.process.send_signal(signal.SIGCONT)
            assert reading.call("POST", "/v1/intents", acquire("it is paused").body)[0] == 202
            assert following.stop() == 0
        finally:
            if following.process.poll() is None:
                following.kill()
        assert reading.stop() == 0


def leading_refusal(leading: Serving) -> tuple[int, str]:
    """How the engine itself refuses the same nonsense."""
    status, problem = leading.call("POST", "/v1/intents", b'{"id": 1}')
    return status, problem["code"]


def test_without_a_log_or_with_a_strange_address_it_does_not_start(tmp_path: Path) -> None:
    new_key_file(tmp_path)
    config = tmp_path / "sep.toml"
    config.write_text(toml_text(tables({"seed": 7})))
    for words, code, said in (
        ([], 6, "holds no log"),
        (["--leader", "ftp://x"], 2, "is no address of an engine"),
        (["--leader", "http://127.0.0.1:1/path"], 2, "is no address of an engine"),
    ):
        refused(sep("replica", "--config", config, *words, cwd=tmp_path, environ=ENVIRON), code, said)


@asynccontextmanager
async def engine_stub(*, log: UUID = LOG, dies: bool = False, waits: bool = False) -> AsyncIterator[str]:
    """Something that answers as an engine of a log does, until it is asked for more."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/health":
            return web.json_response({"store_id": str(log)})
        await request.read()
        if waits:
            await anyio.sleep(3600)
        if dies and request.transport is not None:
            request.transport.abort()
        headers = {"ETag": "x", "Server": "secret", "Retry-After": "7"}
        said = {"token": request.headers.get("Authorization"), "query": request.rel_url.raw_query_string}
        return web.Response(status=418, body=json.dumps(said), headers=headers, content_type="text/odd")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@pytest.mark.anyio
async def test_an_answer_is_passed_on_word_for_word() -> None:
    async with engine_stub() as url, ClientSession() as session:
        leader = Leader(session, lambda: [url], LOG)
        said = await leader.ask("PUT", "/v1/x?a=b%20c", {"Authorization": "Bearer t", "Cookie": "no"}, b"{}")
    assert (said.status, json.loads(said.body)) == (418, {"token": "Bearer t", "query": "a=b%20c"})
    headers = {name.lower(): value for name, value in said.headers.items()}
    assert headers.pop("content-type").startswith("text/odd")
    assert headers == {"etag": "x", "retry-after": "7"}


@pytest.mark.anyio
async def test_the_engine_of_another_log_is_none() -> None:
    async with engine_stub(log=UUID(int=8)) as other, engine_stub() as ours, ClientSession() as session:
        assert (await Leader(session, lambda: [other, ours], LOG).ask("GET", "/", {}, b"")).status == 418
        with pytest.raises(NoLeader, match="nothing was recorded"):
            await Leader(session, lambda: [other], LOG).ask("POST", "/", {}, b"")
        with pytest.raises(NoLeader, match="at any address"):
            await Leader(session, list, LOG).ask("POST", "/", {}, b"")


@pytest.mark.anyio
async def test_an_answer_that_is_lost_is_not_known() -> None:
    async with engine_stub(dies=True) as url, ClientSession() as session:
        with pytest.raises(LeaderSilent, match="not known"):
            await Leader(session, lambda: [url], LOG).ask("POST", "/v1/intents", {}, b"{}")


@pytest.mark.anyio
async def test_an_answer_that_does_not_come_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sep_core.api.leader.ANSWER_SECONDS", 0.2)
    async with engine_stub(waits=True) as url, ClientSession() as session:
        with pytest.raises(LeaderSilent, match="not known"):
            await Leader(session, lambda: [url], LOG).ask("POST", "/v1/intents", {}, b"{}")
