"""What a plugin can do: a closed set of names, so that a misspelt one is an error and not an absence."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class PluginKind(StrEnum):
    """What a plugin is; each kind has one entry-point group and one class to derive from."""

    CHAIN = "chain"
    VENUE = "venue"
    ORDER_VENUE = "order-venue"
    RISK = "risk"
    STRATEGY = "strategy"
    SIGNER = "signer"
    RELAY = "relay"
    STORE = "store"
    BUS = "bus"
    CACHE = "cache"
    HOOKS = "hooks"

    @property
    def group(self) -> str:
        """The group of entry points that plugins of this kind stand in."""
        return GROUPS[self]


GROUPS: Final[Mapping[PluginKind, str]] = MappingProxyType(
    {
        PluginKind.CHAIN: "sep_core.chains",
        PluginKind.VENUE: "sep_core.venues",
        PluginKind.ORDER_VENUE: "sep_core.order_venues",
        PluginKind.RISK: "sep_core.risk",
        PluginKind.STRATEGY: "sep_core.strategies",
        PluginKind.SIGNER: "sep_core.signers",
        PluginKind.RELAY: "sep_core.relays",
        PluginKind.STORE: "sep_core.stores",
        PluginKind.BUS: "sep_core.buses",
        PluginKind.CACHE: "sep_core.caches",
        PluginKind.HOOKS: "sep_core.hooks",
    }
)


class Capability(StrEnum):
    """One thing that a plugin may or may not be able to do."""

    # venues
    QUOTE_EXACT_IN = "quote_exact_in"
    QUOTE_EXACT_OUT = "quote_exact_out"
    ON_CHAIN_QUOTE = "on_chain_quote"
    STATES_FROM_LOGS = "states_from_logs"
    POOL_DISCOVERY = "pool_discovery"
    MULTI_HOP = "multi_hop"
    CALL_DEADLINE = "call_deadline"
    CALL_RECIPIENT = "call_recipient"
    ORDERBOOK_STREAM = "orderbook_stream"
    ORDER_CANCEL = "order_cancel"
    ORDER_LOOKUP = "order_lookup"
    # order venues
    POST_ONLY = "post_only"
    FILL_OR_KILL = "fill_or_kill"
    UNIQUE_CLIENT_IDS = "unique_client_ids"
    REQUEST_EXPIRY = "request_expiry"
    # chains
    REORGANISATIONS = "reorganisations"
    STATE_OVERRIDES = "state_overrides"
    OWN_TRANSPORT = "own_transport"
    # risk rules
    CHARGES = "charges"
    PRICES = "prices"
    HOLDINGS = "holdings"
    EQUITY = "equity"
    # strategies
    RESUME = "resume"
    TIMERS = "timers"
    # signers
    POLICY = "policy"
    SIGNED_MEMORY = "signed_memory"
    # relays
    BUNDLES = "bundles"
    WITHDRAWAL = "withdrawal"
    # stores
    PROOFS = "proofs"
    TIME_TRAVEL = "time_travel"
    SUBSCRIPTIONS = "subscriptions"
    FENCING = "fencing"


class Support(StrEnum):
    """How far a capability goes; one that is not named at all is unknown.

    `versioned`: it depends on the deployment, the probe at start answers.
    """

    FULL = "full"
    VERSIONED = "versioned"
    TODO = "todo"
    UNSUPPORTED = "unsupported"


CAPABILITIES_OF: Final[Mapping[PluginKind, frozenset[Capability]]] = MappingProxyType(
    {
        PluginKind.VENUE: frozenset(
            {
                Capability.QUOTE_EXACT_IN,
                Capability.QUOTE_EXACT_OUT,
                Capability.ON_CHAIN_QUOTE,
                Capability.STATES_FROM_LOGS,
                Capability.POOL_DISCOVERY,
                Capability.MULTI_HOP,
                Capability.CALL_DEADLINE,
                Capability.CALL_RECIPIENT,
                Capability.ORDERBOOK_STREAM,
                Capability.ORDER_CANCEL,
                Capability.ORDER_LOOKUP,
            }
        ),
        PluginKind.ORDER_VENUE: frozenset(
            {
                Capability.ORDERBOOK_STREAM,
                Capability.ORDER_CANCEL,
                Capability.ORDER_LOOKUP,
                Capability.POST_ONLY,
                Capability.FILL_OR_KILL,
                Capability.UNIQUE_CLIENT_IDS,
                Capability.REQUEST_EXPIRY,
            }
        ),
        PluginKind.CHAIN: frozenset(
            {Capability.REORGANISATIONS, Capability.STATE_OVERRIDES, Capability.OWN_TRANSPORT}
        ),
        PluginKind.RISK: frozenset(
            {Capability.CHARGES, Capability.PRICES, Capability.HOLDINGS, Capability.EQUITY}
        ),
        PluginKind.STRATEGY: frozenset({Capability.RESUME, Capability.TIMERS}),
        PluginKind.SIGNER: frozenset({Capability.POLICY, Capability.SIGNED_MEMORY}),
        PluginKind.RELAY: frozenset({Capability.BUNDLES, Capability.WITHDRAWAL}),
        PluginKind.STORE: frozenset(
            {Capability.PROOFS, Capability.TIME_TRAVEL, Capability.SUBSCRIPTIONS, Capability.FENCING}
        ),
        PluginKind.BUS: frozenset(),
        PluginKind.CACHE: frozenset(),
        PluginKind.HOOKS: frozenset(),
    }
)
