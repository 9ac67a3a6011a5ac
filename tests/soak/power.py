"""Power losses of the embedded store, seed after seed: `python -m tests.soak.power --seconds 60 [--first SEED]`."""

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from pathlib import Path

from sep_core.adapters.store_sqlite import SqliteOptions

from ..harness.store_power import ForgetfulDisk
from ..integration.test_store_power_loss import LOSSES, losses


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--seconds", type=float, default=10.0)
    said = parser.parse_args()
    began = time.monotonic()
    disk = ForgetfulDisk("forgetful-soak")
    for count in itertools.count():
        seed = said.first + count
        if count and time.monotonic() - began >= said.seconds:
            print(
                f"power: {count} seeds from {said.first}, about {count * LOSSES} losses of power, nothing lost"
            )
            return
        disk.files.clear()
        options = SqliteOptions(vfs=disk.vfs_name, checkpoint_pages=20 + seed % 200)
        with tempfile.TemporaryDirectory() as folder:
            lost = asyncio.run(losses(Path(folder), options, disk, seed))
        if lost:
            print(
                f"power: seed {seed} lost {lost} events; again: python -m tests.soak.power --first {seed} --seconds 0"
            )
            sys.exit(1)


if __name__ == "__main__":
    main()
