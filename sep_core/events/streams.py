"""The names of streams."""

from uuid import UUID

from sep_hooks.types import Address, ChainRef, chain_id_of

KERNEL = "kernel"
RISK_BOOK = "risk:book"
RISK_BREAKERS = "risk:breakers"


def intent_stream(intent_id: UUID) -> str:
    """The life of one intent."""
    return f"intent:{intent_id}"


def account_stream(chain: ChainRef, address: Address) -> str:
    """The nonce lane of one address on one chain."""
    return f"account:{chain_id_of(chain)}:{address}"


def ledger_stream(account: str) -> str:
    """The journal of one configured account."""
    return f"ledger:{account}"


def order_stream(venue: str, account: str) -> str:
    """The orders of one account at one order venue."""
    return f"orders:{venue}:{account}"


def strategy_stream(instance: str) -> str:
    """The life of one strategy instance."""
    return f"strategy:{instance}"


def chain_stream(chain: ChainRef) -> str:
    """What happened to a chain as a whole."""
    return f"chain:{chain_id_of(chain)}"


def equity_stream(scope: str) -> str:
    """The worth of what one strategy, or all of them, hold."""
    return f"equity:{scope}"


def venue_stream(instance: str) -> str:
    """Whether plans use one venue."""
    return f"venue:{instance}"


def plugin_stream(kind: str, instance: str) -> str:
    """Activation and failures of one plugin instance."""
    return f"plugin:{kind}:{instance}"
