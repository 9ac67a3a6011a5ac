"""Whether an intent can be cut as its style and its slicing say."""

from collections.abc import Iterator

from sep_hooks.types import ExecutionStyle, Intent, IntentType, Ratio, Slicing

from sep_core.intents.problem import Problem
from sep_core.intents.schedule import LEAST_INTERVAL_MS, MOST_JITTER, MOST_SLICES, twap_count

_PLACE = "/constraints/slicing"
_BY_CLOCK = frozenset({ExecutionStyle.TWAP, ExecutionStyle.VWAP})


def slicing_problems(intent: Intent) -> Iterator[Problem]:
    """All that is wrong with style and slicing, in the order of the fields."""
    constraints = intent.constraints
    style, slicing = constraints.execution_style, constraints.slicing
    if intent.type is IntentType.REBALANCE and style is not ExecutionStyle.IMMEDIATE:
        yield Problem(
            "/constraints/execution_style",
            "execution_style_not_supported",
            f"a REBALANCE trades all its assets in one plan and cannot be {style}: use IMMEDIATE",
        )
        return
    if style not in _BY_CLOCK:
        if slicing is not None:
            why = "finds the number itself" if style is ExecutionStyle.ADAPTIVE else "is not cut"
            yield Problem(
                _PLACE, "slicing_without_use", f"{style} {why}: leave slicing out, or use TWAP or VWAP"
            )
        return
    if style is ExecutionStyle.VWAP:
        yield from _profile(slicing)
    elif slicing is not None and slicing.profile:
        yield Problem(f"{_PLACE}/profile", "slicing_without_use", "TWAP cuts equally: a profile is for VWAP")
    if slicing is not None:
        yield from _count(style, slicing)
        yield from _jitter(f"{_PLACE}/time_jitter", slicing.time_jitter)
        yield from _jitter(f"{_PLACE}/size_jitter", slicing.size_jitter)
    count = (
        twap_count(constraints) if style is ExecutionStyle.TWAP else len(slicing.profile if slicing else ())
    )
    if count > 0 and constraints.time_window_ms // count < LEAST_INTERVAL_MS:
        yield Problem(
            _PLACE,
            "slices_too_close",
            f"{count} slices in {constraints.time_window_ms} ms follow on each other faster than once in"
            f" {LEAST_INTERVAL_MS} ms: widen the window or take fewer",
        )


def _profile(slicing: Slicing | None) -> Iterator[Problem]:
    weights = () if slicing is None else slicing.profile
    if not 2 <= len(weights) <= MOST_SLICES:
        yield Problem(
            f"{_PLACE}/profile",
            "profile_missing" if not weights else "profile_length",
            f"VWAP follows a volume profile: give 2 to {MOST_SLICES} weights for equal parts of the window,"
            f" these are {len(weights)}",
        )
        return
    if not all(one.is_finite() and one >= 0 for one in weights):
        yield Problem(
            f"{_PLACE}/profile", "profile_weight", "a weight of the profile is a number from 0 upwards"
        )
    elif not any(weights):
        yield Problem(
            f"{_PLACE}/profile", "profile_empty", "all weights of the profile are 0: nothing would be traded"
        )


def _count(style: ExecutionStyle, slicing: Slicing) -> Iterator[Problem]:
    if slicing.slices is None:
        return
    if style is ExecutionStyle.VWAP:
        yield Problem(
            f"{_PLACE}/slices",
            "slicing_without_use",
            "VWAP has a slice for each weight of its profile: leave it out",
        )
    elif not 2 <= slicing.slices <= MOST_SLICES:
        yield Problem(
            f"{_PLACE}/slices",
            "slices_out_of_range",
            f"{slicing.slices} slices lie outside 2 to {MOST_SLICES}; one slice is IMMEDIATE",
        )


def _jitter(pointer: str, ratio: Ratio) -> Iterator[Problem]:
    most = f"{float(MOST_JITTER):g}"
    if not ratio.is_finite() or not 0 <= ratio <= MOST_JITTER:
        yield Problem(pointer, "jitter_out_of_range", f"{ratio} lies outside 0 to {most}, as a share")
