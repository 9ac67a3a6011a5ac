"""The engine that leads, as a replica reaches it: found by its answer, asked in the caller's own words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import anyio
import orjson
from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout
from sep_hooks.errors import Ambiguous, Retryable
from yarl import URL

from sep_core.telemetry.log import NamedLog

LOOK_SECONDS: Final = 1.0
"""How long one address may take to say that it leads this log."""

TRUST_SECONDS: Final = 2.0
"""For how long what was said is believed; whoever is displaced meanwhile refuses by itself."""

ANSWER_SECONDS: Final = 75.0
"""The longest wait that a caller may ask for, and some."""

_PASSED_ON: Final = frozenset({"authorization", "content-type", "prefer", "if-none-match", "accept"})
_GIVEN_BACK: Final = frozenset(
    {"content-type", "location", "preference-applied", "etag", "retry-after", "www-authenticate", "allow"}
)

log = NamedLog("replica")


class NoLeader(Retryable):
    """No engine that leads this log answers; nothing was recorded."""

    code = "no_leader"


class LeaderSilent(Ambiguous):
    """A request reached the engine and no answer came back: whether it counts is not known."""

    code = "no_answer"


@dataclass(frozen=True, slots=True)
class Answered:
    """The leader's answer, word for word."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Leader:
    """Asks each of several addresses until one leads the log of this id."""

    def __init__(self, session: ClientSession, urls: Callable[[], Sequence[str]], store_id: UUID) -> None:
        self._session = session
        self._urls = urls
        self._store_id = store_id
        self._found: tuple[str, float] | None = None

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """The leader's answer to a request; `target` is its path and query. Raises `NoLeader`, `LeaderSilent`."""
        url = await self._leading()
        passed = {name: value for name, value in headers.items() if name.lower() in _PASSED_ON}
        try:
            async with self._session.request(
                method,
                URL(url + target, encoded=True),
                data=body,
                headers=passed,
                timeout=ClientTimeout(total=ANSWER_SECONDS),
                allow_redirects=False,
            ) as answer:
                given = {name: value for name, value in answer.headers.items() if name.lower() in _GIVEN_BACK}
                return Answered(answer.status, given, await answer.read())
        except ClientConnectorError as error:
            self._found = None
            raise NoLeader(
                f"{url} led the log and is gone; nothing was recorded", next_step="send the same once more"
            ) from error
        except (ClientError, TimeoutError) as error:
            self._found = None
            raise LeaderSilent(
                f"{url} took the request and gave no answer; whether it counts is not known",
                next_step="send the same once more, under the same id: a repeat changes nothing",
            ) from error

    async def _leading(self) -> str:
        now = anyio.current_time()
        if self._found is not None and now - self._found[1] < TRUST_SECONDS:
            return self._found[0]
        urls = self._urls()
        known = None if self._found is None else self._found[0]
        for url in sorted(urls, key=lambda one: one != known):
            if await self._leads(url):
                if url != known:
                    log.info("leader.found", url=url)
                self._found = (url, anyio.current_time())
                return url
        self._found = None
        raise NoLeader(
            f"no engine that leads this log answers at {', '.join(urls) or 'any address'}; nothing was recorded",
            next_step="start one (sep serve), then send the same once more",
        )

    async def _leads(self, url: str) -> bool:
        try:
            async with self._session.get(
                f"{url}/health", timeout=ClientTimeout(total=LOOK_SECONDS), allow_redirects=False
            ) as answer:
                said = orjson.loads(await answer.read())
        except (ClientError, TimeoutError, ValueError):
            return False
        return isinstance(said, dict) and said.get("store_id") == str(self._store_id)
