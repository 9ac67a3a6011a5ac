"""What a simulated exchange remembers in a file, so that the same one goes on after a restart."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from sep_native.book import SimExchange

LONGEST_GAP_MS = 30 * 24 * 3_600_000
"""How long an exchange can have been away: what others did meanwhile is lived through at the next start."""


class ExchangeMemory:
    """A file of lines: which exchange it is and when it began, then every message that changed something.

    An exchange follows from these alone, others' orders included. A last line that was cut off is a message that had
    not arrived.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.kept = 0

    def open(self, genesis: str, now_ms: int) -> SimExchange:
        """The exchange as it was left, or a new one. Raises `ValueError` where the file is another exchange's."""
        digest = hashlib.sha256(genesis.encode()).hexdigest()
        lines = self._lines()
        if not lines:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(_line({"genesis_sha256": digest, "start_ms": now_ms}))
            return SimExchange(genesis, now_ms)
        first, arrivals = lines[0], lines[1:]
        if first.get("genesis_sha256") != digest:
            raise ValueError(f"{self._path} remembers an exchange that began otherwise; name another path")
        last_ms = arrivals[-1]["at_ms"] if arrivals else first["start_ms"]
        if now_ms - last_ms > LONGEST_GAP_MS:
            raise ValueError(f"{self._path} was left more than 30 days ago; name another path")
        exchange = SimExchange(genesis, first["start_ms"])
        exchange.control(json.dumps({"control": "replay", "arrivals": arrivals}))
        self.kept = len(arrivals)
        whole = self._path.with_suffix(".whole")
        whole.write_bytes(b"".join(_line(one) for one in lines))
        whole.replace(self._path)
        return exchange

    def keep(self, arrivals: Sequence[Any]) -> None:
        """Adds what has arrived since."""
        with self._path.open("ab") as file:
            file.write(b"".join(_line(one) for one in arrivals))
        self.kept += len(arrivals)

    def _lines(self) -> list[Any]:
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return []
        whole, _, _ = raw.rpartition(b"\n")
        try:
            return [orjson.loads(one) for one in whole.split(b"\n") if one]
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{self._path} is no memory of an exchange: {error}") from None


def _line(value: Any) -> bytes:
    return orjson.dumps(value) + b"\n"
