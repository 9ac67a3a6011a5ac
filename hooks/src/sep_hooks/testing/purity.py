"""Finds in the source of a plugin what a pure plugin must not touch."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

IMPURE_MODULES = frozenset(
    {
        "anyio", "asyncio", "concurrent", "ctypes", "http", "io", "multiprocessing", "os", "pathlib", "random",
        "requests", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys",
        "tempfile", "threading", "time", "urllib",
    }
)  # fmt: skip
"""Modules that reach a clock, a random source, a file, a socket, a task or a thread."""

_IMPURE_CALLS = frozenset({"open", "input", "print", "exec", "eval", "__import__", "hash", "id"})
_CLOCK_METHODS = frozenset({"now", "utcnow", "today"})
_CLOCK_OWNERS = frozenset({"datetime", "date"})
_RANDOM_NAMES = frozenset({"uuid1", "uuid4", "token_bytes", "token_hex"})
_TYPE_ONLY = {"random": frozenset({"Random"})}


def impurities(cls: type) -> tuple[str, ...]:
    """What the package of a class imports or calls that a pure plugin may not, as `file:line: what`.

    `Random` may be imported as a type; what it is called with comes from the context.
    """
    found: list[str] = []
    for module in _modules(cls):
        tree = ast.parse(inspect.getsource(module))
        name = module.__name__
        found += [f"{name}:{line}: {what}" for line, what in _walk(tree)]
    return tuple(found)


def _modules(cls: type) -> Iterator[ModuleType]:
    root = importlib.import_module(cls.__module__.partition(".")[0])
    own = importlib.import_module(cls.__module__)
    yield own
    if root is own or getattr(root, "__file__", None) is None or not hasattr(root, "__path__"):
        return
    yield root
    for info in pkgutil.walk_packages(root.__path__, prefix=f"{root.__name__}."):
        if info.name != own.__name__ and ".tests" not in info.name:
            yield importlib.import_module(info.name)


def _walk(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in IMPURE_MODULES:
                    yield node.lineno, f"import {alias.name}"
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from _from_import(node, node.module.partition(".")[0])
        elif isinstance(node, ast.Call):
            yield from _call(node)


def _from_import(node: ast.ImportFrom, top: str) -> Iterator[tuple[int, str]]:
    allowed = _TYPE_ONLY.get(top, frozenset())
    for alias in node.names:
        if (top in IMPURE_MODULES and alias.name not in allowed) or alias.name in _RANDOM_NAMES:
            yield node.lineno, f"from {node.module} import {alias.name}"


def _call(node: ast.Call) -> Iterator[tuple[int, str]]:
    function = node.func
    if isinstance(function, ast.Name) and (function.id in _IMPURE_CALLS or function.id == "Random"):
        yield node.lineno, f"{function.id}(…)"
    elif isinstance(function, ast.Attribute) and function.attr in _CLOCK_METHODS:
        owner = function.value
        name = (
            owner.id
            if isinstance(owner, ast.Name)
            else owner.attr
            if isinstance(owner, ast.Attribute)
            else ""
        )
        if name in _CLOCK_OWNERS:
            yield node.lineno, f"{name}.{function.attr}(…)"
