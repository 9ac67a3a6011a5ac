"""Where an engine can die between an effect and its record, read off the source: every wait, every commit.

A wait on the effect path goes through `crossing("name", …)` or `ask("name", …)`, whose names are unique, or through
the desk's `record`, which is such a crossing. It may also be for time or news, which move nothing; for a coroutine of
the same module, whose own waits are judged; or its line says `# sep-ok: reason`. A commit stands between crash points.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
CROSSINGS: Final = frozenset({"crossing", "ask"})
MARKER: Final = "# sep-ok: "

EFFECT_PATH: Final = (
    "sep_core/execution/asking.py",
    "sep_core/execution/prepare.py",
    "sep_core/execution/replacing.py",
    "sep_core/execution/sending.py",
    "sep_core/execution/watch.py",
    "sep_core/execution/worker.py",
    "sep_core/planning/drafting.py",
    "sep_core/planning/planner.py",
    "sep_core/planning/quoting.py",
    "sep_core/runtime/account_desk.py",
    "sep_core/runtime/chain_watch.py",
    "sep_core/runtime/deadlines.py",
    "sep_core/runtime/desk.py",
    "sep_core/runtime/identity.py",
    "sep_core/runtime/lane_desk.py",
    "sep_core/runtime/plan_queue.py",
    "sep_core/runtime/recording.py",
    "sep_core/runtime/start.py",
    "sep_core/adapters/store_sqlite/writer.py",
)

ORDER_PATH: Final = (
    "sep_core/execution/orders/worker.py",
    "sep_core/runtime/orders.py",
)
"""The path of orders at order venues, which scenarios of their own walk."""

POSTGRES_PATH: Final = ("sep_core/adapters/store_postgres/appender.py",)
"""The commits of a log in PostgreSQL, whose crash points `test_postgres_faults` dies at."""


@dataclass
class Found:
    """What the sources say: names of crossings with their places, and what is wrong."""

    names: dict[str, str] = field(default_factory=dict)
    marked: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def points(self) -> set[str]:
        """The crash points of all crossings; a name that is completed at run time ends in `*`."""
        return {f"{name}.{side}" for name in self.names for side in ("before", "after")}


def read_sources(paths: Sequence[str] = EFFECT_PATH) -> Found:
    """Judges files of the repository."""
    found = Found()
    for path in paths:
        judge(path, (ROOT / path).read_text(), found)
    return found


def judge(path: str, text: str, found: Found) -> None:
    """Adds what one source says to `found`."""
    tree, lines = ast.parse(text), text.splitlines()
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)}
    for node in ast.walk(tree):
        for wait, waited in _waits(node):
            place = f"{path}:{wait.lineno}"
            if any(MARKER in lines[number - 1] for number in range(wait.lineno, _end(wait) + 1)):
                found.marked += 1
            elif isinstance(waited, ast.Call) and _is_crossing(waited.func):
                _name(place, waited, found)
            elif not (_moves_nothing(waited) or _is_desk(waited) or _own(waited, own)):
                found.wrong.append(f"{place}: a wait without a crossing: {ast.unparse(wait)[:100]}")
    _judge_commits(path, tree, lines, found)


def _waits(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, ast.expr]]:
    match node:
        case ast.Await(value=value):
            yield node, value
        case ast.AsyncFor(iter=value):
            yield node, value
        case ast.AsyncWith(items=items):
            for item in items:
                yield item.context_expr, item.context_expr


def _end(node: ast.expr | ast.stmt) -> int:
    last = node.iter if isinstance(node, ast.AsyncFor) else node
    return last.end_lineno or node.lineno


def _is_crossing(called: ast.expr) -> bool:
    return isinstance(called, ast.Name) and called.id in CROSSINGS


def _moves_nothing(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="anyio"), attr="sleep" | "create_task_group")):
            return True
        case ast.Call(func=ast.Attribute(attr="wait"), args=[], keywords=[]):
            return True
    return False


def _is_desk(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=desk) | ast.Attribute(attr=desk), attr="record")):
            return desk.lstrip("_") == "desk"
    return False


def _own(node: ast.expr, own: set[str]) -> bool:
    """Whether a coroutine of the same module is awaited, by name or on `self`."""
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name in own
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
            return name in own
    return False


def _name(place: str, waited: ast.expr, found: Found) -> None:
    assert isinstance(waited, ast.Call)
    match waited.args[0] if waited.args else None:
        case ast.Constant(value=str(name)):
            pass
        case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), *_]):
            name = f"{prefix}*"
        case _:
            found.wrong.append(f"{place}: the crossing has no literal name")
            return
    if name in found.names:
        found.wrong.append(f"{place}: the name {name!r} is taken by {found.names[name]}")
    found.names[name] = place


def _judge_commits(path: str, tree: ast.AST, lines: Sequence[str], found: Found) -> None:
    for node in ast.walk(tree):
        for body in (
            getattr(node, "body", None),
            getattr(node, "orelse", None),
            getattr(node, "finalbody", None),
        ):
            for index, statement in enumerate(body if isinstance(body, list) else []):
                if not _commits(statement):
                    continue
                if MARKER in lines[statement.lineno - 1]:
                    found.marked += 1
                    continue
                before = [one for one in body[max(0, index - 3) : index] if _crash_point(one)]
                after = [one for one in body[index + 1 : index + 3] if _crash_point(one)]
                if not before or not after:
                    found.wrong.append(
                        f"{path}:{statement.lineno}: a commit that is not between crash points"
                    )


def _commits(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(args=[ast.Constant(value=str(text)), *_])):
            return text.strip().upper().startswith("COMMIT")
    return False


def _crash_point(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id="crash_point"), args=[ast.Constant()])):
            return True
    return False
