"""Approved plans that no longer stand: through a venue that is not used now, or another executor than the account's."""

from dataclasses import replace
from pathlib import Path

import pytest
from sep_hooks.types import Address, Bundle, IntentId, IntentStatus

from sep_core.events.facts import IntentPlanned, PlanWithdrawn, VenueStandingChanged
from sep_core.events.streams import venue_stream
from sep_core.runtime.commands import RecordFacts
from sep_core.runtime.flow.life import why_unfit
from sep_core.runtime.submission import parse_submission
from sep_core.telemetry.crashpoints import armed

from ..harness.bench import acquire, dispose, new_chain
from ..harness.orders import VENUE, OrderScenario, RunningClock, order_engine, orders_of
from ..harness.run import until
from ..harness.scenario import ask
from .test_several_transactions import ended, facts, running

pytestmark = pytest.mark.anyio

ETHER = 10**18
WISH = dispose("one", ETHER)
LAST_ASK = "execution.prepare.simulate.after"
"""The last word of the chain before the signer is asked."""


class Death(BaseException):
    """The process ends here."""


async def test_nothing_is_signed_through_a_venue_that_was_disabled_meanwhile(tmp_path: Path) -> None:
    chain = new_chain(tmp_path)
    async with running(tmp_path, chain) as kernel:
        done: list[str] = []

        def disable(place: str) -> None:
            if place == LAST_ASK and not done:
                done.append(place)
                fact = VenueStandingChanged("amm", "disabled", "it lies", "the test")
                kernel.desk.decide(RecordFacts(((venue_stream("amm"), fact),)))
                kernel.venue_manager.look()

        taken = await kernel.submit(parse_submission(WISH.body), source="command_line", request=WISH.body)
        intent_id = IntentId(taken.intent_id)
        with armed(disable):
            await until(kernel, lambda: kernel.plans.why_waiting(intent_id) is not None)
        state = kernel.world.intents[intent_id]
        assert done
        assert not state.transaction_hashes
        (withdrawn,) = [one for one in await facts(kernel, intent_id) if isinstance(one, PlanWithdrawn)]
        assert "venue amm is not used now: an operator disabled it: it lies" in withdrawn.reason
        await kernel.enable_venue("amm", "it does not", "the test")
        ask(chain, "sim_mine")
        view = await kernel.wait_until_ended(intent_id, 20)
    assert view.status == "SETTLED", view


async def test_a_plan_through_a_venue_that_left_the_configuration_is_made_anew(tmp_path: Path) -> None:
    chain = new_chain(tmp_path)

    def die(place: str) -> None:
        if place == "execution.prepare.head.before":
            raise Death

    with armed(die), pytest.RaisesGroup(Death, flatten_subgroups=True):
        async with running(tmp_path, chain) as kernel:
            await ended(kernel, WISH)
    venues = {"other": {"use": "simulated-amm", "chain": "sim"}}
    async with running(tmp_path, chain, venues=venues) as kernel:
        (intent_id,) = kernel.world.intents
        view = await kernel.wait_until_ended(intent_id, 20)
        told = await facts(kernel, intent_id)
    assert view.status == "SETTLED", view
    assert [one.plan.venues for one in told if isinstance(one, IntentPlanned)] == [("amm",), ("other",)]
    assert [one.reason for one in told if isinstance(one, PlanWithdrawn)] == [
        "venue amm is not used now: it takes no part in this run; nothing was signed"
    ]


async def test_a_bundle_of_another_executor_than_the_accounts_does_not_stand(tmp_path: Path) -> None:
    chain = new_chain(tmp_path)
    async with running(tmp_path, chain) as kernel:
        view = await ended(kernel, WISH)
        plan = kernel.world.intents[IntentId(view.id)].plan
        assert plan is not None
        assert why_unfit(kernel.world, plan, kernel.composition) is None
        old, new = (Address("0x" + digit * 40) for digit in "ab")
        bundle = Bundle(old, (), plan.spends, plan.receives, 0)
        steps = tuple(replace(one, bundle=bundle) if one.exchanges else one for one in plan.steps)
        bundled = replace(plan, steps=steps)
        unfit = why_unfit(kernel.world, bundled, kernel.composition)
        assert unfit is not None
        assert "it has none now" in unfit[1]
        for executor, stands in ((new, False), (old, True)):
            account = replace(kernel.composition.account("main"), executor=executor)
            roster = replace(kernel.composition.roster, accounts={"main": account})
            unfit = why_unfit(kernel.world, bundled, replace(kernel.composition, roster=roster))
            assert (unfit is None) is stands


async def test_no_order_is_sent_to_a_venue_that_was_disabled_meanwhile(tmp_path: Path) -> None:
    wish = acquire("an order", 10**17, slippage="0.01")
    scenario = OrderScenario("disabled", (wish,))
    exchange = scenario.new_exchange()
    async with order_engine(scenario, tmp_path, new_chain(tmp_path), exchange, RunningClock()) as kernel:
        done: list[IntentId] = []

        def disable(_: object) -> None:
            state = next(iter(kernel.world.intents.values()), None)
            if state is not None and state.status is IntentStatus.RISK_APPROVED and not done:
                done.append(state.id)
                fact = VenueStandingChanged(VENUE, "disabled", "it lies", "the test")
                kernel.desk.decide(RecordFacts(((venue_stream(VENUE), fact),)))

        kernel.desk.on_commit(disable)
        taken = await kernel.submit(parse_submission(wish.body), source="command_line", request=wish.body)
        intent_id = IntentId(taken.intent_id)
        await until(kernel, lambda: kernel.plans.why_waiting(intent_id) is not None)
        assert done
        assert orders_of(exchange) == []
        (withdrawn,) = [one for one in await facts(kernel, intent_id) if isinstance(one, PlanWithdrawn)]
        assert "an operator disabled it: it lies; nothing was sent" in withdrawn.reason
