"""Seeds of the simulator, as many as asked or for as long: `python -m tests.soak.simulator --seconds 60`.

Says how far it is, and what it found at the end as one JSON line; a seed that fails is printed with the command that
repeats it. Of every hundred seeds one runs twice, and must have the same log to the last hash.
"""

import argparse
import gc
import itertools
import json
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..harness.simulator import Outcome, disk_of_this_process, simulation_of
from ..harness.store_power import ForgetfulDisk

SAY_EACH_SECONDS = 10.0
TWICE_EACH = 100
_disk: list[ForgetfulDisk] = []


@dataclass
class Total:
    """What many seeds came to."""

    first: int
    seeds: int = 0
    operations: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    repeated: int = 0
    virtual_seconds: float = 0.0
    broken: list[int] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Counts a seed in."""
        self.seeds += 1
        for name in ("operations", "fired", "ended", "deaths"):
            getattr(self, name).update(getattr(outcome, name))
        self.acknowledged += outcome.acknowledged
        self.repeated += outcome.seed % TWICE_EACH == 0
        self.virtual_seconds += outcome.virtual_seconds
        if outcome.broken:
            self.broken.append(outcome.seed)

    def line(self, seconds: float) -> str:
        """How far it is."""
        operations = self.operations.total()
        return (
            f"simulator: {self.seeds} seeds from {self.first}, {operations} operations, {self.fired.total()} faults,"
            f" {self.deaths.total()} deaths, {len(self.broken)} broken, {operations / seconds:.0f} operations/s"
        )

    def as_json(self) -> str:
        """The end."""
        told = {
            name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()
        }
        return json.dumps(told | {"total_operations": self.operations.total()})


def one_seed(seed: int) -> Outcome:
    """Runs a seed, some twice."""
    if not _disk:
        _disk.append(disk_of_this_process())
        gc.freeze()
        gc.set_threshold(50_000)
    outcome = simulation_of(seed, _disk[0]).run()
    if seed % TWICE_EACH == 0 and not outcome.broken:
        again = simulation_of(seed, _disk[0]).run()
        if (again.root, again.fired) != (outcome.root, outcome.fired):
            outcome.broken = f"the same seed had another log: {outcome.root}, then {again.root}"
    return outcome


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--workers", type=int, default=2)
    said = parser.parse_args()
    total, began = Total(said.first), time.monotonic()
    spoken = began

    def seeds() -> Iterator[int]:
        for seed in itertools.count(said.first):
            late = said.seconds is not None and time.monotonic() - began >= said.seconds
            if late or (said.seeds is not None and seed - said.first >= said.seeds):
                return
            yield seed

    print(f"simulator: from seed {said.first}", flush=True)
    with multiprocessing.get_context("fork").Pool(said.workers) as pool:
        waiting = seeds()
        # Handed out as they are asked for, so that the time is kept.
        running = [
            pool.apply_async(one_seed, (seed,)) for seed in itertools.islice(waiting, 2 * said.workers)
        ]
        while running:
            outcome = running.pop(0).get()
            running += [pool.apply_async(one_seed, (seed,)) for seed in itertools.islice(waiting, 1)]
            total.add(outcome)
            if outcome.broken:
                print(
                    f"seed {outcome.seed} is broken; again: python -m tests.harness.simulator {outcome.seed}"
                )
                print(outcome.broken, flush=True)
            if time.monotonic() - spoken >= SAY_EACH_SECONDS:
                spoken = time.monotonic()
                print(total.line(spoken - began), flush=True)
    print(total.line(time.monotonic() - began))
    print(total.as_json(), flush=True)
    sys.exit(1 if total.broken else 0)


if __name__ == "__main__":
    main()
