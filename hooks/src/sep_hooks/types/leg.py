"""Legs: passes through markets."""

from dataclasses import dataclass

from sep_hooks.types.amount import Amount
from sep_hooks.types.asset import AssetId
from sep_hooks.types.market import MarketId


@dataclass(frozen=True, slots=True)
class Leg:
    """One pass through one market, with exact amounts."""

    market: MarketId
    asset_in: AssetId
    asset_out: AssetId
    amount_in: Amount
    amount_out: Amount
