"""What a strategy in process may do to the engine: its own life ends, everybody else's goes on."""

import importlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest
from sep_hooks.strategy import Accepted, Refused
from sep_hooks.testing.dists import manifest_text, write_dist
from sep_hooks.types import Amount, IntentAsset, IntentDraft, IntentStatus, IntentType
from sep_native.sim import SimChain, default_genesis

from sep_core.adapters.sim_chain import share
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.settings import settings_of
from sep_core.runtime.start import running_kernel
from sep_core.runtime.strategy_desk import KernelStrategyDesk
from sep_core.runtime.submission import parse_submission
from sep_core.runtime.world import Touched
from sep_core.strategies import StrategyLife, StrategyStatus

from .api_engine import intent, tables

pytestmark = pytest.mark.anyio

CODE = """
    from dataclasses import dataclass, replace
    from datetime import UTC, datetime, timedelta, timezone
    from decimal import Decimal

    from sep_hooks.config import PluginConfig
    from sep_hooks.strategy import Accepted, Blocks, Strategy
    from sep_hooks.types import (
        Amount, Asset, Constraints, ExecutionStyle, IntentAsset, IntentDraft, IntentType, erc20
    )


    class OddConfig(PluginConfig):
        how: str


    @dataclass(frozen=True, slots=True)
    class Told:
        blocks: int = 0
        answers: tuple[str, ...] = ()
        moved: tuple[str, ...] = ()


    class Odd(Strategy[OddConfig, Told]):
        Config = OddConfig
        State = Told

        def __init__(self, config, state):
            if config.how == "unprintable_constructor":
                raise ValueError("\\ud800" * 10)
            super().__init__(config, state)

        def subscriptions(self):
            return (Blocks("sim"),) if self.config.how == "block" else ()

        async def on_start(self, ctx, resumed):
            act = getattr(self, self.config.how, None)
            if act is not None and not resumed:
                act(ctx)

        async def on_block(self, ctx, tick):
            self.state = replace(self.state, blocks=self.state.blocks + 1)
            kind = IntentType.DISPOSE if self.state.blocks % 2 == 0 else IntentType.ACQUIRE
            self.submit(ctx, self.draft(ctx, type=kind))

        async def on_intent(self, ctx, update):
            self.state = replace(self.state, moved=(*self.state.moved, update.status.value))

        def draft(self, ctx, *, asset=None, amount=10**16, type=IntentType.ACQUIRE, deadline=None, **bounds):
            legs = (IntentAsset(asset or ctx.asset("WETH"), Amount(amount), None),)
            said = {
                "max_slippage": Decimal("0.005"), "time_window_ms": 600_000,
                "execution_style": ExecutionStyle.IMMEDIATE, "max_fee": Amount(1),
            }
            return IntentDraft(type, legs, Constraints(**(said | bounds)), deadline)

        def submit(self, ctx, draft):
            answer = ctx.submit(draft)
            text = "accepted" if isinstance(answer, Accepted) else f"{answer.code} {answer.reason}"
            self.state = replace(self.state, answers=(*self.state.answers, text))
            return answer

        def long_timer(self, ctx):
            ctx.timer("x" * 300_000, timedelta(seconds=1))

        def unprintable_timer(self, ctx):
            ctx.timer("\\ud800", timedelta(seconds=1))

        def many_timers(self, ctx):
            for number in range(2_000):
                ctx.timer(f"{number:0100}", timedelta(hours=1))

        def long_state(self, ctx):
            self.state = type("x" * 300_000, (), {})()

        def unprintable_state(self, ctx):
            self.state = replace(self.state, answers=("\\ud800",))

        def ask_for_everything_wrong(self, ctx):
            weth = ctx.asset("WETH")
            self.submit(ctx, self.draft(ctx, venues=("x" * 300_000,)))
            self.submit(ctx, self.draft(ctx, venues=("amm",) * 1_000))
            self.submit(ctx, self.draft(ctx, venues=("\\ud800",)))
            self.submit(ctx, self.draft(ctx, chains=("eip155:99",)))
            self.submit(ctx, self.draft(ctx, assets=("WETH",)))
            self.submit(ctx, self.draft(ctx, asset=Asset(erc20(31337, "0x" + "12" * 20), "JUNK", 18)))
            self.submit(ctx, self.draft(ctx, asset=replace(weth, decimals=6)))
            self.submit(ctx, self.draft(ctx, asset=replace(weth, symbol="x" * 300_000)))
            self.submit(ctx, self.draft(ctx, max_slippage=0.5))
            self.submit(ctx, self.draft(ctx, time_window_ms=True))
            self.submit(ctx, self.draft(ctx, time_window_ms=2**60))
            self.submit(ctx, self.draft(ctx, max_fee="1"))
            self.submit(ctx, self.draft(ctx, amount=1.0))
            self.submit(ctx, self.draft(ctx, execution_style="IMMEDIATE"))
            self.submit(ctx, self.draft(ctx, type="ACQUIRE"))
            late = datetime.max.replace(tzinfo=timezone(timedelta(hours=-23)))
            self.submit(ctx, self.draft(ctx, deadline=late))
            self.submit(ctx, self.draft(ctx, deadline=datetime(2999, 1, 1)))
            self.submit(ctx, replace(self.draft(ctx), assets=[]))
            self.submit(ctx, None)
            self.submit(ctx, self.draft(ctx, deadline=datetime(2999, 1, 1, tzinfo=timezone(timedelta(hours=2)))))

        def submit_far_too_much(self, ctx):
            for _ in range(70):
                self.submit(ctx, self.draft(ctx))

        def submit_and_cancel(self, ctx):
            ctx.cancel(self.submit(ctx, self.draft(ctx)).intent_id)
            self.submit(ctx, self.draft(ctx))
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the search path with the strategy of these tests, as an installer leaves it."""
    folder = tmp_path / "site"
    files = {"acme_odd/__init__.py": CODE, "acme_odd/sep-plugin.toml": manifest_text("strategy", "odd")}
    write_dist(folder, "acme-odd", entry_points={"sep_core.strategies": {"odd": "acme_odd:Odd"}}, files=files)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    yield folder
    sys.modules.pop("acme_odd", None)


@asynccontextmanager
async def engine(folder: Path, how: str, **chain: str) -> AsyncIterator[Kernel]:
    """An engine in paper mode with one odd strategy, and an author with an account of his own."""
    said = tables()
    said["chains"]["sim"] |= chain
    said["accounts"]["other"] = dict(said["accounts"]["main"])
    said["accounts"]["other"]["address"] = "0x" + "11" * 20
    said["strategies"]["odd"] = {"use": "odd", "account": "other", "how": how}
    said["plugins"]["enabled"].append("acme-odd")
    with anyio.fail_after(60):
        async with running_kernel(
            settings_of(said, source="test", folder=folder), {}, SystemClock()
        ) as kernel:
            yield kernel


async def until(kernel: Kernel, condition: Callable[[], Any]) -> None:
    """Returns when a commit has made it so."""
    changed = anyio.Event()

    def listen(touched: Touched) -> None:
        nonlocal changed
        changed.set()

    kernel.desk.on_commit(listen)
    with anyio.fail_after(20):
        while not condition():
            changed = anyio.Event()
            await changed.wait()


def life(kernel: Kernel) -> StrategyLife:
    return kernel.world.strategies["odd"]


def told(kernel: Kernel) -> dict[str, Any]:
    return json.loads(life(kernel).state or "{}")  # type: ignore[no-any-return]


def mine(kernel: Kernel) -> list[tuple[IntentType, IntentStatus]]:
    return [
        (one.intent.type, one.status) for one in kernel.world.intents.values() if one.intent.strategy == "odd"
    ]


async def serves(kernel: Kernel) -> None:
    """An author's intent goes its whole way."""
    body = json.dumps(intent(id=str(uuid4()))).encode()
    receipt = await kernel.submit(parse_submission(body), source="api", request=body)
    assert (await kernel.wait_until_ended(receipt.intent_id, 20)).status == IntentStatus.SETTLED


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("long_timer", "timer"),
        ("unprintable_timer", "timer"),
        ("many_timers", "timer"),
        ("long_state", "state"),
        ("unprintable_state", "state"),
        ("unprintable_constructor", "ValueError"),
    ],
)
async def test_an_outcome_that_cannot_be_recorded_ends_that_strategy_alone(
    tmp_path: Path, site: Path, how: str, reason: str
) -> None:
    async with engine(tmp_path, how) as kernel:
        await until(kernel, lambda: life(kernel).status is not StrategyStatus.RUNNING)
        assert life(kernel).status is StrategyStatus.FAULTED
        assert reason in life(kernel).reason
        assert len(life(kernel).reason) <= 500
        await serves(kernel)


async def test_every_wrong_draft_is_refused_with_its_reason(tmp_path: Path, site: Path) -> None:
    async with engine(tmp_path, "ask_for_everything_wrong") as kernel:
        await until(kernel, lambda: life(kernel).ordinal or life(kernel).reason)
        assert life(kernel).reason == ""
        answers = told(kernel)["answers"]
        codes = [one.partition(" ")[0] for one in answers]
        assert codes == [
            "draft_not_valid",
            "too_many",
            "draft_not_valid",
            "unknown_chain",
            "unknown_asset",
            "unknown_asset",
            "asset_differs",
            *["draft_not_valid"] * 12,
            "accepted",
        ]
        assert all(len(one) < 600 for one in answers)
        assert len(mine(kernel)) == 1
        await serves(kernel)


async def test_one_callback_submits_a_bounded_number_of_intents(tmp_path: Path, site: Path) -> None:
    async with engine(tmp_path, "submit_far_too_much") as kernel:
        await until(kernel, lambda: life(kernel).ordinal or life(kernel).reason)
        codes = [one.partition(" ")[0] for one in told(kernel)["answers"]]
        assert codes == ["accepted"] * 64 + ["too_many_submissions"] * 6
        assert len(mine(kernel)) == 64
        await serves(kernel)


async def test_what_a_callback_submits_and_cancels_is_cancelled(tmp_path: Path, site: Path) -> None:
    async with engine(tmp_path, "submit_and_cancel") as kernel:
        await until(kernel, lambda: life(kernel).ordinal)
        assert mine(kernel)[0] == (IntentType.ACQUIRE, IntentStatus.CANCELLED)
        assert mine(kernel)[1][1] is not IntentStatus.CANCELLED
        await until(kernel, lambda: "CANCELLED" in told(kernel)["moved"])


@pytest.fixture
def chain() -> Iterator[SimChain]:
    """A chain that outlives engines, and mines when it is told."""
    made = SimChain(default_genesis(7))
    share("strategy-outcomes", made)
    yield made
    share("strategy-outcomes", None)


async def test_a_block_that_the_state_has_seen_is_not_handed_over_again(
    tmp_path: Path, site: Path, chain: SimChain
) -> None:
    async with engine(tmp_path, "block", shared="strategy-outcomes") as kernel:
        await until(kernel, lambda: told(kernel).get("blocks"))
    seen, outcomes = life(kernel).seen, life(kernel).ordinal
    async with engine(tmp_path, "block", shared="strategy-outcomes") as kernel:
        (head,) = kernel.chains()
        assert str(head.head_hash) in str(seen)
        await until(kernel, lambda: life(kernel).ordinal > outcomes)
        await serves(kernel)
        assert (told(kernel)["blocks"], life(kernel).seen) == (1, seen)
        chain.rpc("sim_mine", "[1]")
        await until(kernel, lambda: life(kernel).seen != seen)
        assert told(kernel)["blocks"] == 2
        assert told(kernel)["answers"] == ["accepted", "accepted"]
        assert [kind for kind, _ in mine(kernel)] == [IntentType.ACQUIRE, IntentType.DISPOSE]


async def test_a_client_id_names_one_intent_for_ever(tmp_path: Path, site: Path) -> None:
    async with engine(tmp_path, "submit_and_cancel") as kernel:
        await until(kernel, lambda: life(kernel).ordinal)
        known = next(one.intent for one in kernel.world.intents.values() if one.intent.strategy == "odd")
        desk = KernelStrategyDesk(
            kernel.desk, kernel.composition, kernel.intake, kernel.installation.assets, SystemClock()
        )
        same = IntentDraft(known.type, known.assets, known.constraints, known.deadline)
        assert desk.consider("odd", same, known.client_id) == Accepted(known.id)
        part = known.assets[0]
        for other in (
            replace(same, type=IntentType.DISPOSE),
            replace(same, assets=(IntentAsset(part.asset, Amount((part.amount or 0) + 1)),)),
            replace(same, constraints=replace(same.constraints, max_slippage=Decimal("0.006"))),
        ):
            answer = desk.consider("odd", other, known.client_id)
            assert isinstance(answer, Refused)
            assert answer.code == "client_id_reused"
            assert str(known.id) in answer.reason
        kernel.end_when_idle()
        answer = desk.consider("odd", same, uuid4())
        assert isinstance(answer, Refused)
        assert answer.code == "draining"
        assert desk.consider("odd", same, known.client_id) == Accepted(known.id), "what is known goes on"
