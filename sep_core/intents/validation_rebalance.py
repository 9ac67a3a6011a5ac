"""Whether target weights can be aimed at: assets of one account on one chain, weights that make up the whole."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from sep_hooks.types import Intent, IntentAsset, chain_of

from sep_core.intents.problem import Problem
from sep_core.intents.rules import Roster


def rebalance_problems(intent: Intent, roster: Roster) -> Iterator[Problem]:
    """All that is wrong with the weights and their assets."""
    if len(intent.assets) < 2:
        yield Problem(
            "/assets",
            "at_least_two_assets",
            f"a REBALANCE names at least two assets with their target weights, these are {len(intent.assets)}",
        )
    seen: set[str] = set()
    sound = True
    for index, part in enumerate(intent.assets):
        pointer = f"/assets/{index}"
        if part.asset.id in seen:
            yield Problem(
                f"{pointer}/asset", "asset_twice", f"{part.asset.symbol} is named twice: give it one weight"
            )
        seen.add(part.asset.id)
        wrong = tuple(_weight(part, pointer))
        sound = sound and not wrong
        yield from wrong
        yield from _place(intent, part, pointer, roster)
    whole = sum(
        (Fraction(one.percentage) for one in intent.assets if sound and one.percentage is not None),
        Fraction(0),
    )
    if sound and intent.assets and whole != 1:
        yield Problem("/assets", "weights_not_one", f"the target weights add up to {_text(whole)}, not to 1")
    account = roster.accounts.get(intent.account)
    if account is not None and intent.constraints.chains and account.chain not in intent.constraints.chains:
        yield Problem(
            "/constraints/chains",
            "chain_not_allowed",
            f"the list of allowed chains leaves out {account.chain}, where account {account.name} is",
        )


def _weight(part: IntentAsset, pointer: str) -> Iterator[Problem]:
    if part.amount is not None:
        yield Problem(
            f"{pointer}/amount",
            "amount_in_rebalance",
            f"a REBALANCE aims at weights: give {part.asset.symbol} a percentage and no amount",
        )
    weight = part.percentage
    if weight is None:
        yield Problem(f"{pointer}/percentage", "weight_missing", f"{part.asset.symbol} has no target weight")
    elif not weight.is_finite() or not Decimal(0) <= weight <= 1:
        yield Problem(
            f"{pointer}/percentage", "percentage_out_of_range", f"{weight} is no weight: it lies from 0 to 1"
        )


def _place(intent: Intent, part: IntentAsset, pointer: str, roster: Roster) -> Iterator[Problem]:
    allowed = intent.constraints.assets
    if allowed and part.asset.id not in allowed:
        yield Problem(
            "/constraints/assets",
            "asset_not_allowed",
            f"the list of allowed assets leaves out {part.asset.symbol}, which the intent is about",
        )
    account = roster.accounts.get(intent.account)
    if account is not None and chain_of(part.asset.id) != account.chain:
        yield Problem(
            f"{pointer}/asset/chain_id",
            "asset_on_other_chain",
            f"{part.asset.symbol} lives on {chain_of(part.asset.id)}, account {account.name} on {account.chain}",
        )


def _text(value: Fraction) -> str:
    return format(Decimal(value.numerator) / Decimal(value.denominator), "f").rstrip("0").rstrip(".") or "0"
