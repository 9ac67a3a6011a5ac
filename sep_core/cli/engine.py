"""Finds a running engine over HTTP and talks to it."""

import http.client
import json
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sep_hooks.errors import Ambiguous, Permanent, Retryable

if TYPE_CHECKING:
    from sep_core.runtime.settings import Settings

ENGINE_FILE = "engine.json"
TIMEOUT_SECONDS = 90.0


class NoEngine(Retryable):
    """No engine with an HTTP interface works on this data folder."""

    code = "no_engine"


class NoAnswer(Ambiguous):
    """A request left and no answer came; the same request again is harmless and gets the answer."""

    code = "no_answer"


class NotAnEngine(Retryable):
    """Something else answers where the engine should."""

    code = "not_an_engine"


class EngineBusy(Retryable):
    """The engine could not answer now; the same request may go through later."""

    code = "engine_busy"


class EngineRefused(Permanent):
    """The engine answered a problem document; `problem_code` and `problems` are its own."""

    code = "engine_refused"

    def __init__(self, problem: dict[str, Any]) -> None:
        self.problem_code = str(problem.get("code", ""))
        self.problems = [one for one in problem.get("errors", []) if isinstance(one, dict)]
        super().__init__(_words(problem), next_step=str(problem.get("next_step", "")))


class Engine:
    """The engine of one configuration."""

    def __init__(self, settings: "Settings") -> None:
        self._settings = settings
        self._folder = settings.store.path
        self._start = f"sep serve --config {shlex.quote(settings.source)}"

    def call(self, method: str, path: str, body: bytes | None = None, *, prefer: str = "") -> dict[str, Any]:
        """A JSON answer. Raises `NoEngine`, `NoAnswer`, `NotAnEngine`, `EngineBusy` or `EngineRefused`."""
        url = engine_url(self._settings)
        split = urlsplit(url)
        connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=TIMEOUT_SECONDS)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token()}"}
        if prefer:
            headers["Prefer"] = prefer
        try:
            connection.connect()
        except OSError as error:
            raise NoEngine(
                f"no engine answers at {url}; nothing was sent",
                next_step=f"start one: {self._start}; then repeat the command",
            ) from error
        try:
            # A refusal may come while the body still leaves; it is there to be read all the same.
            with suppress(BrokenPipeError):
                connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(
                f"{url} took the request and gave no answer ({str(error) or type(error).__name__}); whether it counts"
                " is not known",
                next_step=f"see to the engine ({self._start}), then repeat the command: a repeat changes nothing",
            ) from error
        finally:
            connection.close()
        return self._answer(url, response.status, content)

    def _answer(self, url: str, status: int, content: bytes) -> dict[str, Any]:
        answer: object = None
        with suppress(ValueError):
            answer = json.loads(content)
        if not isinstance(answer, dict) or (status >= 400 and "code" not in answer):
            raise NotAnEngine(
                f"what answers at {url} is no engine of this release (HTTP {status})",
                next_step=f"see what listens there, or set another port in [api] of {self._settings.source}",
            )
        if status == 401:
            answer["detail"] = (
                f"the engine at {url} has another token than {self._folder}: its data is elsewhere"
            )
            answer["next_step"] = f"name its configuration with --config, or start this one: {self._start}"
        if answer.get("retryable") and status >= 400:
            raise EngineBusy(_words(answer), next_step=str(answer.get("next_step", "")))
        if status >= 400:
            raise EngineRefused(answer)
        return answer

    def _token(self) -> str:
        from sep_core.runtime.api_token import read_token

        return read_token(self._folder)


def _words(problem: dict[str, Any]) -> str:
    details = [
        f"{one['pointer']}: {one['message']}"
        for one in problem.get("errors", [])
        if isinstance(one, dict) and one.get("pointer") and one.get("message")
    ]
    return "\n     ".join(details) or str(problem.get("detail", ""))


def engine_url(settings: "Settings") -> str:
    """Where the engine of a configuration answers, by its own note, else by the configuration."""
    try:
        said = json.loads((settings.store.path / ENGINE_FILE).read_text())
        return str(said["url"])
    except (OSError, ValueError, KeyError):
        return f"http://{settings.api.host}:{settings.api.port}"


def announce(folder: Path, url: str, process_id: int) -> None:
    """Leaves a note for the other verbs; it goes with `withdraw`."""
    path = folder / ENGINE_FILE
    temporary = folder / f".{ENGINE_FILE}"
    temporary.write_text(json.dumps({"url": url, "pid": process_id}))
    temporary.replace(path)


def withdraw(folder: Path) -> None:
    """The engine of this folder has stopped."""
    (folder / ENGINE_FILE).unlink(missing_ok=True)
