"""Plans that spend and receive several assets: funds, slippage, the last look, fills and books speak of each."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sep_hooks.testing.risk import BASE, INTENT, OTHER, QUOTE, price_book, risk_view, swap_plan
from sep_hooks.types import (
    Address,
    Amount,
    AssetId,
    BlockRef,
    Bundle,
    Constraints,
    ExecutionStyle,
    Flow,
    Plan,
    Quantity,
    Step,
    StepKind,
    Trade,
    erc20,
    evm_chain,
)

from sep_core.events.facts import JournalPosted, Transfer
from sep_core.execution.fills import exchanged, fill
from sep_core.execution.presign import price_trouble
from sep_core.portfolio import Owner, post_paper
from sep_core.risk.checks import kernel_verdicts, money_of

EXTRA = erc20(1, "0x" + "f0" * 20)
EXECUTOR, OWNER, POOL = (Address("0x" + digit * 40) for digit in "789")
BLOCK = BlockRef(1, "0x01")


def flow(asset: AssetId, expected: int, limit: int) -> Flow:
    return Flow(asset, Amount(expected), Amount(limit), Amount(expected))


SPENDS = (flow(QUOTE, 1_000, 1_000), flow(BASE, 500, 500))
RECEIVES = (flow(OTHER, 300, 290), flow(EXTRA, 70, 68))


def bundled(spends: tuple[Flow, ...] = SPENDS, receives: tuple[Flow, ...] = RECEIVES) -> Plan:
    """A bundle over two venues."""
    plain = swap_plan()
    swap = plain.steps[-1]
    assert swap.order is not None
    trades = (Trade("uni", swap.order, False), Trade("sushi", swap.order, True))
    step = replace(
        swap,
        id="1.1-bundle",
        kind=StepKind.BUNDLE,
        venue="",
        order=None,
        bundle=Bundle(EXECUTOR, trades, spends, receives, 77),
    )
    return replace(plain, steps=(step,), spends=spends, receives=receives)


def moved(*changes: tuple[AssetId, int]) -> list[Transfer]:
    return [
        Transfer(
            asset,
            OWNER if change < 0 else POOL,
            POOL if change < 0 else OWNER,
            Amount(abs(change)),
            place,
        )
        for place, (asset, change) in enumerate(changes)
    ]


AS_EXPECTED = moved((QUOTE, -1_000), (BASE, -500), (OTHER, 300), (EXTRA, 70))


def step_of(plan: Plan) -> Step:
    (step,) = plan.steps
    return step


def test_a_step_tells_what_it_spends_at_most_and_gets_at_least() -> None:
    step = step_of(bundled())
    assert step.exchanges
    assert step.most_spent == ((QUOTE, 1_000), (BASE, 500))
    assert step.least_received == ((OTHER, 290), (EXTRA, 68))
    assert step.deadline == 77
    assert bundled().venues == ("uni", "sushi")


def test_all_that_is_spent_is_held_and_must_be_there() -> None:
    plan = bundled()
    gas = plan.gas_cost_limit
    money = dict(money_of(plan))
    assert (money[QUOTE], money[BASE]) == (1_000, 500)
    assert sum(money.values()) == 1_500 + gas
    constraints = Constraints(Decimal("0.05"), 60_000, ExecutionStyle.IMMEDIATE)
    rich = dict.fromkeys(money, 10**30)
    for short in (QUOTE, BASE):
        view = risk_view(prices=price_book(1), free={**rich, short: int(money[short]) - 1})
        refused = [one.code for one in kernel_verdicts(plan, constraints, view) if not one.ok]
        assert refused == ["insufficient_funds"]
    view = risk_view(prices=price_book(1), free=rich)
    assert all(one.ok for one in kernel_verdicts(plan, constraints, view))


@pytest.mark.parametrize("place", [0, 1])
def test_each_limit_is_measured(place: int) -> None:
    loose = tuple(
        replace(one, limit=Amount(one.limit // 2)) if number == place else one
        for number, one in enumerate(RECEIVES)
    )
    view = risk_view(prices=price_book(1), free=dict.fromkeys(dict(money_of(bundled())), 10**30))
    constraints = Constraints(Decimal("0.05"), 60_000, ExecutionStyle.IMMEDIATE)
    refused = [one.code for one in kernel_verdicts(bundled(receives=loose), constraints, view) if not one.ok]
    assert refused == ["slippage_exceeds_constraint"]


def test_the_last_look_sees_each_asset() -> None:
    plan = bundled()
    step = step_of(plan)
    assert price_trouble(plan, step, OWNER, AS_EXPECTED, 500) is None
    for asset, change in ((QUOTE, -1), (BASE, -1), (OTHER, -20), (EXTRA, -5)):
        trouble = price_trouble(plan, step, OWNER, [*AS_EXPECTED, *moved((asset, change))], 500)
        assert trouble is not None
        assert asset in trouble
    nothing = [one for one in AS_EXPECTED if one.asset != EXTRA]
    assert price_trouble(plan, step, OWNER, nothing, 500) is not None


def test_a_fill_holds_all_of_it_and_the_books_take_it() -> None:
    step = step_of(bundled())
    assert exchanged(step, OWNER, AS_EXPECTED) == ([1_000, 500], [300, 70])
    made = fill(INTENT, step, OWNER, AS_EXPECTED, (), gas_cost=9, block=BLOCK)
    assert made is not None
    assert made.venue == "uni + sushi"
    assert dict(made.moved) == {QUOTE: -1_000, BASE: -500, OTHER: 300, EXTRA: 70}
    assert made.others == ((BASE, Quantity(-500)), (EXTRA, Quantity(70)))
    owner = Owner("main", evm_chain(1), OWNER, "rebalance")
    (entry, gas) = post_paper(owner, made, None)
    booked, paid = ledger_lines(entry.fact), ledger_lines(gas.fact)
    assert booked == dict(made.moved)
    assert list(paid.values()) == [-9]


def ledger_lines(entry: object) -> dict[AssetId, Quantity]:
    assert isinstance(entry, JournalPosted)
    return {one.asset: one.quantity for one in entry.postings if one.account_class == "wallet"}
