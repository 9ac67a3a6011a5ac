"""How benches say what they found: one JSON line for each figure, with the machine that gave it."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import sep_native


def show(name: str, value: float, unit: str, *, ratio: float | None = None, **more: object) -> None:
    """One line. `ratio` is the figure beside a control of the same run, which `more` names as `control`."""
    line: dict[str, object] = {"bench": name, "value": rounded(value), "unit": unit}
    if ratio is not None:
        line["ratio"] = rounded(ratio)
    line |= {key: rounded(one) if isinstance(one, float) else one for key, one in more.items()}
    line |= machine() | {"load_average": os.getloadavg()[0]}
    print(json.dumps(line), flush=True)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and number of values."""
    ordered = sorted(values)
    return {
        "p50": statistics.median(ordered),
        "p99": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
        "count": len(ordered),
    }


@cache
def machine() -> dict[str, object]:
    """What the figures depend on and no line of code says."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "native": native_profile(),
    }


def native_profile() -> str:
    """Of the native core in use: `make bench` lays a release build out under target/; the environment's is debug."""
    return "release" if "target" in Path(sep_native.__file__).parts else "debug"


def rounded(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
