"""What gas is worth in the measure that a plan is judged by."""

from sep_hooks.types import AssetId

from sep_core.planning.native import Network
from sep_core.planning.prices import value_of

_SAMPLE = 10**18


def gas_price_in(
    network: Network, fee_per_gas: int | None, gas_asset: AssetId | None, measure: AssetId
) -> tuple[int, int] | None:
    """The worth of one unit of gas in base units of an asset, as numerator and denominator.

    None where the fee is not known or nothing leads from the asset that pays for gas to the measure.
    """
    if fee_per_gas is None or gas_asset is None:
        return None
    if fee_per_gas == 0:
        return 0, 1
    value = value_of(network, gas_asset, _SAMPLE, measure)
    return None if value is None else (fee_per_gas * value, _SAMPLE)
