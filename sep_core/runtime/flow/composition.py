"""What decisions may look at besides the world: rules, accounts, time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Literal
from uuid import UUID

from sep_hooks.context import Clock
from sep_hooks.types import AssetId, Intent, IntentId

from sep_core.events.scopes import GLOBAL, scope_of
from sep_core.execution import LaneKey
from sep_core.intents import IntentRules, KnownAccount, Roster
from sep_core.portfolio import Owner, owner_of
from sep_core.risk import RiskEngine


def new_seed() -> str:
    """128 bits that nobody can foresee, as hexadecimal text."""
    return token_hex(16)


@dataclass(frozen=True, slots=True)
class Composition:
    """One installation, as configured. `seed` draws what the randomness of one schedule is made from.

    `is_signing` tells of an intent whether a signer is at work on it now, `value` what it is about in base units of
    the numéraire by the latest snapshot, 0 where that is not known; `numeraire` is None where nobody wants prices.
    `booked` names the strategy for which the log holds an account's money already; it stays the owner. `why_unasked`
    tells of a venue why this run does not ask it, empty where it does. `unseen` are the
    scopes whose worth is to be measured, and was not yet in this run: nothing of them is signed before.
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
    booked: Mapping[str, str] = field(default_factory=dict)
    seed: Callable[[], str] = new_seed
    why_unasked: Callable[[str], str] = lambda _: ""
    unseen: set[str] = field(default_factory=set)

    def account(self, name: str) -> KnownAccount:
        """A configured account. Raises `KeyError` for a name that no validated intent can carry."""
        return self.roster.accounts[name]

    def owner(self, name: str) -> Owner:
        """Who owns what an account holds: whoever did, else its only strategy, or nobody in particular."""
        account = self.account(name)
        return self.owner_of_lane(LaneKey(account.chain, account.address), name)

    def owner_of_lane(self, key: LaneKey, name: str) -> Owner:
        """The same for a lane of the log, whose account may have left the configuration."""
        users = tuple(one for one, used in self.roster.strategies.items() if used == name)
        owners = (self.booked[name],) if name in self.booked else users
        return owner_of(name, key.chain, key.address, owners)

    def is_unseen(self, account: str) -> bool:
        """Whether what the account's strategy holds, or all hold together, is still to be measured."""
        if not self.unseen or account not in self.roster.accounts:
            return False
        return not self.unseen.isdisjoint({scope_of(self.owner(account).strategy), GLOBAL})

    def gone(self, intent: Intent) -> tuple[str, str] | None:
        """Why nobody may act for an intent any more, as code and reason; None where its tables stand."""
        if intent.account not in self.roster.accounts:
            reason = f"account {intent.account!r} has left the configuration; nothing of this was sent"
            return "account_not_configured", reason
        if intent.strategy not in self.roster.strategies:
            reason = f"strategy {intent.strategy!r} has left the configuration; nothing of this was sent"
            return "strategy_not_configured", reason
        return None
