"""Kills a serving engine at random moments while intents come in, and starts it again, as an operator would."""

import http.client
import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from .bench import Wish

START_SECONDS = 60.0
ANSWER_SECONDS = 20.0
SEP = Path(sys.executable).with_name("sep")


class Serving:
    """A `sep serve` of a configuration, in a process of its own."""

    verb = "serve"

    def __init__(self, config: Path, data: Path, environ: Mapping[str, str], *options: str) -> None:
        self.config = config
        self.data = data
        with (config.parent / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(SEP), self.verb, "--config", str(config), "--port", "0", "--json", *options],
                env=dict(environ),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.url = ""
        self.ready = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if said.get("event") == "ready":
                self.url = said["url"]
                self.ready.set()
        self.process.stdout.close()

    def kill(self) -> None:
        """Ends the process as nothing else can; returns when it is gone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Asks the engine to stop; answers its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_SECONDS)

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        """Status and JSON answer. Raises `OSError` or `HTTPException` where none came."""
        split = urlsplit(self.url)
        connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=ANSWER_SECONDS)
        token = (self.data / "api-token").read_text().strip()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read()
            return response.status, json.loads(content)
        finally:
            connection.close()


@dataclass
class Killed:
    """What a loop did."""

    seed: int
    kills: int = 0
    before_ready: int = 0
    asked: list[Wish] = field(default_factory=list)
    acknowledged: dict[UUID, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class KillLoop:
    """`make` gives the n-th wish; those that got no answer are asked again, as an author would."""

    def __init__(
        self,
        start: Callable[[], Serving],
        make: Callable[[int], Wish],
        *,
        seed: int,
        longest_seconds: float,
        most_wishes: int,
    ) -> None:
        self._start = start
        self._make = make
        self._random = random.Random(seed)
        self._longest = longest_seconds
        self._most = most_wishes
        self.done = Killed(seed)

    def run(self, kills: int, limit_seconds: float) -> Killed:
        """Kills that often, or until the time is over."""
        began = monotonic()
        while self.done.kills < kills and monotonic() - began < limit_seconds:
            self._round()
        return self.done

    def _round(self) -> None:
        serving = self._start()
        over = threading.Event()
        author = threading.Thread(target=self._author, args=(serving, over))
        author.start()
        if self._random.random() < 0.3:
            over.wait(self._random.uniform(0.05, 1.5))  # the moment is what is tested: also while it starts
        else:
            if not serving.ready.wait(START_SECONDS):
                self.done.wrong.append(f"no start: {serving.process.poll()}")
            over.wait(self._random.uniform(0, self._longest))
        if serving.process.poll() is not None:
            self.done.wrong.append(f"the engine ended by itself with {serving.process.returncode}")
        self.done.before_ready += not serving.ready.is_set()
        serving.kill()
        over.set()
        author.join()
        self.done.kills += 1

    def _author(self, serving: Serving, over: threading.Event) -> None:
        while not serving.ready.wait(0.05):
            if over.is_set():
                return
        unheard = [one for one in self.done.asked if one.client_id not in self.done.acknowledged]
        while not over.is_set():
            if unheard:
                one = unheard.pop(0)
            elif len(self.done.asked) < self._most:
                one = self._make(len(self.done.asked))
                self.done.asked.append(one)
            else:
                return
            with suppress(OSError, http.client.HTTPException, ValueError):
                self.submit(serving, one)

    def submit(self, serving: Serving, one: Wish) -> None:
        """Asks for an intent, and remembers what was acknowledged."""
        status, answer = serving.call("POST", "/v1/intents", one.body)
        if status in (200, 202):
            before = self.done.acknowledged.setdefault(one.client_id, answer["intent_id"])
            if before != answer["intent_id"]:
                self.done.wrong.append(f"{one.client_id} was {before}, now it is {answer['intent_id']}")
        else:
            self.done.refused.append(f"{status} {answer}")
