"""Every wait and every commit on the path of an effect can be died at: the build fails where one cannot."""

import pytest

from ..harness.crossings import EFFECT_PATH, ORDER_PATH, POSTGRES_PATH, ROOT, Found, judge, read_sources

LEAST_NAMES = 45


def found_in(text: str) -> Found:
    """What one temporary source says."""
    found = Found()
    judge("seeded.py", text, found)
    return found


@pytest.mark.says
def test_every_wait_on_the_effect_path_is_a_crossing() -> None:
    paths = (*EFFECT_PATH, *ORDER_PATH, *POSTGRES_PATH)
    found = read_sources(paths)
    print(
        f"crash points: {len(found.points)} around {len(found.names)} waits of {len(paths)} files,"
        f" {found.marked} waits marked as harmless"
    )
    assert not found.wrong, "\n".join(found.wrong)
    assert len(found.names) >= LEAST_NAMES


def test_the_list_of_files_holds_all_that_cross() -> None:
    crossing = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "sep_core").rglob("*.py")
        if "telemetry.crashpoints import" in path.read_text() and "crossing" in path.read_text()
    }
    elsewhere = {"sep_core/telemetry/crashpoints.py", "sep_core/strategies/actor.py"}
    listed = {*EFFECT_PATH, *ORDER_PATH}
    assert crossing - elsewhere <= listed
    assert all((ROOT / path).is_file() for path in listed)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("await self._chain.broadcast(raw)", "a wait without a crossing"),
        ("await broadcast(raw)", "a wait without a crossing"),
        ("async with self._chain.session():\n        pass", "a wait without a crossing"),
        ("async for one in self._chain.blocks():\n        pass", "a wait without a crossing"),
        ("await self._chain.record(raw)", "a wait without a crossing"),
        ("await crossing(name, self._chain.broadcast(raw))", "no literal name"),
        ("await crossing('a', b())\n    await crossing('a', c())", "is taken by"),
        ("connection.execute('COMMIT')", "not between crash points"),
        ("crash_point('before')\n    connection.execute('COMMIT')", "not between crash points"),
    ],
)
def test_a_seeded_violation_is_seen(line: str, why: str) -> None:
    found = found_in(f"async def send(self, raw, name):\n    {line}\n")
    assert any(why in one for one in found.wrong), found.wrong


@pytest.mark.parametrize(
    "line",
    [
        "await crossing('a', self._chain.broadcast(raw))",
        "await ask('a', self._chain.broadcast(raw))",
        "await crossing(f'a.{name}', self._chain.broadcast(raw))",
        "await self._desk.record(raw)",
        "await self.other(raw)",
        "await self._chain.head()  # sep-ok: reads",
        "await anyio.sleep(1)",
        "crash_point('b')\n    connection.execute('COMMIT')\n    crash_point('c')",
    ],
)
def test_what_is_covered_passes(line: str) -> None:
    text = f"async def send(self, raw, name):\n    {line}\n\nasync def other(self, raw):\n    pass\n"
    assert found_in(text).wrong == []
