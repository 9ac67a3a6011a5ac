"""The body of a question for a route, as programs send it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sep_hooks.errors import InvalidAsset
from sep_hooks.types import AssetId, erc20

from sep_core.runtime.native import is_checksum_valid
from sep_core.runtime.quote_wish import MOST_HOPS, MOST_LEGS, QuoteRefused, Wish
from sep_core.runtime.submission import (
    MAX_ASSETS,
    MOST_NAMED,
    AmountField,
    SubmittedAsset,
    checked_address,
    parse_body,
)

LONGEST_SEARCH_MS = 2_000
DEFAULT_SEARCH_MS = 250
DEFAULT_LEGS = 16
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QuotedAsset(_Body):
    """An asset with an amount in base units, or without one where it is what the route has to find."""

    asset: SubmittedAsset
    amount: AmountField | None = None


class QuoteBody(_Body):
    """Either every `spend` has an amount (exact in), or `receive` has one (exact out).

    `include_snapshot` adds to the answer all that the certificate can be checked with.
    """

    spend: list[QuotedAsset] = Field(min_length=1, max_length=MAX_ASSETS)
    receive: QuotedAsset
    max_legs: int = Field(default=DEFAULT_LEGS, ge=1, le=MOST_LEGS, strict=True)
    max_hops: int | None = Field(default=None, ge=1, le=MOST_HOPS, strict=True)
    time_ms: int = Field(default=DEFAULT_SEARCH_MS, ge=1, le=LONGEST_SEARCH_MS, strict=True)
    arbitrage: bool = Field(default=False, strict=True)
    venues: list[_Name] = Field(default_factory=list, max_length=MOST_NAMED)
    exclude: list[_Name] = Field(default_factory=list, max_length=MOST_NAMED)
    include_snapshot: bool = Field(default=False, strict=True)

    def wish(self) -> Wish:
        """The same as a wish. Raises `QuoteRefused` for an address that fails its checksum."""
        return Wish(
            spends=tuple(
                (_asset(one.asset, f"/spend/{place}/asset"), one.amount)
                for place, one in enumerate(self.spend)
            ),
            want=_asset(self.receive.asset, "/receive/asset"),
            amount=self.receive.amount,
            max_legs=self.max_legs,
            max_hops=self.max_hops,
            time_ms=self.time_ms,
            arbitrage=self.arbitrage,
            venues=tuple(self.venues),
            exclude=tuple(self.exclude),
        )


def parse_quote(body: bytes) -> QuoteBody:
    """Reads a body once, strictly. Raises `RequestRefused` with every mistake."""
    return parse_body(body, QuoteBody)


def _asset(said: SubmittedAsset, pointer: str) -> AssetId:
    try:
        return erc20(said.chain_id, checked_address(said.address, is_checksum_valid))
    except InvalidAsset as error:
        raise QuoteRefused(error.message, f"{pointer}/address") from error
