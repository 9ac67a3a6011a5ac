"""Forks writers of one data folder and kills them; a program of its own, because forking wants no threads.

`python store_kill_loop.py <folder> <rounds> <seed> [dsn]` prints one JSON line: what was acknowledged, lost and torn.
"""

import asyncio
import json
import os
import random
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import apsw
import asyncpg
from pydantic import SecretStr
from sep_hooks.store import AnyVersion, NewEvent, StreamWrite

from sep_core.adapters import store_postgres, store_sqlite
from sep_core.events.log_store import LogStore
from sep_core.events.verify import VerifyReport
from sep_core.telemetry.crashpoints import armed

POINTS = ("store.before_commit", "store.after_commit", "store.before_resolve")
PRODUCERS = 5


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)


def main() -> None:
    """Kills writers, some at random, some inside a commit, and looks at what they leave behind."""
    folder, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    place = SqliteLog(folder) if len(sys.argv) < 5 else PostgresLog(folder, sys.argv[4])
    chance = random.Random(seed)
    acknowledged: dict[int, str] = {}
    lost: list[int] = []
    broken: list[str] = []
    for number in range(rounds):
        point = POINTS[number // 2 % 3] if number % 2 else None
        acknowledged |= kill_one(place, point, chance)
        found = place.read()
        lost = [pos for pos, name in acknowledged.items() if found.get(pos) != name]
        report = place.verify()
        if report.first_bad is not None:
            broken.append(f"round {number}: {report.first_bad}")
        if lost or broken:
            break
    print(
        json.dumps(
            {
                "acknowledged": len(acknowledged),
                "positions": len(place.read()),
                "lost": lost,
                "broken": broken,
            }
        )
    )


def kill_one(place: "SqliteLog | PostgresLog", point: str | None, chance: random.Random) -> dict[int, str]:
    """Lets a writer run until it was killed, and says what it had acknowledged."""
    reading, writing = os.pipe()
    crossings = chance.randrange(1, 12)
    enough = chance.randrange(1, 120)
    process = os.fork()
    if process == 0:
        os.close(reading)
        try:
            with armed(killer(point, crossings)):
                asyncio.run(append_for_ever(place, writing))
        finally:
            os._exit(1)
    os.close(writing)
    lines = b""
    while chunk := os.read(reading, 65536):
        lines += chunk
        if point is None and lines.count(b"\n") >= enough:
            os.kill(process, signal.SIGKILL)
    os.close(reading)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status), f"the writer ended by itself ({status})"
    result = {}
    for line in lines.split(b"\n")[:-1]:
        pos, name = line.decode().split()
        result[int(pos)] = name
    return result


def killer(point: str | None, crossings: int):
    """A visitor that kills its own process at the nth crossing of a point."""
    left = crossings

    def visit(name: str) -> None:
        nonlocal left
        if name == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return visit


async def append_for_ever(place: "SqliteLog | PostgresLog", out: int) -> None:
    """Appends from several producers, and says so only after the store has said so."""
    store = await place.open()

    async def produce(number: int) -> None:
        turn = 0
        while True:
            turn += 1
            new = [
                NewEvent(UUID(bytes=os.urandom(16)), "test.happened", 1, {"n": turn})
                for _ in range(turn % 3 + 1)
            ]
            result = await store.append([StreamWrite(f"s:{number}", AnyVersion(), new)])
            text = "".join(f"{result.first_pos + place} {item.id}\n" for place, item in enumerate(new))
            os.write(out, text.encode())

    async with asyncio.TaskGroup() as group:
        for number in range(PRODUCERS):
            group.create_task(produce(number))


class SqliteLog:
    """A log in a data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def open(self) -> LogStore:
        """Opens it for writing."""
        return store_sqlite.open_store(self._folder, writable=True, clock=SystemClock(), ids=uuid4)

    def verify(self) -> VerifyReport:
        """Checks it."""
        return store_sqlite.verify_store(self._folder)

    def read(self) -> dict[int, str]:
        """Positions and ids as they stand in the file."""
        connection = apsw.Connection(
            f"file:{self._folder}/log.sqlite3?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        )
        rows = connection.execute("SELECT pos, id FROM events").fetchall()
        connection.close()
        return {pos: str(UUID(bytes=event_id)) for pos, event_id in rows}


class PostgresLog:
    """A log in a database."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self._folder = folder
        self._dsn = dsn
        self._config = store_postgres.PostgresConfig(dsn=SecretStr(dsn), min_size=0)

    async def open(self) -> LogStore:
        """Opens it for writing."""
        return await store_postgres.open_store(
            self._config, self._folder, writable=True, clock=SystemClock(), ids=uuid4
        )

    def verify(self) -> VerifyReport:
        """Checks it."""
        return store_postgres.verify_store(self._config, self._folder)

    def read(self) -> dict[int, str]:
        """Positions and ids as they stand in the table."""

        async def rows() -> dict[int, str]:
            connection = await asyncpg.connect(self._dsn)
            try:
                return {
                    pos: str(id_) for pos, id_ in await connection.fetch("SELECT pos, id FROM sep.events")
                }
            finally:
                await connection.close()

        return asyncio.run(rows())


if __name__ == "__main__":
    main()
