"""Bounds that intents keep, from configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

from sep_hooks.types import Address, AssetId, ChainRef, IntentType, Ratio

PLATFORM_NAMESPACE = UUID("5e9f1d2a-6c0b-5b57-9c1e-0d7a4c3b2f18")
"""The namespace of the platform's intent ids, where configuration names no other."""

MOST_ATTEMPTS = 5
"""How many plans an intent may use up, and how many slices that fell short are scheduled again, without a setting."""

DEFAULT_SOURCE = "[intents.bounds.default]"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an intent of one type may ask for, both ends included; `source` says where the bounds stand."""

    min_slippage: Ratio = Decimal("0.001")
    max_slippage: Ratio = Decimal("0.1")
    min_window_ms: int = 60_000
    max_window_ms: int = 3_600_000
    source: str = DEFAULT_SOURCE


@dataclass(frozen=True, slots=True)
class IntentRules:
    """The rules of one installation; `by_type` takes the place of `default` for its types.

    `most_attempts` bounds the plans of an intent and the slices that are scheduled again.
    """

    namespace: UUID = PLATFORM_NAMESPACE
    default: Bounds = Bounds()
    by_type: Mapping[IntentType, Bounds] = field(default_factory=lambda: MappingProxyType({}))
    starvation_bound: timedelta = timedelta(seconds=30)
    most_attempts: int = MOST_ATTEMPTS

    def bounds(self, kind: IntentType) -> Bounds:
        """The bounds in force for a type of intent."""
        return self.by_type.get(kind, self.default)


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """An account of the configuration, what may be spent from it, and its own executor contract, if any."""

    name: str
    chain: ChainRef
    address: Address
    funding: tuple[AssetId, ...]
    executor: Address | None = None


@dataclass(frozen=True, slots=True)
class Roster:
    """Who may ask and for which account: strategy instance to account name, and the accounts."""

    strategies: Mapping[str, str]
    accounts: Mapping[str, KnownAccount]
