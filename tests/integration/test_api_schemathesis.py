"""What the OpenAPI document says is what the server does: generated requests, good and bad, alone and in chains."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from .api_engine import engine

JUDGED = ("submitIntent", "submitIntentAlias", "dryRunIntent", "listIntents", "quote")
"""What a schema allows may still name an unknown strategy, asset or cursor, which the schema cannot know."""


class Served:
    """An engine that serves in a thread of its own, until it is told to stop."""

    def __init__(self, folder: Path) -> None:
        self.url = self.token = ""
        self.failure: BaseException | None = None
        self._folder = folder
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Returns when requests are answered."""
        self._thread.start()
        assert self._ready.wait(30)
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        """Returns when nothing runs any more."""
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            anyio.run(self._serve)
        except BaseException as error:
            self.failure = error
            self._ready.set()

    async def _serve(self) -> None:
        async with engine(self._folder) as one:
            self.url, self.token = one.url, one.token
            self._ready.set()
            await anyio.to_thread.run_sync(self._stop.wait)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A serving engine."""
    one = Served(tmp_path_factory.mktemp("engine"))
    one.start()
    yield one
    one.stop()


def config(token: str) -> SchemathesisConfig:
    """All phases, the token on every request; the endless stream and the end of the engine left out."""
    return SchemathesisConfig.from_dict(
        {
            "seed": 7,
            "headers": {"Authorization": f"Bearer {token}"},
            "generation": {"max-examples": 15, "database": "none"},
            "operations": [
                {"include-path": "/v1/stream", "enabled": False},
                {"include-path": "/v1/drain", "enabled": False},
                *(
                    {"include-operation-id": one, "checks": {"positive_data_acceptance": {"enabled": False}}}
                    for one in JUDGED
                ),
            ],
        }
    )


def test_the_server_does_what_its_document_says(served: Served) -> None:
    """Examples, edges of each parameter, fuzzing and chains of operations: 0 failures in all phases."""
    schema = schemathesis.openapi.from_url(f"{served.url}/schema/openapi.json", config=config(served.token))
    cases: Counter[str] = Counter()
    failures: dict[str, str] = {}
    for event in from_schema(schema).execute():
        if isinstance(event, events.FatalError):
            raise event.exception
        if isinstance(event, events.NonFatalError):
            failures[event.label] = str(event.value)
        if isinstance(event, events.ScenarioFinished):
            cases[event.phase.value] += len(event.recorder.cases)
            failures |= failed(event)
    print(dict(cases))
    assert not failures, "\n\n".join(failures.values())
    assert cases["examples"]
    assert cases["coverage"] > 200
    assert cases["fuzzing"] > 200
    assert cases["stateful"] > 10


def failed(event: Any) -> dict[str, str]:
    """What went wrong in a scenario, once for each kind and place."""
    found: dict[str, str] = {}
    for case_id, checks in event.recorder.checks.items():
        for check in checks:
            if check.status is Status.FAILURE:
                case = event.recorder.cases[case_id].value
                curl = case.as_curl_command()
                found[f"{event.label} {check.name}"] = f"{check.failure_info.failure}\n{curl}"
    return found
