"""The strategy host: actors that are called with data and facts, one append for each outcome."""

from sep_core.strategies.actor import CALLBACK_TIMEOUT_SECONDS, Actor
from sep_core.strategies.advance import Advance, strategy_advanced
from sep_core.strategies.context import CallbackContext, ContextClosed
from sep_core.strategies.guard import plain_guard
from sep_core.strategies.host import StrategyHost
from sep_core.strategies.identity import client_id, digest_after, seeded_random
from sep_core.strategies.life import IllegalStrategyFact, StrategyLife, StrategyStatus, evolve_strategy
from sep_core.strategies.ports import CallbackFailed, CallbackGuard, StrategyDesk
from sep_core.strategies.spec import InstanceSpec
from sep_core.strategies.state_codec import StateCodec, StateInvalid

__all__ = [
    "CALLBACK_TIMEOUT_SECONDS",
    "Actor",
    "Advance",
    "CallbackContext",
    "CallbackFailed",
    "CallbackGuard",
    "ContextClosed",
    "IllegalStrategyFact",
    "InstanceSpec",
    "StateCodec",
    "StateInvalid",
    "StrategyDesk",
    "StrategyHost",
    "StrategyLife",
    "StrategyStatus",
    "client_id",
    "digest_after",
    "evolve_strategy",
    "plain_guard",
    "seeded_random",
    "strategy_advanced",
]
