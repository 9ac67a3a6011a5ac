"""Whether an intent may be taken at all, and every reason why not."""

from collections.abc import Iterator
from datetime import datetime

from sep_hooks.types import MAX_AMOUNT, Intent, IntentAsset, IntentType, chain_of

from sep_core.intents.problem import Problem
from sep_core.intents.rules import IntentRules, Roster
from sep_core.intents.validation_rebalance import rebalance_problems
from sep_core.intents.validation_slicing import slicing_problems

__all__ = ["SUPPORTED_TYPES", "Problem", "validate"]

SUPPORTED_TYPES = frozenset({IntentType.ACQUIRE, IntentType.DISPOSE, IntentType.REBALANCE})
"""What this release executes."""

_LATER_TYPES = {
    IntentType.BRIDGE: "move the asset yourself and trade on the chain where it is",
    IntentType.LIQUIDATE: "submit a DISPOSE with percentage 1 for each holding",
}


def validate(intent: Intent, rules: IntentRules, now: datetime, roster: Roster) -> tuple[Problem, ...]:
    """All that is wrong with an intent, in the order of its fields; empty where it may be taken."""
    return tuple(_problems(intent, rules, now, roster))


def _problems(intent: Intent, rules: IntentRules, now: datetime, roster: Roster) -> Iterator[Problem]:
    yield from _who(intent, roster)
    if intent.type in _LATER_TYPES:
        yield Problem(
            "/type",
            "intent_type_not_supported",
            f"{intent.type} comes in a later release; this one executes ACQUIRE, DISPOSE and REBALANCE: "
            f"{_LATER_TYPES[intent.type]}",
        )
        return
    if intent.type is IntentType.REBALANCE:
        yield from rebalance_problems(intent, roster)
    else:
        if len(intent.assets) != 1:
            yield Problem(
                "/assets",
                "exactly_one_asset",
                f"{intent.type} names exactly one asset in this release, these are {len(intent.assets)}",
            )
        for index, part in enumerate(intent.assets):
            yield from _asset(intent, part, f"/assets/{index}", roster)
    yield from slicing_problems(intent)
    yield from _constraints(intent, rules)
    yield from _deadline(intent, now)


def _who(intent: Intent, roster: Roster) -> Iterator[Problem]:
    account = roster.strategies.get(intent.strategy)
    if account is None:
        yield Problem(
            "/strategy_id",
            "unknown_strategy",
            f"{intent.strategy!r} is no strategy of the configuration: add a table [strategies.<name>]",
        )
    elif account != intent.account or account not in roster.accounts:
        yield Problem(
            "/strategy_id",
            "unknown_account",
            f"account {intent.account!r} is not the one that acts for strategy {intent.strategy!r}",
        )


def _asset(intent: Intent, part: IntentAsset, pointer: str, roster: Roster) -> Iterator[Problem]:
    yield from _size(part, pointer)
    account = roster.accounts.get(intent.account)
    allowed = intent.constraints.assets
    if allowed and part.asset.id not in allowed:
        yield Problem(
            "/constraints/assets",
            "asset_not_allowed",
            f"the list of allowed assets leaves out {part.asset.symbol}, which the intent is about",
        )
    if account is None:
        return
    if chain_of(part.asset.id) != account.chain:
        yield Problem(
            f"{pointer}/asset/chain_id",
            "asset_on_other_chain",
            f"{part.asset.symbol} lives on {chain_of(part.asset.id)}, account {account.name} on {account.chain}",
        )
    elif not any(asset != part.asset.id for asset in account.funding):
        yield Problem(
            f"{pointer}/asset",
            "no_funding",
            f"account {account.name} names no other asset than {part.asset.symbol} to trade it against: "
            f"extend [accounts.{account.name}] funding",
        )
    if intent.constraints.chains and account.chain not in intent.constraints.chains:
        yield Problem(
            "/constraints/chains",
            "chain_not_allowed",
            f"the list of allowed chains leaves out {account.chain}, where account {account.name} is",
        )


def _size(part: IntentAsset, pointer: str) -> Iterator[Problem]:
    amount, percentage = part.amount, part.percentage
    if amount is None and percentage is None:
        yield Problem(f"{pointer}/amount", "amount_missing", "an amount or a percentage must be given")
    if amount is not None and amount == 0:
        yield Problem(f"{pointer}/amount", "zero_amount", "the amount is zero, so there is nothing to do")
    elif amount is not None and not 0 < amount <= MAX_AMOUNT:
        yield Problem(
            f"{pointer}/amount", "amount_out_of_range", "an amount is a number of base units up to 2^256-1"
        )
    if percentage is None:
        return
    if not percentage.is_finite() or not 0 < percentage <= 1:
        yield Problem(
            f"{pointer}/percentage",
            "percentage_out_of_range",
            f"{percentage} is no share: it must lie above 0 and at most at 1",
        )
    elif amount is not None and percentage != 1:
        yield Problem(
            f"{pointer}/percentage",
            "amount_and_percentage",
            f"with an amount the percentage can only be 1 (all of this amount), was {percentage}",
        )


def _constraints(intent: Intent, rules: IntentRules) -> Iterator[Problem]:
    constraints, bounds = intent.constraints, rules.bounds(intent.type)
    slippage = constraints.max_slippage
    if not slippage.is_finite() or not bounds.min_slippage <= slippage <= bounds.max_slippage:
        yield Problem(
            "/constraints/max_slippage",
            "constraint_out_of_bounds",
            f"max_slippage {slippage} lies outside {bounds.min_slippage} to {bounds.max_slippage}, "
            f"set by {bounds.source}",
        )
    window = constraints.time_window_ms
    if not bounds.min_window_ms <= window <= bounds.max_window_ms:
        yield Problem(
            "/constraints/time_window_ms",
            "constraint_out_of_bounds",
            f"time_window_ms {window} lies outside {bounds.min_window_ms} to {bounds.max_window_ms}, "
            f"set by {bounds.source}",
        )
    if constraints.max_fee is not None and not 0 <= constraints.max_fee <= MAX_AMOUNT:
        yield Problem(
            "/constraints/max_fee", "amount_out_of_range", "max_fee is a number of wei up to 2^256-1"
        )


def _deadline(intent: Intent, now: datetime) -> Iterator[Problem]:
    deadline = intent.deadline
    if deadline is None:
        return
    if deadline.tzinfo is None:
        yield Problem(
            "/deadline", "deadline_without_zone", "a deadline needs a time zone: write RFC 3339, e.g. …Z"
        )
    elif deadline <= now:
        yield Problem("/deadline", "deadline_passed", f"the deadline {deadline.isoformat()} has passed")
