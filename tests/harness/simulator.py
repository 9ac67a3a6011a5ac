"""One seed, one world: real engines on virtual time, in a weather of faults, killed and started again, then judged.

`python -m tests.harness.simulator SEED [COUNT [BUG]]` runs seeds one after the other and prints what became of each,
with the engine's own messages where `SEP_SIM_TALKS` is set; `-m tests.soak.simulator` runs many. The same seed has the
same log, to the last hash.
"""

import json
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import apsw
from sep_hooks.errors import SepError
from sep_native.sim import SimChain

from sep_core.adapters.sim_book import share_exchange
from sep_core.adapters.sim_chain import share
from sep_core.events.facts import TransactionFinal
from sep_core.events.reading import read_facts
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.settings import Settings
from sep_core.runtime.start import running_kernel
from sep_core.runtime.submission import parse_submission
from sep_core.runtime.views import IntentView
from sep_core.telemetry.crashpoints import armed

from .bench import DATA, ENVIRON, TOKENS, Wish, acquire, dispose, new_chain, rebalance, settings, twap
from .orders import LOT, ORDER_BUGS, OrderScenario, check_orders, control
from .planted import BUGS, SIMULATED
from .scenario import ask
from .store_power import ForgetfulDisk
from .surviving import LOG_FILE
from .verdict import (
    Broken,
    check_accepted,
    check_books,
    check_effects,
    check_log,
    own_transactions,
    stuck,
    token_balance,
)
from .virtual_time import VirtualClock, VirtualLoop, seeded_surroundings, simulated
from .weather import BLOCK_SECONDS, Weather, exchange_faults, make_blocks, weathered

CHAIN = "simulated"
MOST_LIVES = 3
LIFE_SECONDS = 40.0
MEAN_LIFE_POINTS = 200
"""How many crash points an engine passes, on the average, before it dies at one."""

CALM_SECONDS = 3_000.0
FINALITY_DEPTH = 2
SYMBOLS = ("WETH", "USDC", "DAI", "WBTC")


class Died(BaseException):
    """The process of an engine ends here."""


@dataclass
class Outcome:
    """What one seed came to."""

    seed: int
    root: str = ""
    operations: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    virtual_seconds: float = 0.0
    broken: str = ""

    def as_json(self) -> dict[str, Any]:
        """For whoever counts seeds."""
        return {
            name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()
        }


class Simulation:
    """The world of one seed. `run` may be called once."""

    def __init__(self, seed: int, disk: ForgetfulDisk) -> None:
        self.outcome = Outcome(seed)
        self.chance = random.Random(seed)
        self.weather = Weather(random.Random(self.chance.getrandbits(64)))
        self.clock = VirtualClock()
        self.disk = disk
        self.past: list[SimChain] = []
        self.acknowledged: set[UUID] = set()
        self.wishes = tuple(self.wish(number) for number in range(self.chance.randrange(1, 5)))
        self._now = 0.0
        self._dies_in = 0
        self._scope: anyio.CancelScope | None = None
        self._left: Path | None = None

    def wish(self, number: int) -> Wish:
        """What is asked for; the same number asks for the same again."""
        chance, name = self.chance, f"wish {number}"
        amount = 10**15 * chance.randrange(1, 200) + number
        window_ms = chance.choice((60_000, 120_000))
        match chance.randrange(12):
            case 0:
                return twap(name, amount, slices=chance.randrange(2, 5), window_ms=60_000)
            case 1 if number == 0:  # two of them at once trade against each other until neither may any more
                return rebalance(name, {"WETH": "0.2", "DAI": "0.3", "WBTC": "0.5"}, window_ms=window_ms)
            case _:
                make = chance.choice((acquire, dispose))
                return make(name, amount, window_ms=window_ms)

    def prepare(self, home: Path) -> None:
        """Makes the world outside the engine."""
        self.chain = new_chain(home)
        self.foreign = own_transactions(partial(ask, self.chain))
        self.before = self._balances()
        ask(self.chain, "sim_setAutomine", False)
        ask(self.chain, "sim_setFinality", FINALITY_DEPTH)
        # What the account did before is final when it is opened.
        ask(self.chain, "sim_mine", FINALITY_DEPTH + 1)
        ask(self.chain, "sim_setFaults", self.weather.rules("eth_sendRawTransaction"))

    def calm_down(self) -> None:
        """From now on nothing goes wrong."""
        self.weather.calm = True
        ask(self.chain, "sim_setFaults", {"seed": 0, "rules": []})
        ask(self.chain, "sim_setLeastBaseFee", "0x0")

    def settings(self, home: Path) -> Settings:
        """How the engine is configured."""
        return settings(home, {"shared": CHAIN}, block_seconds=BLOCK_SECONDS)

    async def check(self, kernel: Kernel, views: Sequence[IntentView]) -> Counter[str]:
        """Holds what the engine says against the world, once all has ended. Raises `Broken`."""
        ended = await check_effects(kernel, own_transactions(partial(ask, self.chain)), self.foreign)
        await check_books(kernel)
        expected = dict(self.before)
        for view in views:
            for change in view.changes:
                expected[change.asset.symbol] += int(change.quantity)
        held = self._balances()
        if held != expected:
            raise Broken(f"the account holds {held}, it should hold {expected}")
        return ended

    def run(self) -> Outcome:
        """Lives with faults, then one without, then the verdict."""
        base = Path(
            tempfile.mkdtemp(prefix="sep-simulated-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        )
        try:
            home = base / "0"
            home.mkdir()
            self.prepare(home)
            lives = self.chance.randrange(1, MOST_LIVES + 1)
            for number in range(lives):
                home = self._live(home, base / str(number + 1))
            self.calm_down()
            home = self._live(home, None)
            check_log(home / DATA)
        except Exception as error:
            self.outcome.broken += "".join(traceback.format_exception(error)[-6:])
        finally:
            shutil.rmtree(base)
        self.outcome.operations, self.outcome.fired = self.weather.operations, self.weather.fired
        self.outcome.acknowledged, self.outcome.virtual_seconds = len(self.acknowledged), self._now
        return self.outcome

    def _live(self, home: Path, heir: Path | None) -> Path:
        """One engine's life, from start to end; answers the folder in which the next one starts."""
        loop = VirtualLoop(self._now)
        self.clock.loop = loop
        self.weather.dead, self.weather.broken_commit = False, None
        self.disk.files.clear()
        self.disk.before_change = self.weather.disk_changes
        self._left = None
        self.weather.left = partial(self._sent, home)
        self._dies_in = 0 if heir is None else int(self.chance.expovariate(1 / MEAN_LIFE_POINTS)) + 1
        with (
            seeded_surroundings(self.chance, loop, self.disk.vfs_name),
            weathered(self.weather, self.past),
            armed(partial(self._passed, home, heir)),
        ):
            try:
                simulated(self._engine(home, heir), loop)
            except BaseException as error:
                if heir is None or isinstance(error, KeyboardInterrupt | Broken):
                    raise
                if not self._left:
                    self.outcome.deaths[_cause(error)] += 1
        self._now = loop.now
        return self._left or home

    def _passed(self, home: Path, heir: Path | None, point: str) -> None:
        if heir is None or self._left is not None:
            return
        if point == "store.before_commit":
            kind = self.weather.draw("commit")
            errors = {"cannot write": apsw.IOError, "disk full": apsw.FullError}
            self.weather.broken_commit = errors.get(kind)
        self._dies_in -= 1
        if self._dies_in == 0:
            self._die(home, heir)

    def _sent(self, home: Path, transaction_hash: str) -> None:
        """A transaction has left: what identifies it must stand in the log already (I2)."""
        file = apsw.Connection(str(home / DATA / LOG_FILE), flags=apsw.SQLITE_OPEN_READONLY)
        query = "SELECT count(*) FROM events WHERE type = 'TransactionSigned' AND instr(record, ?)"
        ((known,),) = file.execute(query, (transaction_hash.encode(),))
        file.close()
        if not known:
            self.outcome.broken = f"{transaction_hash} left and does not stand in the log"

    def _die(self, home: Path, heir: Path) -> None:
        """Puts aside what survives, cuts the engine off from the world, and ends it."""
        power = self.chance.random() < 0.4
        self.outcome.deaths["power lost" if power else "killed"] += 1
        shutil.copytree(home, heir)
        if power:
            (heir / DATA / f"{LOG_FILE}-shm").unlink(missing_ok=True)  # memory, for SQLite
            self.disk.after_power_loss(heir / DATA, self.chance if self.chance.random() < 0.7 else None)
        self._left = heir
        self.weather.dead = True
        if self._scope is not None:
            self._scope.cancel()
        raise Died

    async def _engine(self, home: Path, heir: Path | None) -> None:
        share(CHAIN, self.chain)
        made = self.settings(home)
        async with anyio.create_task_group() as group:
            self._scope = group.cancel_scope
            group.start_soon(make_blocks, self.weather, self.chain, self.past, self.clock)
            # Most starts succeed, or little else would ever be tried.
            self.weather.severity = self.chance.choice((0.02, 0.1, 1.0))
            async with running_kernel(made, ENVIRON, self.clock) as kernel:
                self.weather.severity = 1.0
                check_accepted(kernel, self.acknowledged)
                if heir is None:
                    await self._judge(kernel)
                else:
                    await self._work(kernel)
            group.cancel_scope.cancel()

    async def _work(self, kernel: Kernel) -> None:
        """What clients do while things go wrong."""
        chance = self.chance
        with anyio.move_on_after(chance.random() * LIFE_SECONDS):
            async with anyio.create_task_group() as group:
                for one in self.wishes:
                    if chance.random() < 0.8:
                        group.start_soon(
                            self._submit, kernel, one, chance.random() * 10, chance.random() < 0.1
                        )
            await anyio.sleep(LIFE_SECONDS)

    async def _submit(self, kernel: Kernel, one: Wish, after: float, cancels: bool) -> None:
        await anyio.sleep(after)
        try:
            receipt = await kernel.submit(parse_submission(one.body), source="command_line", request=one.body)
            if self.weather.dead:
                return  # nobody is left who could have heard the answer
            self.acknowledged.add(one.client_id)
            if cancels:
                await anyio.sleep(after)
                await kernel.cancel(receipt.intent_id, "its author")
        except SepError:
            return  # no answer: its author asks again

    async def _judge(self, kernel: Kernel) -> None:
        views = []
        with anyio.move_on_after(CALM_SECONDS) as scope:
            for one in self.wishes:
                receipt = await kernel.submit(
                    parse_submission(one.body), source="command_line", request=one.body
                )
                self.acknowledged.add(one.client_id)
                views.append(await kernel.wait_until_ended(receipt.intent_id, CALM_SECONDS))
            while any(lane.unfinished for lane in kernel.world.lanes.values()) or any(
                lane.open for lane in kernel.world.orders.values()
            ):
                await self.clock.passes(BLOCK_SECONDS)
        if scope.cancelled_caught:
            raise Broken(f"not ended after {CALM_SECONDS} calm seconds: {stuck(kernel)}")
        self.outcome.ended = await self.check(kernel, views)
        finals: Counter[str] = Counter()
        epochs = []
        async for recorded, fact in read_facts(kernel.store):
            epochs.append(recorded.epoch)
            if isinstance(fact, TransactionFinal):
                finals[fact.hash] += 1
        if any(count > 1 for count in finals.values()):
            raise Broken(f"final twice: {finals}")
        if epochs != sorted(epochs):
            raise Broken("an older epoch wrote after a newer one")
        await kernel.desk.settled()
        self.outcome.root = (await kernel.store.head()).root.hex()

    def _balances(self) -> dict[str, int]:
        return {one: token_balance(partial(ask, self.chain), TOKENS[one]["address"]) for one in SYMBOLS}


class OrderSimulation(Simulation):
    """The account is at an exchange, which loses, hides, delays and refuses."""

    def wish(self, number: int) -> Wish:
        """In whole lots."""
        make = self.chance.choice((acquire, dispose))
        return make(f"wish {number}", LOT * self.chance.randrange(5, 150), window_ms=60_000, slippage="0.01")

    def prepare(self, home: Path) -> None:
        """With an exchange."""
        super().prepare(home)
        chance = self.chance
        self.weather.leave_out("block", "clock set")  # an exchange's clock never goes back
        self.scenario = OrderScenario("simulated", self.wishes, tuple(exchange_faults(chance)))
        self.exchange = self.scenario.new_exchange()

    def calm_down(self) -> None:
        """The exchange too."""
        super().calm_down()
        control(self.exchange, control="faults", faults=[])

    def settings(self, home: Path) -> Settings:
        """An account at the exchange alone, which is looked at once a second."""
        share_exchange(CHAIN, self.exchange)
        return self.scenario.settings(home, CHAIN, CHAIN, poll_seconds=1.0, block_seconds=BLOCK_SECONDS)

    async def check(self, kernel: Kernel, views: Sequence[IntentView]) -> Counter[str]:
        """By the exchange's own record."""
        return await check_orders(kernel, self.exchange, self.scenario, self.wishes)


def simulation_of(seed: int, disk: ForgetfulDisk) -> Simulation:
    """One seed in four trades at an exchange."""
    return (OrderSimulation if seed % 4 == 3 else Simulation)(seed, disk)


def _cause(error: BaseException) -> str:
    """What ended an engine, in a word."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def disk_of_this_process() -> ForgetfulDisk:
    """One disk serves all seeds of a process, one after the other."""
    return ForgetfulDisk(f"simulated-{os.getpid()}")


def main() -> None:
    """See the module."""
    first, count, bug = int(sys.argv[1]), int((sys.argv[2:] or ["1"])[0]), (sys.argv[3:] or [""])[0]
    disk = disk_of_this_process()
    failed = 0
    for seed in range(first, first + count):
        with (BUGS | SIMULATED | ORDER_BUGS)[bug]() if bug else nullcontext():
            outcome = simulation_of(seed, disk).run()
        if bug and failed:
            break
        failed += bool(outcome.broken)
        print(
            json.dumps(outcome.as_json()) if not outcome.broken else f"seed {seed}: {outcome.broken}",
            flush=True,
        )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
