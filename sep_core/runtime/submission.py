"""The edge of an intent: from an author's bytes to a value, with every mistake named by its place."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from sep_hooks.errors import InvalidAmount, InvalidAsset, Permanent
from sep_hooks.types import AMOUNT_PATTERN, Amount, Ratio, parse_amount

from sep_core.intents.schedule import MOST_SLICES

MAX_BODY_BYTES = 64 * 1024
MAX_NESTING = 64
MAX_ASSETS = 32
MOST_NAMED = 32
MOST_PROBLEMS = 64
LONGEST_MEMBER = 64
_AMOUNT_DIGITS = 78
_NUMBER_CHARACTERS = 80
_RATIO_PLACES = 30
_LARGEST_RATIO = 10**9
_RATIO_BOUNDS = "a ratio lies between 0 and 10^9 with at most 30 decimal places"
RATIO_PATTERN = r"^[0-9]{1,30}(\.[0-9]{1,30})?$"
_RATIO = re.compile(RATIO_PATTERN.removesuffix("$") + r"\Z")
_MOMENT = re.compile(
    r"[0-9]{4}(-[0-9]{2}){2}[Tt ][0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class RequestProblem:
    """One mistake: where (JSON pointer), which kind, and in words what was found and what is allowed."""

    pointer: str
    code: str
    message: str


class RequestRefused(Permanent):
    """A request that cannot be taken; nothing of it was recorded."""

    code = "request_refused"

    def __init__(
        self,
        problems: tuple[RequestProblem, ...],
        *,
        kind: Literal["malformed", "invalid", "too_large", "conflict"] = "invalid",
    ) -> None:
        first = problems[0]
        place = f"{first.pointer}: " if first.pointer else ""
        super().__init__(
            f"{place}{first.message}", next_step="correct it and send it again; nothing was recorded"
        )
        self.problems = problems
        self.kind = kind


def _amount(value: object) -> Amount:
    if not isinstance(value, str):
        raise ValueError("write the amount as a string of digits in base units")
    if value.isdigit() and len(value) > _AMOUNT_DIGITS:
        raise ValueError(f"the amount has {len(value)} digits; the largest, 2^256 - 1, has {_AMOUNT_DIGITS}")
    try:
        return parse_amount(value)
    except InvalidAmount as error:
        raise ValueError(error.message) from None


def _ratio(value: object) -> Ratio:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("write the ratio as a number or a decimal string")
    if isinstance(value, str) and _RATIO.match(value) is None:
        raise ValueError(f"{value[:64]!r} is no ratio: write digits with at most one point, like 0.005")
    ratio = Decimal(value)
    # Its size before anything else: to write out 1e300000000 takes a minute and all memory.
    if not ratio.is_finite() or not -_RATIO_PLACES <= ratio.adjusted() <= _RATIO_PLACES:
        raise ValueError(_RATIO_BOUNDS)
    exponent = ratio.as_tuple().exponent
    assert isinstance(exponent, int)
    if ratio < 0 or ratio > _LARGEST_RATIO or not -_RATIO_PLACES <= exponent <= _RATIO_PLACES:
        raise ValueError(_RATIO_BOUNDS)
    return Decimal(format(ratio.copy_abs(), "f"))


def _moment(value: object) -> datetime:
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        raise ValueError("write the moment as RFC 3339 with a time zone, like 2026-01-31T12:00:00Z")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{value} lies outside the calendar's years 1 to 9999 in UTC") from None
    except ValueError as error:
        raise ValueError(f"{value} is no moment: {error}") from None


AmountField = Annotated[
    Amount, BeforeValidator(_amount), WithJsonSchema({"type": "string", "pattern": AMOUNT_PATTERN})
]
RatioField = Annotated[
    Ratio,
    BeforeValidator(_ratio),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": RATIO_PATTERN},
                {"type": "number", "minimum": 0, "maximum": 10**9},
            ]
        }
    ),
]
MomentField = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SubmittedAsset(_Body):
    """A token: contract address (checksummed if in mixed case), chain id, and its decimals as a cross-check."""

    address: str = Field(pattern=r"^0x[0-9a-fA-F]{40}$")
    chain_id: int = Field(ge=1, le=2**53 - 1, strict=True)
    symbol: str | None = Field(default=None, min_length=1, max_length=32)
    decimals: int | None = Field(default=None, ge=0, le=77, strict=True)


class SubmittedLeg(_Body):
    """An asset with an amount in base units, or a share of the holding; in a REBALANCE `percentage` is its weight."""

    asset: SubmittedAsset
    amount: AmountField | None = None
    percentage: RatioField | None = None


class SubmittedSlicing(_Body):
    """How TWAP and VWAP cut the amount.

    `slices` is the number of equal ones (TWAP; without it about one a minute), `profile` a weight for each of equal
    parts of the window (VWAP). A size may differ from its share by `size_jitter` of it, a time come later by
    `time_jitter` of its interval, both 0 to 0.9.
    """

    slices: int | None = Field(default=None, ge=2, le=MOST_SLICES, strict=True)
    profile: list[RatioField] = Field(default_factory=list, max_length=MOST_SLICES)
    time_jitter: RatioField = Decimal(0)
    size_jitter: RatioField = Decimal(0)


class SubmittedConstraints(_Body):
    """Bounds that every plan must keep; they hold for the whole and for each slice."""

    max_slippage: RatioField
    time_window_ms: int = Field(ge=1, le=2**53 - 1, strict=True)
    execution_style: Literal["IMMEDIATE", "TWAP", "VWAP", "ADAPTIVE"]
    venues: list[str] = Field(default_factory=list, max_length=MOST_NAMED)
    chains: list[str] = Field(default_factory=list, max_length=MOST_NAMED)
    assets: list[str] = Field(default_factory=list, max_length=MOST_NAMED)
    max_fee: AmountField | None = None
    slicing: SubmittedSlicing | None = None
    public_fallback: bool = Field(default=False, strict=True)


class Submission(_Body):
    """An intent as an author sends it; `id` is the author's own and unique per strategy for ever."""

    id: UUID
    strategy_id: UUID
    type: Literal["ACQUIRE", "DISPOSE", "REBALANCE", "BRIDGE", "LIQUIDATE"]
    assets: list[SubmittedLeg] = Field(min_length=1, max_length=MAX_ASSETS)
    constraints: SubmittedConstraints
    deadline: MomentField | None = None


def parse_submission(body: bytes) -> Submission:
    """Reads a body once, strictly. Raises `RequestRefused` with every mistake that can be told at this point."""
    return parse_body(body, Submission)


def parse_body[ModelT: BaseModel](body: bytes, model: type[ModelT]) -> ModelT:
    """Reads JSON into a model: no duplicate keys, no binary floats, bounded size and nesting."""
    if len(body) > MAX_BODY_BYTES:
        raise RequestRefused(
            (
                RequestProblem(
                    "", "body_too_large", f"the body has {len(body)} bytes, {MAX_BODY_BYTES} are allowed"
                ),
            ),
            kind="too_large",
        )
    return _validated(_decoded(body), model)


def _decoded(body: bytes) -> object:
    # Fewer brackets than levels need no closer look.
    if body.count(b"[") + body.count(b"{") > MAX_NESTING and _nesting(body) > MAX_NESTING:
        raise _malformed("nested_too_deep", f"the body is nested deeper than {MAX_NESTING} levels")
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_float=_bounded_decimal,
            parse_int=_bounded_integer,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError as error:
        raise _malformed("not_utf8", f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _malformed("not_json", f"{error.msg} at {where}") from None


def _nesting(body: bytes) -> int:
    # A bound from above, without parsing: strings may hold brackets, but never close what they did not open.
    depth = deepest = 0
    in_text = escaped = False
    for byte in body:
        if in_text:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_text = False
        elif byte == 0x22:
            in_text = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _malformed("duplicate_key", f"the key {key[:64]!r} stands twice in one object")
        found[key] = value
    return found


def _bounded_integer(text: str) -> int:
    _check_length(text)
    return int(text)


def _bounded_decimal(text: str) -> Decimal:
    _check_length(text)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise _malformed("number_too_large", f"the exponent of {text} is beyond all use") from None


def _check_length(text: str) -> None:
    if len(text) > _NUMBER_CHARACTERS:
        raise _malformed("number_too_long", f"a number has more than {_NUMBER_CHARACTERS} digits")


def _no_constant(text: str) -> object:
    raise _malformed("not_json", f"{text} is no JSON number")


def _malformed(code: str, message: str) -> RequestRefused:
    return RequestRefused((RequestProblem("", code, message),), kind="malformed")


def _validated[ModelT: BaseModel](value: object, model: type[ModelT]) -> ModelT:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        told = [
            RequestProblem(_pointer(one["loc"]), _code(one["type"]), _message(one["msg"]))
            for one in found[:MOST_PROBLEMS]
        ]
        if len(found) > MOST_PROBLEMS:
            more = f"{len(found) - MOST_PROBLEMS} more mistakes are not listed"
            told.append(RequestProblem("", "more_problems", more))
        raise RequestRefused(tuple(told)) from None


def _pointer(place: tuple[int | str, ...]) -> str:
    return "".join("/" + _member(str(part)).replace("~", "~0").replace("/", "~1") for part in place)


def _member(name: str) -> str:
    return name if len(name) <= LONGEST_MEMBER else name[:LONGEST_MEMBER] + "…"


def _code(kind: str) -> str:
    return {"missing": "missing", "extra_forbidden": "unknown_field"}.get(kind, "invalid")


def _message(text: str) -> str:
    return text.removeprefix("Value error, ")


def checked_address(text: str, is_checksum_valid: Callable[[str], bool]) -> str:
    """An address in one case, or with a checksum that holds. Raises `InvalidAsset`."""
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_valid(text):
        raise InvalidAsset(f"the address {text} fails its checksum: a digit may be wrong")
    return text
