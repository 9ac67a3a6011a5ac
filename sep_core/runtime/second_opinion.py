"""The decisions of a log, taken again by another configuration on what was known at each of them."""

from dataclasses import dataclass
from typing import Literal

from sep_hooks.errors import ConfigurationError
from sep_hooks.store import Recorded
from sep_hooks.types import IntentId, RiskStage

from sep_core import risk
from sep_core.events.facts import IntentPlanned, IntentReceived, IntentRejected, RiskApproved
from sep_core.events.registry import Fact
from sep_core.intents import validate
from sep_core.risk import RiskEngine
from sep_core.risk.engine import RiskDecision
from sep_core.runtime.guards import RuleGuard
from sep_core.runtime.identity import booked_owners
from sep_core.runtime.installation import Installation
from sep_core.runtime.world import World, intent_of
from sep_core.runtime.worth import numeraire_of

TAKEN, APPROVED = "taken", "approved"


@dataclass(frozen=True, slots=True)
class Opinion:
    """One decision: what the log says, and what it would be now, each a word or the code of a refusal."""

    position: int
    intent_id: IntentId
    about: Literal["intake", "risk"]
    recorded: str
    now: str
    reason: str

    @property
    def differs(self) -> bool:
        """Whether another decision would be taken."""
        return self.recorded != self.now


class SecondOpinion:
    """Hears a log event by event. Plans are taken as they stand in it: markets of the past are in no log."""

    def __init__(self, installation: Installation) -> None:
        self._bounds = installation.rules_of_intents
        self._roster = installation.roster
        self._engine = RiskEngine(installation.rules, call=RuleGuard(installation))
        self._numeraire = numeraire_of(self._engine, installation.assets)
        self._asked: dict[IntentId, RiskDecision] = {}

    def hear(self, world: World, recorded: Recorded, fact: Fact) -> Opinion | None:
        """What this configuration makes of the decision that an event is part of; None where it is of none.

        `world` has taken the event in. Raises `ConfigurationError` where the rules want other prices than the log has.
        """
        match fact:
            case IntentReceived():
                return self._intake(recorded, fact)
            case IntentPlanned():
                self._asked[_intent(recorded)] = self._assessed(world, recorded, fact)
            case RiskApproved():
                return self._risk(recorded, APPROVED)
            case IntentRejected(stage="risk"):
                return self._risk(recorded, fact.code)
        return None

    def _intake(self, recorded: Recorded, fact: IntentReceived) -> Opinion | None:
        if fact.intent.parent is not None:
            return None  # a slice is no author's wish
        found = validate(fact.intent, self._bounds, fact.received_at, self._roster)
        now = found[0].code if found else TAKEN
        reason = "; ".join(one.message for one in found)
        return Opinion(recorded.pos, fact.intent.id, "intake", TAKEN, now, reason)

    def _assessed(self, world: World, recorded: Recorded, fact: IntentPlanned) -> RiskDecision:
        prices, account = fact.prices, fact.plan.account
        if prices is not None and self._numeraire not in (None, prices.numeraire):
            raise ConfigurationError(
                f"the log's prices are in {prices.numeraire}, these risk rules want them in {self._numeraire}",
                pointer="risk",
                next_step="compare with rules of the same numeraire",
            )
        state = world.intents[_intent(recorded)]
        strategy = booked_owners(world).get(account, state.intent.strategy)
        view = risk.build_view(
            world.book,
            account=account,
            strategy=strategy,
            final=world.ledger.finals(account, strategy),
            doubt=world.ledger.doubts(account, strategy),
            prices=prices,
            limits_version=self._engine.limits_version,
            without=state.id,
        )
        return self._engine.decide(fact.plan, state.intent.constraints, view, RiskStage.PLAN)

    def _risk(self, recorded: Recorded, said: str) -> Opinion | None:
        decision = self._asked.pop(_intent(recorded), None)
        if decision is None:
            return None
        now = APPROVED if decision.approved else decision.code
        return Opinion(recorded.pos, _intent(recorded), "risk", said, now, decision.reason)


def _intent(recorded: Recorded) -> IntentId:
    return intent_of(recorded.stream.partition(":")[2])
