"""The engine under honest, failing and lying rules, and the kernel's own checks."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid5

import pytest
from sep_hooks.config import PluginConfig
from sep_hooks.context import PluginContext
from sep_hooks.errors import ConfigurationError
from sep_hooks.risk import RiskRule
from sep_hooks.testing.risk import BASE, OTHER, QUOTE, price_book, swap_plan
from sep_hooks.types import (
    Amount,
    Charge,
    Constraints,
    ExecutionStyle,
    IntentId,
    Json,
    Need,
    Plan,
    PriceBook,
    Quantity,
    RiskStage,
    RiskView,
    Verdict,
    evm_chain,
    native_asset,
)

from sep_core.events.facts import HoldPlaced
from sep_core.events.streams import RISK_BOOK
from sep_core.risk import (
    RiskBook,
    RiskDecision,
    RiskEngine,
    build_view,
    convert_hold,
    evolve_book,
    fold_book,
    hold,
    release_hold,
)

NATIVE = native_asset(1)
GAS = 200_000 * 2_000_000_000
CONSTRAINTS = Constraints(Decimal("0.005"), 60_000, ExecutionStyle.IMMEDIATE)
FINAL = {QUOTE: 10_000_000, NATIVE: 10**18}


class Quiet:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def info(self, event: str, **fields: Json) -> None: ...

    def warning(self, event: str, **fields: Json) -> None: ...


CONTEXT = PluginContext("test", Quiet(), Quiet())


class Cap(RiskRule[PluginConfig]):
    """Holds what is spent against a cap over all open intents."""

    Config = PluginConfig
    version = "7"
    cap = 1_000_000
    blind = False

    def charges(self, plan: Plan, view: RiskView) -> Sequence[Charge]:
        return (Charge("spent", "account:main", Quantity(plan.limit_in)),)

    def assess(self, plan: Plan, view: RiskView, stage: RiskStage) -> Sequence[Verdict]:
        held = 0 if self.blind else view.held.get(("spent", "account:main"), 0)
        return (verdict(asked=plan.limit_in, held=held, limit=self.cap),)


class BlindCap(Cap):
    """Forgets what other intents hold."""

    blind = True


class Priced(RiskRule[PluginConfig]):
    Config = PluginConfig
    version = "1"
    needs = frozenset({Need.PRICES})
    symbol: ClassVar[str] = "USDC"

    def numeraire(self) -> str | None:
        return self.symbol

    def assess(self, plan: Plan, view: RiskView, stage: RiskStage) -> Sequence[Verdict]:
        return ()


class PricedInOther(Priced):
    symbol = "DAI"


class Answering(RiskRule[PluginConfig]):
    """Answers whatever it is told."""

    Config = PluginConfig
    version = "1"
    answer: Any = ()
    claims: Any = ()

    def charges(self, plan: Plan, view: RiskView) -> Sequence[Charge]:
        if isinstance(self.claims, BaseException):
            raise self.claims
        return self.claims  # type: ignore[no-any-return]

    def assess(self, plan: Plan, view: RiskView, stage: RiskStage) -> Sequence[Verdict]:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]


def verdict(
    *, asked: int = 1, held: int = 0, limit: int = 10, ok: bool | None = None, hard: bool = True, **other: Any
) -> Verdict:
    base = Verdict(
        "claimed", "9", "cap_exceeded", "account:main", "spent", "units", Quantity(0), Quantity(held),
        Quantity(asked), Quantity(limit), hard, asked + held <= limit if ok is None else ok, "said so",
    )  # fmt: skip
    return replace(base, **other)


def view(
    book: RiskBook | None = None,
    final: dict[Any, int] | None = None,
    prices: PriceBook | None = None,
    without: IntentId | None = None,
) -> RiskView:
    return build_view(
        book or RiskBook(),
        account="main",
        strategy="rebalance",
        final=FINAL if final is None else final,
        doubt={},
        prices=prices,
        without=without,
    )


def decide(
    rules: dict[str, RiskRule[Any]] | None = None,
    plan: Plan | None = None,
    seen: RiskView | None = None,
    constraints: Constraints = CONSTRAINTS,
) -> RiskDecision:
    return RiskEngine(rules or {}).decide(plan or swap_plan(), constraints, seen or view(), RiskStage.PLAN)


def answering(answer: Any = (), claims: Any = ()) -> dict[str, RiskRule[Any]]:
    made = Answering(PluginConfig(), CONTEXT)
    made.answer, made.claims = answer, claims
    return {"odd": made}


def test_money_is_the_worst_outflow_and_gas_at_its_cap() -> None:
    decision = decide()
    assert decision.approved
    assert dict(decision.money) == {QUOTE: 1_000_000, NATIVE: GAS}
    out = decide(plan=swap_plan(exact_in=False))
    assert dict(out.money) == {QUOTE: 1_005_000, NATIVE: GAS}
    plan = swap_plan()
    spent = replace(plan, spends=(replace(plan.spends[0], asset=NATIVE),))
    assert dict(decide(plan=spent).money) == {NATIVE: 1_000_000 + GAS}


@pytest.mark.parametrize(
    "final",
    [{}, {QUOTE: 999_999, NATIVE: 10**18}, {QUOTE: 10**9}, {QUOTE: 10**9, NATIVE: GAS - 1}],
)
def test_funds_must_be_there_gas_included(final: dict[Any, int]) -> None:
    decision = decide(seen=view(final=final))
    assert (decision.approved, decision.code) == (False, "insufficient_funds")
    assert decision.money == ()


def test_doubt_and_holds_are_not_free() -> None:
    seen = build_view(
        RiskBook(),
        account="main",
        strategy="rebalance",
        final=FINAL,
        doubt={QUOTE: 9_000_001},
        prices=None,
    )
    assert decide(seen=seen).code == "insufficient_funds"
    book = RiskBook()
    evolve_book(book, HoldPlaced(other(1), "main", "rebalance", ((QUOTE, Amount(9_000_001)),), ()))
    assert decide(seen=view(book)).code == "insufficient_funds"
    assert decide(seen=view(book, without=other(1))).approved
    evolve_book(book, HoldPlaced(other(2), "main", "another", ((QUOTE, Amount(10**9)),), ()))
    assert decide(seen=view(book, without=other(1))).approved


def test_constraints_of_the_intent_are_kept() -> None:
    assert decide(plan=swap_plan(slippage_ppm=5_000)).approved
    assert decide(plan=swap_plan(slippage_ppm=5_000, exact_in=False)).approved
    for exact_in in (True, False):
        late = decide(plan=swap_plan(slippage_ppm=6_000, exact_in=exact_in))
        assert late.code == "slippage_exceeds_constraint"
    plan = swap_plan()
    better = replace(plan, receives=(replace(plan.receives[0], quoted=Amount(510_000)),))
    assert decide(plan=better).code == "slippage_exceeds_constraint"
    for changed, code in [
        ({"venues": ("sushi",)}, "venue_not_allowed"),
        ({"chains": (evm_chain(10),)}, "chain_not_allowed"),
        ({"assets": (OTHER,)}, "asset_not_allowed"),
        ({"max_fee": Amount(GAS - 1)}, "fee_exceeds_constraint"),
    ]:
        assert decide(constraints=replace(CONSTRAINTS, **changed)).code == code  # type: ignore[arg-type]
    kept = replace(CONSTRAINTS, venues=("uni",), chains=(evm_chain(1),), assets=(BASE,), max_fee=Amount(GAS))
    assert decide(constraints=kept).approved


def test_all_rules_run_and_one_hard_no_is_a_no() -> None:
    rules = answering((verdict(asked=99, limit=1),)) | {"cap": Cap(PluginConfig(), CONTEXT)}
    decision = decide(rules)
    assert (decision.approved, decision.code) == (False, "cap_exceeded")
    assert {one.rule for one in decision.verdicts} == {"kernel", "odd", "cap"}
    assert "odd: said so" in decision.reason
    assert decide(answering((verdict(ok=False, hard=False),))).approved


def test_a_rule_cannot_speak_for_another() -> None:
    said = decide(answering((verdict(),))).verdicts[-1]
    assert (said.rule, said.version) == ("odd", "1")


@pytest.mark.parametrize(
    "rules",
    [
        answering(RuntimeError("boom")),
        answering(SystemExit(0)),
        answering(claims=RecursionError()),
        answering(None),
        answering("yes"),
        answering(7),
        answering([True]),
        answering([verdict(asked=float("nan"), ok=True)]),
        answering([verdict(limit=1.5, ok=True)]),
        answering([verdict(used=True)]),
        answering([verdict(ok=1)]),
        answering([verdict(hard=None)]),
        answering([verdict(code=None)]),
        answering(claims=[Charge("spent", "account:main", Quantity(-1))]),
        answering(claims=[Charge("spent", "account:main", float("nan"))]),  # type: ignore[arg-type]
        answering(claims=["spent"]),
        answering(claims=None),
    ],
)
def test_a_rule_that_fails_or_lies_refuses(rules: dict[str, RiskRule[Any]]) -> None:
    decision = decide(rules)
    assert (decision.approved, decision.code) == (False, "risk_rule_unavailable")
    assert [fault.instance for fault in decision.faults] == ["odd"]
    assert decision.verdicts[-1].rule == "odd"


def test_an_interrupt_is_no_fault_of_a_rule() -> None:
    with pytest.raises(KeyboardInterrupt):
        decide(answering(KeyboardInterrupt()))


def test_a_need_that_cannot_be_met_refuses_without_blame() -> None:
    rules: dict[str, RiskRule[Any]] = {"priced": Priced(PluginConfig(), CONTEXT)}
    assert RiskEngine(rules).numeraire == "USDC"
    assert RiskEngine(rules).needs == {Need.PRICES}
    decision = decide(rules)
    assert (decision.code, decision.faults) == ("risk_rule_unavailable", ())
    assert decide(rules, seen=view(prices=price_book(1))).approved


def test_rules_agree_on_a_numeraire() -> None:
    one, other_rule = Priced(PluginConfig(), CONTEXT), PricedInOther(PluginConfig(), CONTEXT)
    with pytest.raises(ConfigurationError, match="different symbols"):
        RiskEngine({"a": one, "b": other_rule})
    assert RiskEngine({}).numeraire is None


def test_a_claim_that_nothing_limits_refuses() -> None:
    decision = decide(answering(claims=[Charge("spend", "account:main", Quantity(1))]))
    assert (decision.approved, decision.code) == (False, "risk_rule_unavailable")
    assert "no rule limits it" in decision.reason


@pytest.mark.parametrize("kind", [Cap, BlindCap])
def test_of_400_intents_exactly_those_pass_that_fit(kind: type[Cap]) -> None:
    """Even where the rule itself forgets the other holds, the kernel counts them."""
    rule = kind(PluginConfig(), CONTEXT)
    rule.cap = 100 * 1_000
    engine = RiskEngine({"cap": rule})
    book, passed = RiskBook(), []
    for number in range(400):
        plan = swap_plan(amount_in=1_000, amount_out=1_000, intent_id=other(number), gas_limit=4)
        decision = engine.decide(plan, CONSTRAINTS, view(book), RiskStage.PLAN)
        if decision.approved:
            decided = hold(other(number), "main", "rebalance", decision)
            assert decided.stream == RISK_BOOK
            evolve_book(book, decided.fact)
            passed.append(number)
        else:
            assert decision.code in {"cap_exceeded", "limit_exceeded"}
            with pytest.raises(ValueError, match="was refused"):
                hold(other(number), "main", "rebalance", decision)
    assert passed == list(range(100))
    assert book.charges == {("spent", "account:main"): 100_000}
    evolve_book(book, release_hold(other(5), "reverted").fact)
    evolve_book(book, convert_hold(other(6)).fact)
    again = engine.decide(
        swap_plan(amount_in=2_000, amount_out=1_000, gas_limit=4), CONSTRAINTS, view(book), RiskStage.PLAN
    )
    assert again.approved


def test_before_signing_the_own_hold_does_not_count_twice() -> None:
    rule = Cap(PluginConfig(), CONTEXT)
    engine = RiskEngine({"cap": rule})
    plan = swap_plan()
    decision = engine.decide(plan, CONSTRAINTS, view(), RiskStage.PLAN)
    book = fold_book([hold(plan.intent_id, "main", "rebalance", decision).fact])
    assert not engine.decide(plan, CONSTRAINTS, view(book), RiskStage.PRE_SIGN).approved
    own = view(book, without=plan.intent_id)
    assert engine.decide(plan, CONSTRAINTS, own, RiskStage.PRE_SIGN).approved


def test_no_rule_can_change_what_others_see() -> None:
    seen = view()
    with pytest.raises(TypeError):
        seen.held["spent", "account:main"] = 0  # type: ignore[index]


def other(number: int) -> IntentId:
    return IntentId(uuid5(UUID(int=0), str(number)))


def test_rules_are_called_through_the_guard_that_is_handed_in() -> None:
    calls: list[tuple[str, str]] = []

    def guarded[T](instance: str, call: str, make: Callable[[], T]) -> T:
        calls.append((instance, call))
        if call == "assess":
            raise RuntimeError("in quarantine")
        return make()

    engine = RiskEngine({"cap": Cap(PluginConfig(), CONTEXT)}, call=guarded)
    decision = engine.decide(swap_plan(), CONSTRAINTS, view(), RiskStage.PLAN)
    assert calls == [("cap", "charges"), ("cap", "assess")]
    assert (decision.approved, decision.code) == (False, "risk_rule_unavailable")
    assert "in quarantine" in decision.reason
