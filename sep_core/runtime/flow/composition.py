"""What decisions may look at besides the world: rules, accounts, time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sep_hooks.context import Clock
from sep_hooks.types import AssetId, Intent, IntentId

from sep_core.execution import LaneKey
from sep_core.intents import IntentRules, KnownAccount, Roster
from sep_core.portfolio import Owner, owner_of
from sep_core.risk import RiskEngine

MOST_PLANS = 5
"""How many plans an intent may use up before it is rejected; each costs a look at the chain, none costs money."""


@dataclass(frozen=True, slots=True)
class Composition:
    """One installation, as configured.

    `is_signing` tells of an intent whether a signer is at work on it now, `value` what it is about in base units of
    the numéraire by the latest snapshot, 0 where that is not known; `numeraire` is None where nobody wants prices.
    """

    mode: Literal["paper", "testnet"]
    rules: IntentRules
    engine: RiskEngine
    roster: Roster
    strategy_ids: Mapping[str, UUID]
    clock: Clock
    is_signing: Callable[[IntentId], bool]
    value: Callable[[Intent], int]
    numeraire: AssetId | None

    def account(self, name: str) -> KnownAccount:
        """A configured account. Raises `KeyError` for a name that no validated intent can carry."""
        return self.roster.accounts[name]

    def owner(self, name: str) -> Owner:
        """Who owns what an account holds: its only strategy, or nobody in particular."""
        account = self.account(name)
        users = tuple(one for one, used in self.roster.strategies.items() if used == name)
        return owner_of(name, account.chain, account.address, users)

    def owner_of_lane(self, key: LaneKey, name: str) -> Owner:
        """The same for a lane of the log, whose account may have left the configuration."""
        if name in self.roster.accounts:
            return self.owner(name)
        return owner_of(name, key.chain, key.address, ())
