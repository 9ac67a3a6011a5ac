"""Everything that searches long, for as long as asked: `make soak MINUTES=10`, or again with `SEED=…`.

Round after round each arm gets its share of the time, under a seed drawn from the one that is printed first. What fails
is printed with the one command that repeats it, and the rest goes on.
"""

import argparse
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..harness.crossings import ROOT
from ..harness.orders import ORDER_SCENARIOS
from ..harness.scenario import SCENARIOS

ROUND_SECONDS = 600.0
LEAST_SECONDS = 5.0
GRACE_SECONDS = 60.0
EXAMPLES_A_SECOND = 10
KILLS_A_SECOND = 10
TWO_DEATHS = 2


@dataclass(frozen=True, slots=True)
class Task:
    """One command. `broken` reads from its last line, or from a file that it left, what else is wrong."""

    words: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    broken: Callable[[str], str] = lambda output: ""

    @property
    def text(self) -> str:
        """What a person types to do it again."""
        set_first = [f"{name}={value}" for name, value in self.environ.items()]
        return shlex.join([*set_first, "python", *self.words])


type Arm = Callable[[random.Random, float, Path], Task]
"""Of a seed, the seconds that it may take and an empty folder."""


def module(*words: object) -> tuple[str, ...]:
    return ("-m", *map(str, words))


def simulator(chance: random.Random, seconds: float, folder: Path) -> Task:
    """Engines on virtual time in a weather of faults."""
    return Task(module("tests.soak.simulator", "--first", chance.getrandbits(32), "--seconds", int(seconds)))


def kills(chance: random.Random, seconds: float, folder: Path) -> Task:
    """Writers of a log that are killed."""
    rounds = max(6, int(seconds * KILLS_A_SECOND))
    words = (
        "tests/integration/store_kill_loop.py",
        str(folder / "data"),
        str(rounds),
        str(chance.getrandbits(32)),
    )

    def broken(output: str) -> str:
        found = json.loads(output.splitlines()[-1])
        return f"lost {found['lost']}, broken {found['broken']}" if found["lost"] or found["broken"] else ""

    return Task(words, broken=broken)


def power(chance: random.Random, seconds: float, folder: Path) -> Task:
    """Losses of power."""
    return Task(module("tests.soak.power", "--first", chance.getrandbits(32), "--seconds", int(seconds)))


def crash_points(chance: random.Random, seconds: float, folder: Path) -> Task:
    """Every crash point of one scenario, and every one of each recovery."""
    name = chance.choice([*sorted(SCENARIOS), *sorted(f"orders {one}" for one in ORDER_SCENARIOS)])
    program = "tests.harness.orders" if name.startswith("orders ") else "tests.harness.explore"
    place = folder / "explored"

    def broken(output: str) -> str:
        return "\n".join(json.loads((place / "found.json").read_text())["broken"])

    return Task(module(program, name.removeprefix("orders "), place, TWO_DEATHS), broken=broken)


def machines(chance: random.Random, seconds: float, folder: Path) -> Task:
    """State machines against models, with many examples."""
    paths = sorted(
        str(one.relative_to(ROOT)) for one in (ROOT / "tests/properties").glob("test_*_machine.py")
    )
    examples = max(20, int(seconds * EXAMPLES_A_SECOND) // len(paths))
    options = ("-q", "-x", "-p", "tests.soak.many", "-p", "no:cacheprovider")
    seed = f"--hypothesis-seed={chance.getrandbits(32)}"
    return Task(module("pytest", *options, seed, *paths), {"SEP_SOAK_EXAMPLES": str(examples)})


def network(chance: random.Random, seconds: float, folder: Path) -> Task:
    """A network that fails before a node and the servers; a chain that misbehaves."""
    paths = ("tests/integration/test_fault_proxy.py", "tests/integration/test_crash_faults.py")
    options = ("-q", "-x", "-p", "no:cacheprovider")
    return Task(module("pytest", *options, *paths), {"SEP_FAULT_SEED": str(chance.getrandbits(31))})


def engines(chance: random.Random, seconds: float, folder: Path) -> Task:
    """Several engines over one log, stopped and killed."""
    return Task(module("tests.soak.engines", "--seed", chance.getrandbits(32), "--seconds", int(seconds)))


ARMS: dict[str, tuple[Arm, float]] = {
    "simulator": (simulator, 0.4),
    "kills": (kills, 0.1),
    "power": (power, 0.1),
    "machines": (machines, 0.15),
    "network": (network, 0.05),
    "crash points": (crash_points, 0.2),
    "engines": (engines, 0.2),
}
"""Each with its share of a round."""


def run(name: str, task: Task, limit_seconds: float) -> str:
    """What is wrong; empty where nothing is. A task that its time cuts off has found nothing."""
    try:
        done = subprocess.run(
            [sys.executable, *task.words],
            cwd=ROOT,
            env={**os.environ, **task.environ},
            capture_output=True,
            text=True,
            timeout=limit_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        print(
            f"soak: {name} was cut off after {limit_seconds:.0f} s; nothing was found until then", flush=True
        )
        return ""
    if done.returncode:
        return (done.stdout + done.stderr)[-6000:]
    said = [line for line in done.stdout.splitlines() if line and not line.startswith("{")]
    if said:
        print(f"soak: {name}: {said[-1]}", flush=True)
    return task.broken(done.stdout)


def rounds(chance: random.Random, seconds: float, arms: Sequence[str]) -> list[str]:
    """Round after round until the time is over; the commands that failed."""
    failed: list[str] = []
    began = time.monotonic()
    whole = sum(ARMS[name][1] for name in arms)
    while (left := seconds - (time.monotonic() - began)) > 0:
        length = min(left, ROUND_SECONDS)
        for name in arms:
            arm, share = ARMS[name]
            slot = max(LEAST_SECONDS, length * share / whole)
            with tempfile.TemporaryDirectory(prefix="sep-soak-") as folder:
                task = arm(random.Random(chance.getrandbits(64)), slot, Path(folder))
                at = time.monotonic() - began
                print(f"soak: {at:.0f} of {seconds:.0f} s, {name} for {slot:.0f} s: {task.text}", flush=True)
                broken = run(name, task, slot + GRACE_SECONDS)
            if broken:
                failed.append(f"{name}: {task.text}")
                print(f"soak: {name} FAILED; again: {task.text}\n{broken}", flush=True)
    return failed


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="searches for what is broken")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=list(ARMS))
    said = parser.parse_args()
    print(f"soak: seed {said.seed}, {said.minutes:g} minutes: {', '.join(said.arms)}", flush=True)
    failed = rounds(random.Random(said.seed), 60 * said.minutes, said.arms)
    for one in failed:
        print(f"soak: broken: {one}")
    print(f"soak: seed {said.seed}: {len(failed)} of its searches found something")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
