"""The section of the configuration file that describes the balance to keep."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator
from sep_hooks.config import PluginConfig
from sep_hooks.errors import SepError
from sep_hooks.types import ExecutionStyle, parse_amount, parse_ratio


def _amount(value: object) -> int:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return _read(parse_amount, str(value))
    raise ValueError("an amount is a text of digits, in base units of the quote asset")


def _ratio(value: object) -> Decimal:
    if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool):
        return _read(parse_ratio, str(value))
    raise ValueError('a ratio is a decimal text, e.g. "0.05"')


def _read[T](parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except SepError as error:
        raise ValueError(error.message) from None


type AmountField = Annotated[int, BeforeValidator(_amount)]
type RatioField = Annotated[Decimal, BeforeValidator(_ratio)]
type Symbol = Annotated[str, Field(min_length=1)]
type Weight = Annotated[RatioField, Field(ge=0, le=1)]


class RebalanceConfig(PluginConfig):
    """All names are symbols of the configuration file; prices are told in `quote`.

    Two assets: `weight` is the share of `base` in the whole of `base` and `quote`. Any number: `weights` names the
    share of each. It trades where a share is off by more than `band`, and never less than `minimum_trade` (base
    units of the quote asset). After an intent that came to nothing it pauses for `pause_seconds`.
    """

    quote: Symbol
    base: Symbol | None = None
    weight: Weight = Decimal("0.5")
    weights: Annotated[dict[Symbol, Weight], Field(min_length=2, max_length=32)] | None = None
    band: Annotated[RatioField, Field(gt=0, lt=1)] = Decimal("0.05")
    max_slippage: Annotated[RatioField, Field(gt=0, lt=1)] = Decimal("0.005")
    time_window_ms: Annotated[int, Field(gt=0)] = 60_000
    minimum_trade: AmountField = 0
    pause_seconds: Annotated[int, Field(ge=0)] = 60
    execution_style: ExecutionStyle = ExecutionStyle.IMMEDIATE

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.base is None) == (self.weights is None):
            raise ValueError("give `base` with `weight` for two assets, or `weights` for any number")
        if self.weights is None:
            if self.base == self.quote:
                raise ValueError(f"base and quote are both {self.base}: there is nothing to balance")
            return self
        whole = sum((Fraction(one) for one in self.weights.values()), Fraction(0))
        if whole != 1:
            raise ValueError(f"the weights add up to {float(whole):g}, not to 1")
        if self.execution_style is not ExecutionStyle.IMMEDIATE:
            raise ValueError(f"weights are reached in one plan, which cannot be {self.execution_style}")
        return self
