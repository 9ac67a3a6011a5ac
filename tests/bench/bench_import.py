"""CPU of starting: what each import and verb costs beside `import click` and `from pydantic import BaseModel`.

Each command is a process of its own, bytecode cached, best of several rounds in turn; an empty interpreter is taken
off. Says which heavy modules each brings along, and which of them have no business there.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from _report import show

ROUNDS = int(os.environ.get("SEP_BENCH_ROUNDS", "9"))
VERB = "from sep_core.cli.main import main; main({words})"
COMMANDS = {
    "empty": "pass",
    "click": "import click",
    "pydantic": "from pydantic import BaseModel",
    "import_sep_core": "import sep_core",
    "sep_version": VERB.format(words=["--version"]),
    "sep_help": VERB.format(words=["--help"]),
    "sep_plugin_list": VERB.format(words=["plugin", "list"]),
    "kernel_import": "import sep_core.runtime.start",
    "api_import": "import sep_core.api",
}
CONTROLS = {"sep_version": ("click", 2.0), "sep_help": ("click", None), "kernel_import": ("pydantic", 3.0)}
HEAVY = frozenset(
    {
        *(
            "aiohttp",
            "apsw",
            "asyncpg",
            "eth_abi",
            "faker",
            "httpx",
            "litestar",
            "nats",
            "numpy",
            "onnxruntime",
        ),
        *("orjson", "polyfactory", "prometheus_client", "pydantic", "pygments", "redis", "rich", "stevedore"),
        *("uvicorn", "uvloop", "web3"),
    }
)
KERNEL = frozenset({"apsw", "orjson", "pydantic", "stevedore"})
MAY = {
    "import_sep_core": frozenset[str](),
    "sep_version": frozenset[str](),
    "sep_help": frozenset({"stevedore"}),
    "sep_plugin_list": frozenset({"orjson", "pydantic", "stevedore"}),
    "kernel_import": KERNEL,
    "api_import": KERNEL | {"litestar", "prometheus_client", "uvicorn", "httpx"},
}
LIST_MODULES = (
    "import atexit, sys; atexit.register(lambda: print('modules:', *sorted({one.partition('.')[0]"
    " for one in sys.modules}), file=sys.stderr));"
)


def run(code: str, cache: str) -> subprocess.CompletedProcess[str]:
    """One process with this code, its bytecode kept under `cache`."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = cache
    if "PYTHONPATH" in environment:
        places = environment["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(one) for one in places)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=cache
    )


def cpu_seconds(code: str, cache: str) -> float:
    """User and system time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(code, cache)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def heavy_modules(code: str, cache: str) -> set[str]:
    """Which of the heavy modules this code imports."""
    said = run(LIST_MODULES + code, cache).stderr.splitlines()
    line = next(one for one in said if one.startswith("modules: "))
    return HEAVY & set(line.split()[1:])


def main() -> None:
    """Prints one line for each command."""
    with tempfile.TemporaryDirectory(prefix="sep-bench-") as cache:
        Path(cache).chmod(0o700)
        found = {name: heavy_modules(code, cache) for name, code in COMMANDS.items()}
        best = dict.fromkeys(COMMANDS, float("inf"))
        for _ in range(ROUNDS):
            for name, code in COMMANDS.items():
                best[name] = min(best[name], cpu_seconds(code, cache))
    for name in MAY:
        control, limit = CONTROLS.get(name, ("click", None))
        cost = best[name] - best["empty"]
        show(
            name,
            cost * 1000,
            "ms CPU",
            ratio=cost / (best[control] - best["empty"]),
            control=f"import {control}",
            limit_ratio=limit,
            with_interpreter_ms=best[name] * 1000,
            heavy=sorted(found[name]),
            unexpected=sorted(found[name] - MAY[name]),
        )


if __name__ == "__main__":
    main()
