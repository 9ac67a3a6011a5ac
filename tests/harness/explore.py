"""Dies at every crash point of a path, starts again from what survived, and judges; also once more during recovery.

`python -m tests.harness.explore SCENARIO FOLDER DEATHS [BUG]` leaves what it found in `FOLDER/found.json`; a planted
bug ends it with the first thing that is broken.
"""

import asyncio
import json
import shutil
import sys
import traceback
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from sep_native.sim import SimChain

from sep_core.runtime.views import IntentView
from sep_core.telemetry.crashpoints import armed

from .bench import DATA, TOKENS, new_chain
from .planted import BUGS
from .run import engine, submit_all
from .scenario import SCENARIOS, Scenario, ask
from .surviving import Recorder, StateKey, Surviving
from .verdict import (
    Broken,
    check_accepted,
    check_books,
    check_effects,
    check_log,
    own_transactions,
    token_balance,
)


@dataclass
class Explored:
    """What an exploration found."""

    scenario: str
    places: int = 0
    points: Counter[str] = field(default_factory=Counter)
    recovery_points: Counter[str] = field(default_factory=Counter)
    states: Counter[int] = field(default_factory=Counter)
    recovered: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For the caller, and for people."""
        return {
            "scenario": self.scenario,
            "places": self.places,
            "points": dict(sorted(self.points.items())),
            "recovery_points": sorted(self.recovery_points),
            "states_by_deaths": {str(deaths): count for deaths, count in sorted(self.states.items())},
            "recovered": self.recovered,
            "ended": dict(self.ended),
            "broken": self.broken,
            "seconds": round(self.seconds, 1),
        }


class Explorer:
    """Walks one scenario. The last death that is tried is number `deaths`."""

    def __init__(self, scenario: Scenario, folder: Path, deaths: int, *, stops_early: bool = False) -> None:
        self.scenario = scenario
        self.folder = folder
        self.deaths = deaths
        self.stops_early = stops_early
        self.found = Explored(scenario.name)
        self._seen: set[StateKey] = set()
        self._open: deque[Surviving] = deque()

    def run(self) -> Explored:
        """The whole path once, then one recovery from each state that a death on it leaves."""
        began = monotonic()
        first = self.folder / "first"
        first.mkdir()
        chain = new_chain(first)
        self._foreign = own_transactions(partial(ask, chain))
        self._before = _balances(chain)
        self.scenario.prepare(chain)
        try:
            self._walk(first, chain, None)
        except Exception as error:
            self.found.broken.append("without a death: " + "".join(traceback.format_exception(error)[-4:]))
        self.found.places = self.found.points.total()
        while self._open and not (self.stops_early and self.found.broken):
            self._recover(self._open.popleft())
        self.found.seconds = monotonic() - began
        return self.found

    def _recover(self, state: Surviving) -> None:
        self.found.recovered += 1
        self.found.states[state.deaths] += 1
        try:
            self._walk(state.folder, state.chain, state)
        except Exception as error:
            told = "".join(traceback.format_exception(error)[-4:])
            self.found.broken.append(f"dead at {state.name} ({state.deaths} deaths): {told}")
        shutil.rmtree(state.folder)

    def _walk(self, folder: Path, chain: SimChain, after: Surviving | None) -> None:
        deaths = 1 if after is None else after.deaths + 1
        recorder = Recorder(
            folder,
            chain,
            self.folder,
            self._seen,
            deaths=deaths,
            keeps=deaths <= self.deaths,
            disturb=self.scenario.disturb,
            foreign=len(self._foreign),
        )
        recorder.acknowledged |= frozenset() if after is None else after.acknowledged
        with recorder.watching(), armed(recorder):
            try:
                asyncio.run(self._live(folder, chain, after, recorder))
            finally:
                self._open.extend(recorder.found)
                self.found.broken += recorder.broken
        (self.found.points if after is None else self.found.recovery_points).update(recorder.passed)

    async def _live(self, folder: Path, chain: SimChain, after: Surviving | None, recorder: Recorder) -> None:
        async with engine(self.scenario, folder, chain) as kernel:
            if after is not None:
                check_accepted(kernel, after.acknowledged)
            views = await submit_all(
                kernel, self.scenario.wishes, recorder.acknowledged.add, cancel=self.scenario.cancels
            )
            ended = await check_effects(kernel, own_transactions(partial(ask, chain)), self._foreign)
            if not self.scenario.paper:
                await check_books(kernel)
        check_log(folder / DATA)
        self._check_money(chain, views)
        if not self.scenario.ends >= set(ended):
            raise Broken(f"ended {dict(ended)}: {[one.reason for one in views]}")
        self.found.ended.update(ended)

    def _check_money(self, chain: SimChain, views: Sequence[IntentView]) -> None:
        """What wishes and slices changed, in exact amounts, and nothing twice: read from the tokens themselves."""
        expected = dict(self._before)
        for one, view in zip(self.scenario.wishes, views, strict=True):
            if not self.scenario.paper:
                body = json.loads(one.body)
                changes = {change.asset.symbol: int(change.quantity) for change in view.changes}
                if body["type"] != "REBALANCE" and (view.status == "SETTLED" or view.slices is not None):
                    wanted = body["assets"][0]["amount"]
                    amount = int(wanted if view.slices is None else view.slices.done.amount)
                    if changes.get("WETH", 0) != (amount if body["type"] == "ACQUIRE" else -amount):
                        raise Broken(f"{view.status} with {changes}, wanted were {amount} of WETH")
                for symbol in expected:
                    expected[symbol] += changes.get(symbol, 0)
        held = _balances(chain)
        if held != expected:
            raise Broken(f"the account holds {held}, it should hold {expected}")


def _balances(chain: SimChain) -> dict[str, int]:
    symbols = ("WETH", "USDC", "DAI", "WBTC")
    return {one: token_balance(partial(ask, chain), TOKENS[one]["address"]) for one in symbols}


def main() -> None:
    """See the module."""
    name, folder, deaths, *bug = sys.argv[1:]
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    with BUGS[bug[0]]() if bug else nullcontext():
        found = Explorer(SCENARIOS[name], place, int(deaths), stops_early=bool(bug)).run()
    (place / "found.json").write_text(json.dumps(found.as_json(), indent=1))


if __name__ == "__main__":
    main()
