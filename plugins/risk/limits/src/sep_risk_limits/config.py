"""The section of the configuration file that sets the limits."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from sep_hooks.config import PluginConfig
from sep_hooks.errors import SepError
from sep_hooks.types import AssetId, asset_id, parse_amount, parse_ratio


def _amount(value: object) -> int:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return _read(parse_amount, str(value))
    raise ValueError("an amount is a text of digits, in base units of the numeraire")


def _ratio(value: object) -> Decimal:
    if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool):
        return _read(parse_ratio, str(value))
    raise ValueError('a ratio is a decimal text, e.g. "0.01"')


def _asset(text: str) -> AssetId:
    return _read(asset_id, text)


def _read[T](parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except SepError as error:
        raise ValueError(error.message) from None


type AmountField = Annotated[int, BeforeValidator(_amount)]
type RatioField = Annotated[Decimal, BeforeValidator(_ratio), Field(ge=0, le=1)]
type AssetField = Annotated[AssetId, AfterValidator(_asset)]


class LimitsConfig(PluginConfig):
    """What is not set is not limited, save the notional of one intent, which must be.

    Amounts are base units of `numeraire`, a symbol of the configuration file. `max_open_notional` bounds all
    open intents of the account together, `max_share` what they may spend of each holding. `assets` are CAIP-19
    texts, `venues` names of the configuration file; an empty list allows all.
    """

    numeraire: Annotated[str, Field(min_length=1)]
    max_notional: AmountField
    max_open_notional: AmountField | None = None
    max_share: RatioField | None = None
    max_slippage: RatioField | None = None
    assets: tuple[AssetField, ...] = ()
    venues: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_fits_in_all(self) -> Self:
        if self.max_open_notional is not None and self.max_open_notional < self.max_notional:
            raise ValueError("max_open_notional is below max_notional, so no intent could use its own limit")
        return self
