"""Rules that no linter of ours knows: clocks, sleeps and tasks have their places, hooks are documented."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from sep_hooks.specs import boot, facts, lifecycle

from ..harness.crossings import ROOT

KERNEL = ("sep_core", "hooks/src/sep_hooks")
PLUGINS = ("plugins/chains", "plugins/relays", "plugins/venues", "plugins/risk", "plugins/strategies")
PURE_ROOMS = ("intents", "events", "execution", "planning", "risk", "portfolio", "strategies")
TESTING = "hooks/src/sep_hooks/testing/"

WALL_CLOCK = {
    "sep_core/runtime/clock.py": "it is the clock",
    "sep_core/telemetry/log.py": "stamps messages for people",
    "sep_core/cli/doctor.py": "compares the machine's clock with the chain's",
}
CLOCKS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
}
RANDOM = {"uuid1", "uuid4", "token_bytes", "token_hex", "urandom", "randint", "randrange", "getrandbits"}
NURSERIES = {"group", "self._group"}
OWNED_TASKS = {
    "sep_core/adapters/store_postgres/store.py": "one task from open to close, which ends it and waits for it",
}


def sources(*roots: str) -> Iterator[tuple[str, ast.Module]]:
    """The product's files, tests left out."""
    for root in roots:
        for path in sorted((ROOT / root).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            if "/tests/" not in place and not place.startswith(TESTING):
                yield place, ast.parse(path.read_text())


def raw_clocks(tree: ast.AST) -> list[int]:
    """Lines that look at the machine's wall clock."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in CLOCKS
    ]


def sleeps(tree: ast.AST) -> list[int]:
    """Lines that put a thread to sleep."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "sleep" and ast.unparse(node.value) == "time"
    ] + _imports(tree, "time", {"sleep", "time"})


def bare_tasks(tree: ast.AST) -> list[int]:
    """Lines that start a task which nobody waits for."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            if name == "ensure_future" or (name == "create_task" and owner not in NURSERIES):
                found.append(node.lineno)
    return found


def randomness(tree: ast.AST) -> list[int]:
    """Lines that draw at random without a seed."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in RANDOM and ast.unparse(node.value) != "self")
        or (isinstance(node, ast.Name) and node.id in RANDOM)
    ]


def anys(tree: ast.AST) -> list[int]:
    """Lines that say `Any`."""
    return _imports(tree, "typing", {"Any"}) + [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "Any"
    ]


def _imports(tree: ast.AST, module: str, names: set[str]) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == module
        and names & {alias.name for alias in node.names}
    ]


def test_only_the_clock_tells_the_time() -> None:
    found = {place for place, tree in sources(*KERNEL, *PLUGINS) if raw_clocks(tree)}
    assert found <= set(WALL_CLOCK), found - set(WALL_CLOCK)


def test_no_thread_sleeps_and_no_task_is_left_alone() -> None:
    wrong = [
        f"{place}:{line}"
        for place, tree in sources(*KERNEL, *PLUGINS)
        for line in (*sleeps(tree), *(() if place in OWNED_TASKS else bare_tasks(tree)))
    ]
    assert wrong == []


def test_decisions_draw_no_lots() -> None:
    rooms = tuple(f"sep_core/{room}" for room in PURE_ROOMS)
    assert [f"{place}:{line}" for place, tree in sources(*rooms) for line in randomness(tree)] == []


def test_the_contract_has_no_any() -> None:
    wrong = [
        f"{path}:{line}"
        for path in sorted((ROOT / "hooks/src/sep_hooks").rglob("*.py"))
        for line in anys(ast.parse(path.read_text()))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("seen_by", "line"),
    [
        (raw_clocks, "datetime.now(UTC)"),
        (raw_clocks, "time.time()"),
        (sleeps, "time.sleep(1)"),
        (sleeps, "from time import sleep"),
        (bare_tasks, "asyncio.create_task(run())"),
        (bare_tasks, "asyncio.get_running_loop().create_task(run())"),
        (bare_tasks, "asyncio.ensure_future(run())"),
        (randomness, "uuid4()"),
        (randomness, "random.randint(1, 2)"),
        (anys, "from typing import Any"),
        (anys, "x: typing.Any = 1"),
    ],
)
def test_a_seeded_violation_is_seen(seen_by: object, line: str) -> None:
    assert callable(seen_by)
    assert seen_by(ast.parse(line)) == [1]


def hooks() -> dict[str, str]:
    """Name and documentation of every hook."""
    return {
        name: value.__doc__ or ""
        for specs in (boot, facts, lifecycle)
        for name, value in vars(specs).items()
        if name.startswith("sep_")
    }


def test_every_hook_is_documented_and_tested() -> None:
    tests = "".join(
        path.read_text()
        for folder in ("tests", "hooks/tests", "plugins/testnet/tests")
        for path in (ROOT / folder).rglob("test_*.py")
        if path != Path(__file__)
    )
    for name, documentation in hooks().items():
        assert documentation.strip().endswith("."), f"{name} says nothing of itself"
        assert name in tests, f"no test knows {name}"
