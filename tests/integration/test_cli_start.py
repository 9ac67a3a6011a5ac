"""What a start costs: nothing heavy before a verb needs it, measured against imports in the same minute."""

import resource
import subprocess
import sys
from pathlib import Path

from .command import environment

VERB = "import sys; from sep_core.cli.main import main\ntry: main({words!r})\nexcept SystemExit: pass\n"
MODULES = "import sys\nsys.stdout.flush()\nsys.stderr.write('\\n'.join(sys.modules))"
HEAVY = {
    "litestar",
    "uvicorn",
    "web3",
    "onnxruntime",
    "structlog",
    "rich",
    "eth_account",
    "numpy",
    "multiprocessing",
}
RUNS = 5


def test_the_version_costs_no_more_than_twice_click(tmp_path: Path) -> None:
    """And imports no model, no server, no plugin."""
    assert not _modules(_verb("--version"), tmp_path) & {"pydantic", "aiohttp", *HEAVY}
    assert _plugins(_verb("--version"), tmp_path) == set()
    version, click, nothing = _cpu(tmp_path, _verb("--version"), "import click", "pass")
    assert version - nothing <= 2 * (click - nothing) + 0.01, (version, click, nothing)


def test_the_kernels_packages_cost_nothing_by_themselves(tmp_path: Path) -> None:
    """A quick import for whoever wants a part."""
    core, pydantic, nothing = _cpu(tmp_path, "import sep_core", "from pydantic import BaseModel", "pass")
    assert core - nothing <= pydantic - nothing, (core, pydantic, nothing)


def test_the_engine_imports_no_server_and_no_toolbox(tmp_path: Path) -> None:
    """What `sep run` imports before it looks at its configuration; its cost is held to a multiple of pydantic's."""
    code = "import sys, sep_core.cli.working"
    assert not _modules(code, tmp_path) & HEAVY
    assert _plugins(code, tmp_path) == set()
    engine, pydantic, nothing = _cpu(tmp_path, code, "from pydantic import BaseModel", "pass")
    assert engine - nothing <= 16 * (pydantic - nothing), (engine, pydantic, nothing)


def test_reading_verbs_bring_no_chain_along(tmp_path: Path) -> None:
    """`status` of a folder without a log reaches the store and stops there."""
    code = (
        "import sys, sep_core.cli.status, sep_core.cli.reading, sep_core.runtime.queries, sep_core.runtime.desk\n"
        "import sep_core.adapters.store_sqlite"
    )
    assert not _modules(code, tmp_path) & {"aiohttp", *HEAVY}


def test_listing_plugins_imports_none(tmp_path: Path) -> None:
    """Manifests say enough."""
    assert _plugins(_verb("plugin", "list"), tmp_path) == set()
    assert _plugins(_verb("--help"), tmp_path) == set()
    assert _plugins(_verb("plugin", "info", "limits"), tmp_path) == set()


def _verb(*words: str) -> str:
    return VERB.format(words=list(words))


def _modules(code: str, cwd: Path) -> set[str]:
    """The roots of everything that is imported."""
    return {name.partition(".")[0] for name in _all_modules(code, cwd)}


def _plugins(code: str, cwd: Path) -> set[str]:
    ours = {"sep_core", "sep_hooks", "sep_native"}
    return {name for name in _modules(code, cwd) if name.startswith("sep_")} - ours


def _all_modules(code: str, cwd: Path) -> set[str]:
    return set(_run(f"{code}\n{MODULES}", cwd).stderr.split())


def _cpu(cwd: Path, *codes: str) -> list[float]:
    """The least CPU seconds of each, taken in turns so that a busy minute strikes all alike."""
    least = [float("inf")] * len(codes)
    for _ in range(RUNS):
        for index, code in enumerate(codes):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            _run(code, cwd)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            least[index] = min(least[index], spent)
    return least


def _run(code: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    # As an installation is: with its bytecode kept from the first run on.
    environ = {**environment({"PYTHONPYCACHEPREFIX": str(cwd / "bytecode")}), "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
        env=environ,
        timeout=60,
    )
