"""The conformance suite of strategies and the purity check find what is planted."""

import random
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import pytest
from sep_hooks.config import PluginConfig
from sep_hooks.strategy import Quotes, QuoteTick, Strategy, StrategyContext, Subscription
from sep_hooks.testing.purity import impurities
from sep_hooks.testing.strategy import Bench, StrategySuite, Suspended, walk
from sep_hooks.types import (
    Amount,
    Asset,
    AssetId,
    Constraints,
    ExecutionStyle,
    IntentAsset,
    IntentDraft,
    IntentType,
    erc20,
)

WETH = Asset(erc20(1, "0x" + "c0" * 20), "WETH", 18)
USDC = Asset(erc20(1, "0x" + "a0" * 20), "USDC", 6)


@dataclass(frozen=True, slots=True)
class Count:
    """How many prices were seen."""

    quotes: int = 0


class Honest(Strategy[PluginConfig, Count]):
    """Buys at every fifth price."""

    Config = PluginConfig
    State = Count

    def subscriptions(self) -> Sequence[Subscription]:
        return (Quotes("WETH", "USDC"),)

    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        self.state = replace(self.state, quotes=self.state.quotes + 1)
        if self.state.quotes % 5 == 0:
            self.buy(ctx, 10**15)

    def buy(self, ctx: StrategyContext, amount: int) -> None:
        constraints = Constraints(Decimal("0.005"), 60_000, ExecutionStyle.IMMEDIATE)
        ctx.submit(IntentDraft(IntentType.ACQUIRE, (IntentAsset(WETH, Amount(amount)),), constraints))


class Forgetful(Honest):
    """Keeps its count beside its state."""

    def __init__(self, config: PluginConfig, state: Count) -> None:
        super().__init__(config, state)
        self.quotes = 0

    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        self.quotes += 1
        if self.quotes % 5 == 0:
            self.buy(ctx, 10**15)


class Dicey(Honest):
    """Rolls its own dice."""

    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        self.buy(ctx, random.randint(1, 10**15))


class Hashing(Honest):
    """Lets the order of hashes decide."""

    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        self.buy(ctx, abs(hash(quote.block.hash)) + 1)


class Clairvoyant(Honest):
    """Has read the tape to its end."""

    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        if FUTURE[-1].numerator > quote.numerator:
            self.buy(ctx, 10**15)


class Tomorrow:
    """Something that is not there yet."""

    def __await__(self) -> Generator[None]:
        yield


class Sleepy(Honest):
    """Waits for the wall clock."""

    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        await Tomorrow()
        time.time()
        datetime.now()  # noqa: DTZ005


FUTURE: Sequence[QuoteTick] = ()


class Suite(StrategySuite[PluginConfig, Count]):
    """The suite over one of these."""

    __test__ = False
    made: type[Honest] = Honest

    def strategy(self) -> type[Honest]:
        return self.made

    def config(self) -> PluginConfig:
        return PluginConfig()

    def assets(self) -> tuple[Asset, Asset]:
        return WETH, USDC

    def holdings(self) -> Mapping[AssetId, int]:
        return {USDC.id: 10**15}

    def tape(self, seed: int = 7) -> Sequence[QuoteTick]:
        return walk(WETH, USDC, seed=seed, blocks=25)


class Foresight(Suite):
    """Shows the strategy what each run will bring."""

    __test__ = False

    def bench(self, *, refuse: bool = False) -> Bench[PluginConfig, Count]:
        made = super().bench(refuse=refuse)
        played = made.run

        def run(tape: Sequence[QuoteTick], crash: object = None) -> object:
            global FUTURE
            FUTURE = tape
            return played(tape)

        made.run = run  # type: ignore[method-assign, assignment]
        return made


def of(cls: type[Honest]) -> Suite:
    suite = Suite()
    suite.made = cls
    return suite


def test_an_honest_strategy_passes() -> None:
    suite = of(Honest)
    suite.test_it_trades_on_its_tape()
    suite.test_same_tape_same_intents()
    suite.test_killed_at_any_callback_it_comes_to_the_same()
    suite.test_it_never_sees_what_is_to_come()
    suite.test_missing_data_and_refusals_do_no_harm()
    suite.test_state_is_frozen_and_has_defaults()


def test_what_is_not_in_the_state_is_lost_in_a_crash() -> None:
    with pytest.raises(AssertionError, match="killed at callback"):
        of(Forgetful).test_killed_at_any_callback_it_comes_to_the_same()


def test_own_dice_are_found() -> None:
    with pytest.raises(AssertionError):
        of(Dicey).test_same_tape_same_intents()


def test_look_ahead_is_found() -> None:
    suite = Foresight()
    suite.made = Clairvoyant
    with pytest.raises(AssertionError):
        suite.test_it_never_sees_what_is_to_come()


def test_waiting_for_anything_else_is_found() -> None:
    with pytest.raises(Suspended):
        of(Sleepy).test_same_tape_same_intents()


def test_purity_names_each_sin_of_a_source() -> None:
    found = " ".join(impurities(Hashing))
    for sin in ("import random", "import time", "hash(…)", "datetime.now(…)"):
        assert sin in found
