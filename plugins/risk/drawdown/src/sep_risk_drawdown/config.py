"""The section of the configuration file that says how much may be lost."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator
from sep_hooks.config import PluginConfig
from sep_hooks.errors import SepError
from sep_hooks.types import parse_ratio


def _ratio(value: object) -> Decimal:
    if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool):
        try:
            return parse_ratio(str(value))
        except SepError as error:
            raise ValueError(error.message) from None
    raise ValueError('a ratio is a decimal text, e.g. "0.1"')


type RatioField = Annotated[Decimal, BeforeValidator(_ratio), Field(gt=0, lt=1)]


class DrawdownConfig(PluginConfig):
    """Shares of what was held that may be lost, of each strategy and of all together.

    From its highest unit value on: at `reduce` only what lowers risk passes until half of that is made good; at `halt`,
    until a person closes the breaker. `daily_loss` halts too, measured from 0:00 UTC and from 24 hours ago.
    """

    numeraire: Annotated[str, Field(min_length=1)]
    reduce: RatioField = Decimal("0.10")
    halt: RatioField = Decimal("0.15")
    daily_loss: RatioField = Decimal("0.03")

    @model_validator(mode="after")
    def _reduces_before_it_halts(self) -> Self:
        if self.reduce >= self.halt:
            raise ValueError("reduce is not below halt, so it would never act by itself")
        return self
