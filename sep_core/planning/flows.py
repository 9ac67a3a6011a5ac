"""What passages exchange together: what must be brought, what is passed on, what comes in the end."""

from collections.abc import Iterable, Sequence

from sep_hooks.types import AssetId

from sep_core.planning.passage import Passage


def net_of(amounts: Iterable[tuple[AssetId, int]]) -> dict[AssetId, int]:
    """The sum of each asset's amounts, zeros left out."""
    net: dict[AssetId, int] = {}
    for asset, amount in amounts:
        net[asset] = net.get(asset, 0) + amount
    return {asset: amount for asset, amount in net.items() if amount}


def exchanged(parts: Sequence[Passage]) -> dict[AssetId, int]:
    """What they do to whoever runs them all: spent negative, received positive."""
    return net_of(
        change
        for part in parts
        for change in ((part.asset_in, -part.amount_in), (part.asset_out, int(part.amount_out)))
    )


def takes_rest(parts: Sequence[Passage]) -> tuple[bool, ...]:
    """Which passages take all that is there by then: the last taker of an asset that earlier ones brought, where
    nothing of it shall be left. What those bring more or less then goes on instead of lying about.
    """
    net = exchanged(parts)
    taking: list[bool] = []
    for place, part in enumerate(parts):
        asset = part.asset_in
        brought = any(before.asset_out == asset for before in parts[:place])
        later = any(after.asset_in == asset for after in parts[place + 1 :])
        taking.append(brought and not later and net.get(asset, 0) <= 0)
    return tuple(taking)
