"""Finds a running engine over HTTP and talks to it."""

import http.client
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sep_hooks.errors import Permanent, Retryable

if TYPE_CHECKING:
    from sep_core.runtime.settings import Settings

ENGINE_FILE = "engine.json"
TIMEOUT_SECONDS = 90.0


class NoEngine(Retryable):
    """No engine with an HTTP interface works on this data folder."""

    code = "no_engine"


class EngineRefused(Permanent):
    """The engine answered a problem document."""

    code = "engine_refused"

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        details = [
            f"{one['pointer']}: {one['message']}" for one in problem.get("errors", []) if one.get("pointer")
        ]
        super().__init__(
            "; ".join(details) or str(problem.get("detail", "")), next_step=str(problem.get("next_step", ""))
        )


class Engine:
    """The engine of one configuration."""

    def __init__(self, settings: "Settings") -> None:
        self._settings = settings
        self._folder = settings.store.path

    def call(self, method: str, path: str, body: bytes | None = None, *, prefer: str = "") -> dict[str, Any]:
        """A JSON answer. Raises `NoEngine` or `EngineRefused`."""
        url = self._url()
        split = urlsplit(url)
        connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=TIMEOUT_SECONDS)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token()}"}
        if prefer:
            headers["Prefer"] = prefer
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read()
        except OSError as error:
            raise NoEngine(
                f"no engine answers at {url} ({error.strerror or error}); whether it took the request is not known",
                next_step=f"start one: sep serve --config {self._settings.source}, then send the same file again",
            ) from error
        finally:
            connection.close()
        return self._answer(response.status, content)

    def _answer(self, status: int, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {"detail": f"HTTP {status}"}
        if not isinstance(answer, dict):
            answer = {"items": answer}
        if status >= 400:
            raise EngineRefused(status, answer)
        return answer

    def _url(self) -> str:
        try:
            said = json.loads((self._folder / ENGINE_FILE).read_text())
            return str(said["url"])
        except (OSError, ValueError, KeyError):
            api = self._settings.api
            return f"http://{api.host}:{api.port}"

    def _token(self) -> str:
        from sep_core.runtime.api_token import read_token

        return read_token(self._folder)


def announce(folder: Path, url: str, process_id: int) -> None:
    """Leaves a note for the other verbs; it goes with `withdraw`."""
    path = folder / ENGINE_FILE
    temporary = folder / f".{ENGINE_FILE}"
    temporary.write_text(json.dumps({"url": url, "pid": process_id}))
    temporary.replace(path)


def withdraw(folder: Path) -> None:
    """The engine of this folder has stopped."""
    (folder / ENGINE_FILE).unlink(missing_ok=True)
