"""A bench that runs strategies without a kernel, and their conformance."""

import dataclasses
import inspect
import os
import subprocess
import sys
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from hashlib import sha256
from random import Random
from typing import Literal
from uuid import UUID, uuid5

from sep_hooks.config import PluginConfig
from sep_hooks.strategy import (
    Accepted,
    Blocks,
    BlockTick,
    IntentUpdate,
    Quotes,
    QuoteTick,
    Refused,
    Strategy,
)
from sep_hooks.testing.purity import impurities
from sep_hooks.types import (
    Amount,
    Asset,
    AssetId,
    BlockRef,
    Fill,
    IntentDraft,
    IntentId,
    IntentStatus,
    IntentType,
    Json,
    Quantity,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
STRATEGY_ID = UUID("7f0c8a52-4b1e-5d3f-9a26-1c0d2e3f4a5b")
_PLATFORM = UUID("00000000-0000-5000-8000-000000000001")

type Crash = tuple[int, Literal["before", "after"]]
"""The number of the callback to die at, and whether its outcome was saved."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One intent that a strategy submitted, and on what occasion."""

    trigger: str
    client_id: UUID
    draft: IntentDraft


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run: intents in their order, the last state, and what is held."""

    submissions: tuple[Submission, ...]
    state: object
    holdings: Mapping[AssetId, int]
    callbacks: int


class Suspended(AssertionError):
    """A callback awaited something that is not of its context."""


class QuietLog:
    """Keeps nothing."""

    def info(self, event: str, **fields: Json) -> None:
        """Something worth knowing."""

    def warning(self, event: str, **fields: Json) -> None:
        """Something that deserves a look."""


def walk(
    base: Asset, quote: Asset, *, seed: int, blocks: int = 60, price: int = 2_000, step_ppm: int = 30_000
) -> tuple[QuoteTick, ...]:
    """A seeded walk of a price, a block every 12 seconds; `price` is whole units of `quote` for one of `base`."""
    random = Random(seed)  # noqa: S311 - a repeatable market is what is wanted
    ticks = []
    numerator = price * 10**quote.decimals
    for number in range(1, blocks + 1):
        numerator += numerator * random.randint(-step_ppm, step_ppm) // 1_000_000
        block = BlockRef(number, "0x" + sha256(f"{seed}|{number}".encode()).hexdigest())
        timestamp = int(START.timestamp()) + 12 * number
        ticks.append(QuoteTick(base, quote, max(1, numerator), 10**base.decimals, block, timestamp))
    return tuple(ticks)


@dataclass(slots=True)
class _Books:
    """What the bench keeps for the strategy."""

    assets: Mapping[str, Asset]
    holdings: dict[AssetId, int]
    refuse: bool
    open: dict[IntentId, IntentDraft] = field(default_factory=dict)


@dataclass(slots=True)
class _Callback:
    """The context of one callback, with what it collected."""

    books: _Books
    trigger: str
    now: datetime
    timers: dict[str, datetime]
    random: Random
    log: QuietLog = field(default_factory=QuietLog)
    submissions: list[Submission] = field(default_factory=list)
    cancels: list[IntentId] = field(default_factory=list)
    ordinal: int = 0

    @property
    def portfolio(self) -> "_Callback":
        return self

    @property
    def open_intents(self) -> Mapping[IntentId, IntentStatus]:
        own = {intent_id(one.client_id): IntentStatus.ACCEPTED for one in self.submissions}
        return dict.fromkeys(self.books.open, IntentStatus.ACCEPTED) | own

    def free(self, asset: AssetId) -> Amount:
        return Amount(self.books.holdings.get(asset, 0))

    def total(self, asset: AssetId) -> Amount:
        return Amount(self.books.holdings.get(asset, 0))

    def asset(self, symbol: str) -> Asset:
        return self.books.assets[symbol]

    def submit(self, draft: IntentDraft) -> Accepted | Refused:
        self.ordinal += 1
        own = uuid5(STRATEGY_ID, f"{self.trigger}|{self.ordinal}")
        if self.books.refuse:
            return Refused("refused", "the bench refuses everything")
        self.submissions.append(Submission(self.trigger, own, draft))
        return Accepted(intent_id(own))

    def cancel(self, intent_id: IntentId) -> None:
        self.cancels.append(intent_id)

    def timer(self, name: str, after: timedelta) -> None:
        self.timers[name] = self.now + after


def intent_id(client_id: UUID) -> IntentId:
    """The id under which the bench knows an intent."""
    return IntentId(uuid5(_PLATFORM, str(client_id)))


class Bench[C: PluginConfig, S]:
    """Runs one strategy over a tape, one callback at a time, each outcome saved whole or not at all.

    An accepted intent is filled at the price of the next quote that it can be met at, at a fee of 0.3 %; one
    that cannot be paid for is rejected. A rebalance is filled once each of its assets has a price in one quote. It
    may be killed once, and goes on from what was saved.
    """

    def __init__(
        self,
        make: type[Strategy[C, S]],
        config: C,
        assets: Sequence[Asset],
        holdings: Mapping[AssetId, int],
        *,
        seed: int = 1,
        refuse: bool = False,
    ) -> None:
        self._books = _Books({asset.symbol: asset for asset in assets}, dict(holdings), refuse)
        self._make, self._config, self._seed = make, config, seed
        self._saved: S = make.State()
        self._strategy = make(config, self._saved)
        self._timers: dict[str, datetime] = {}
        self._submissions: list[Submission] = []
        self._facts: deque[tuple[int, Fill | IntentUpdate]] = deque()
        self._fact_count = self._callbacks = self._lives = 0
        self._crash: Crash | None = None
        self._prices: dict[tuple[AssetId, AssetId], Fraction] = {}

    def run(self, tape: Sequence[QuoteTick | BlockTick], crash: Crash | None = None) -> Run:
        """Plays the whole tape, dying at most once on the way."""
        self._crash = crash
        self._start()
        for tick in tape:
            now = datetime.fromtimestamp(tick.timestamp, UTC)
            self._due(now)
            if isinstance(tick, QuoteTick):
                self._fill(tick)
            self._deliver(now)
            self._data(tick, now)
        return Run(tuple(self._submissions), self._saved, dict(self._books.holdings), self._callbacks)

    def _data(self, tick: QuoteTick | BlockTick, now: datetime) -> None:
        wanted = tuple(self._strategy.subscriptions())
        if isinstance(tick, BlockTick):
            if any(isinstance(one, Blocks) for one in wanted):
                self._call(f"block:{tick.chain}:{tick.block.hash}", now, tick)
        elif Quotes(tick.base.symbol, tick.quote.symbol) in wanted:
            self._call(f"quote:{tick.base.id}:{tick.quote.id}:{tick.block.hash}", now, tick)

    def _start(self) -> None:
        self._lives += 1
        self._call(f"start:{self._lives}", START, self._lives > 1)

    def _due(self, now: datetime) -> None:
        while self._timers:
            name, due = min(self._timers.items(), key=lambda item: (item[1], item[0]))
            if due > now:
                return
            self._call(f"timer:{name}:{due.isoformat()}", due, name)

    def _deliver(self, now: datetime) -> None:
        while self._facts:
            number, fact = self._facts.popleft()
            self._call(f"fact:{number}", now, fact)

    def _call(
        self, trigger: str, now: datetime, what: bool | str | BlockTick | QuoteTick | Fill | IntentUpdate
    ) -> None:
        self._callbacks += 1
        ctx = self._context(trigger, now)
        _drive(self._coroutine(ctx, what), trigger)
        dies = self._crash is not None and self._crash[0] == self._callbacks
        if not dies or (self._crash is not None and self._crash[1] == "after"):
            self._save(ctx)
        if dies:
            lost = self._crash is not None and self._crash[1] == "before"
            self._crash = None
            self._strategy = self._make(self._config, self._saved)
            self._start()
            if lost and not isinstance(what, bool):
                self._call(trigger, now, what)

    def _context(self, trigger: str, now: datetime) -> _Callback:
        timers = {name: due for name, due in self._timers.items() if _timer(name, due) != trigger}
        material = sha256(f"{self._seed}|bench|{trigger}".encode()).digest()
        random = Random(int.from_bytes(material))  # noqa: S311 - repeatable is what is wanted here
        return _Callback(self._books, trigger, now, timers, random)

    def _coroutine(
        self, ctx: _Callback, what: bool | str | BlockTick | QuoteTick | Fill | IntentUpdate
    ) -> Coroutine[object, object, None]:
        strategy = self._strategy
        match what:
            case bool():
                return strategy.on_start(ctx, what)
            case str():
                return strategy.on_timer(ctx, what)
            case BlockTick():
                return strategy.on_block(ctx, what)
            case QuoteTick():
                return strategy.on_quote(ctx, what)
            case Fill():
                return strategy.on_fill(ctx, what)
            case IntentUpdate():
                return strategy.on_intent(ctx, what)

    def _save(self, ctx: _Callback) -> None:
        self._saved = self._strategy.state
        self._timers = ctx.timers
        for one in ctx.submissions:
            self._submissions.append(one)
            self._books.open[intent_id(one.client_id)] = one.draft
            self._fact(IntentUpdate(intent_id(one.client_id), IntentStatus.ACCEPTED, ""))
        for cancelled in ctx.cancels:
            if self._books.open.pop(cancelled, None) is not None:
                self._fact(IntentUpdate(cancelled, IntentStatus.CANCELLED, "on request"))

    def _fact(self, fact: Fill | IntentUpdate) -> None:
        self._fact_count += 1
        self._facts.append((self._fact_count, fact))

    def _fill(self, tick: QuoteTick) -> None:
        self._prices[tick.base.id, tick.quote.id] = Fraction(tick.numerator, tick.denominator)
        for own, draft in tuple(self._books.open.items()):
            if draft.type is IntentType.REBALANCE:
                self._rebalance(own, draft, tick)
                continue
            (part,) = draft.assets
            if part.asset.id != tick.base.id:
                continue
            del self._books.open[own]
            held = self._books.holdings.get(part.asset.id, 0)
            amount = part.amount if part.amount is not None else int(held * (part.percentage or 0))
            buys = draft.type is IntentType.ACQUIRE
            worth = amount * tick.numerator // tick.denominator
            paid = worth * 1_003 // 1_000 + 1 if buys else worth * 997 // 1_000
            given, got = (tick.quote.id, tick.base.id) if buys else (tick.base.id, tick.quote.id)
            spent, received = (paid, amount) if buys else (amount, paid)
            if spent > self._books.holdings.get(given, 0):
                self._fact(IntentUpdate(own, IntentStatus.REJECTED, "insufficient funds"))
                continue
            self._books.holdings[given] -= spent
            self._books.holdings[got] = self._books.holdings.get(got, 0) + received
            fill = Fill(
                own,
                "swap-1",
                "bench",
                given,
                Amount(spent),
                got,
                Amount(received),
                (),
                Amount(0),
                tick.block,
                "",
            )
            self._fact(fill)
            self._fact(IntentUpdate(own, IntentStatus.SETTLED, ""))

    def _rebalance(self, own: IntentId, draft: IntentDraft, tick: QuoteTick) -> None:
        """Sells what is above its weight and buys what is below, all at once, where every price is known."""
        held, quote = self._books.holdings, tick.quote.id
        prices = {
            part.asset.id: Fraction(1) if part.asset.id == quote else self._prices.get((part.asset.id, quote))
            for part in draft.assets
        }
        known = {asset: price for asset, price in prices.items() if price}
        if len(known) < len(prices):
            return
        del self._books.open[own]
        worth = {asset: held.get(asset, 0) * price for asset, price in known.items()}
        whole = sum(worth.values(), Fraction(0))
        off = {
            part.asset.id: worth[part.asset.id] - whole * Fraction(part.percentage or 0)
            for part in draft.assets
        }
        kept = Fraction(997, 1_000)
        moved = {
            asset: -int(above / known[asset]) if above > 0 else int(-above * kept / known[asset])
            for asset, above in off.items()
        }
        sold = [(asset, -change) for asset, change in moved.items() if change < 0]
        bought = [(asset, change) for asset, change in moved.items() if change > 0]
        if not sold or not bought:
            self._fact(IntentUpdate(own, IntentStatus.REJECTED, "nothing to do"))
            return
        for asset, change in moved.items():
            held[asset] = held.get(asset, 0) + change
        others = [(asset, Quantity(-amount)) for asset, amount in sold[1:]]
        others += [(asset, Quantity(amount)) for asset, amount in bought[1:]]
        (given, spent), (got, received) = sold[0], bought[0]
        fill = Fill(
            own,
            "swap-1",
            "bench",
            given,
            Amount(spent),
            got,
            Amount(received),
            (),
            Amount(0),
            tick.block,
            "",
            tuple(others),
        )
        self._fact(fill)
        self._fact(IntentUpdate(own, IntentStatus.SETTLED, ""))


def _timer(name: str, due: datetime) -> str:
    return f"timer:{name}:{due.isoformat()}"


def _drive(coroutine: Coroutine[object, object, None], trigger: str) -> None:
    # Everything in a context answers at once, so a callback that waits, waits for something else.
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise Suspended(f"the callback of {trigger} awaited something that is not of its context")


class StrategySuite[C: PluginConfig, S]:
    """Subclass it in the tests of a strategy and say how it is made and what market it sees."""

    def strategy(self) -> type[Strategy[C, S]]:
        """The strategy's class."""
        raise AssertionError("a StrategySuite names its strategy: override strategy()")

    def config(self) -> C:
        """A configuration under which it trades on the tape."""
        raise AssertionError("a StrategySuite names a configuration: override config()")

    def assets(self) -> Sequence[Asset]:
        """The assets that it trades; of a pair base and quote, as its tape has them."""
        raise AssertionError("a StrategySuite names its assets: override assets()")

    def holdings(self) -> Mapping[AssetId, int]:
        """What it starts with."""
        raise AssertionError("a StrategySuite names its holdings: override holdings()")

    def tape(self, seed: int = 7) -> Sequence[QuoteTick | BlockTick]:
        """What it is called with."""
        return walk(*self.assets(), seed=seed)

    def bench(self, *, refuse: bool = False) -> Bench[C, S]:
        """A fresh bench."""
        return Bench(self.strategy(), self.config(), self.assets(), self.holdings(), refuse=refuse)

    def fingerprint(self) -> str:
        """One text for all that a run came to; the same in every process."""
        run = self.bench().run(self.tape())
        said = [f"{one.trigger}|{one.client_id}|{one.draft}" for one in run.submissions]
        return sha256("\n".join([*said, repr(run.state)]).encode()).hexdigest()

    def test_source_is_pure(self) -> None:
        """No clock, randomness, file, socket, task or thread but through the context."""
        assert impurities(self.strategy()) == ()

    def test_state_is_frozen_and_has_defaults(self) -> None:
        """What is saved is a value, and a new instance has one."""
        state = self.strategy().State()
        assert dataclasses.is_dataclass(state)
        for one in dataclasses.fields(state):
            try:
                setattr(state, one.name, getattr(state, one.name))
            except (dataclasses.FrozenInstanceError, TypeError, AttributeError):
                continue
            raise AssertionError(f"{type(state).__name__}.{one.name} can be changed in place")

    def test_it_trades_on_its_tape(self) -> None:
        """The other tests would say nothing of one that does nothing."""
        assert self.bench().run(self.tape()).submissions

    def test_same_tape_same_intents(self) -> None:
        """Twice in this process."""
        assert self.bench().run(self.tape()) == self.bench().run(self.tape())

    def test_same_intents_whatever_the_hash_seed(self) -> None:
        """In other processes, where sets and dictionaries of text are ordered otherwise."""
        path, name = inspect.getfile(type(self)), type(self).__qualname__
        program = f"import runpy; print(runpy.run_path({path!r})[{name!r}]().fingerprint())"
        for hash_seed in ("1", "2"):
            answer = subprocess.run(  # noqa: S603 - our own interpreter and the test's own file
                [sys.executable, "-c", program],
                env={**os.environ, "PYTHONHASHSEED": hash_seed},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert answer.stdout.strip() == self.fingerprint(), answer.stderr[-2_000:]

    def test_killed_at_any_callback_it_comes_to_the_same(self) -> None:
        """Dies at each callback in turn, before and after its outcome is saved, and goes on."""
        whole = self.bench().run(self.tape())
        for number in range(1, whole.callbacks + 1):
            for saved in ("before", "after"):
                crash: Crash = (number, "before") if saved == "before" else (number, "after")
                again = self.bench().run(self.tape(), crash)
                assert again.submissions == whole.submissions, f"killed at callback {number}, {saved} saving"
                assert (again.state, again.holdings) == (whole.state, whole.holdings)

    def test_it_never_sees_what_is_to_come(self) -> None:
        """Everything after a moment is altered; what was decided up to it stays."""
        tape, other = list(self.tape()), list(self.tape(seed=8))
        for cut in range(1, len(tape), max(1, len(tape) // 8)):
            whole = self.bench().run(tape)
            altered = self.bench().run(tape[:cut] + other[cut:])
            known = self.bench().run(tape[:cut])
            count = len(known.submissions)
            assert whole.submissions[:count] == known.submissions == altered.submissions[:count]

    def test_missing_data_and_refusals_do_no_harm(self) -> None:
        """Conflated quotes, and a kernel that takes nothing."""
        tape = list(self.tape())
        for stride in (2, 3, 7):
            self.bench().run(tape[::stride])
        assert self.bench(refuse=True).run(tape).submissions == ()
