"""How an amount is spread over time: sums, bounds, order, and what is drawn from a seed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sep_hooks.types import Constraints, ExecutionStyle, Slicing

from sep_core.events.facts import Slice
from sep_core.intents.schedule import apportion, first_and_rest, halfway, retimed, spread, twap_count

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def equal(total: int, count: int, end: datetime, *, first_ordinal: int = 0) -> tuple[Slice, ...]:
    return spread(total, [Fraction(1)] * count, NOW, end, first_ordinal=first_ordinal)


weights = st.lists(st.fractions(0, 1000, max_denominator=10**6), min_size=1, max_size=40).filter(any)
jitters = st.decimals(0, Decimal("0.9"), places=4)
windows = st.timedeltas(timedelta(seconds=1), timedelta(days=1))
seeds = st.text("0123456789abcdef", min_size=32, max_size=32)


@given(st.integers(0, 10**30), weights)
def test_shares_add_up_to_the_unit_and_are_off_by_less_than_one(total: int, of: Sequence[Fraction]) -> None:
    parts = apportion(total, of)
    assert sum(parts) == total
    for part, weight in zip(parts, of, strict=True):
        assert abs(part - total * weight / sum(of)) < 1


def test_the_largest_remainders_are_rounded_up_and_ties_go_to_the_earlier() -> None:
    assert apportion(10, [Fraction(1)] * 3) == (4, 3, 3)
    assert apportion(100, [Fraction(1), Fraction(2), Fraction(3)]) == (17, 33, 50)
    assert apportion(2, [Fraction(0), Fraction(1), Fraction(1), Fraction(0)]) == (0, 1, 1, 0)


@settings(deadline=None)
@given(st.integers(1, 10**30), weights, windows, seeds, jitters, jitters)
def test_a_spread_keeps_its_bounds(
    total: int, of: Sequence[Fraction], window: timedelta, seed: str, size: Decimal, time: Decimal
) -> None:
    end = NOW + window
    cut = spread(total, of, NOW, end, seed=seed, size_jitter=size, time_jitter=time)
    assert sum(one.amount for one in cut) == total
    assert all(one.amount > 0 for one in cut)
    assert [one.ordinal for one in cut] == list(range(len(cut)))
    assert [one.at for one in cut] == sorted(one.at for one in cut)
    assert all(NOW <= one.at < end for one in cut)
    microsecond = timedelta(microseconds=1)
    part = Fraction(window // microsecond, len(of))
    for one in cut:
        # Moments are cut to whole microseconds, so the one after it has passed the exact one.
        after = (one.at - NOW) // microsecond + 1
        place = int(after / part)
        assert after - place * part <= part * Fraction(time) + 1
        share = total * of[place] / sum(of)
        assert abs(one.amount - share) <= Fraction(size) * share + 1
    assert cut == spread(total, of, NOW, end, seed=seed, size_jitter=size, time_jitter=time)


@given(st.integers(10**9, 10**20), st.integers(2, 30), seeds, seeds)
def test_another_seed_draws_another_schedule(total: int, count: int, one: str, other: str) -> None:
    assume(one != other)
    of, end = [Fraction(1)] * count, NOW + timedelta(hours=1)
    jitter = Decimal("0.5")
    first = spread(total, of, NOW, end, seed=one, size_jitter=jitter, time_jitter=jitter)
    assert first != spread(total, of, NOW, end, seed=other, size_jitter=jitter, time_jitter=jitter)


def test_without_jitter_nothing_is_drawn() -> None:
    end = NOW + timedelta(minutes=4)
    assert equal(10, 4, end, first_ordinal=3) == (
        Slice(3, NOW, 3),  # type: ignore[arg-type]
        Slice(4, NOW + timedelta(minutes=1), 3),  # type: ignore[arg-type]
        Slice(5, NOW + timedelta(minutes=2), 2),  # type: ignore[arg-type]
        Slice(6, NOW + timedelta(minutes=3), 2),  # type: ignore[arg-type]
    )


@given(st.integers(1, 10**24), st.integers(1, 10**6), windows)
def test_the_first_of_many_and_the_rest(total: int, count: int, window: timedelta) -> None:
    cut = first_and_rest(total, count, NOW, NOW + window, 4)
    assert sum(one.amount for one in cut) == total
    assert [one.ordinal for one in cut] == [4, 5][: len(cut)]
    assert cut[0].at == NOW
    parts = min(count, total, window // timedelta(seconds=1))
    assert cut[0].amount == -(-total // max(1, parts))
    if len(cut) == 2:
        assert timedelta(seconds=1) <= cut[1].at - NOW == window / parts


def test_less_than_there_are_slices_leaves_the_empty_ones_out() -> None:
    assert [one.amount for one in equal(3, 5, NOW + timedelta(minutes=5))] == [1, 1, 1]


@given(st.integers(1, 10**20), st.integers(1, 40), windows, st.fractions(0, 1, max_denominator=1000))
def test_what_is_caught_up_keeps_sizes_and_is_spread_over_what_is_left(
    total: int, count: int, window: timedelta, when: Fraction
) -> None:
    end = NOW + window
    cut = equal(total, count, end)
    now = NOW + window * float(when)
    assume(now < end)
    again = retimed(cut, now, end)
    assert [(one.ordinal, one.amount) for one in again] == [(one.ordinal, one.amount) for one in cut]
    assert again[0].at == now
    assert all(now <= one.at < end for one in again)
    assert [one.at for one in again] == sorted(one.at for one in again)


def test_a_second_try_lies_between_the_last_thing_due_and_the_end() -> None:
    assert halfway(NOW, NOW + timedelta(seconds=10)) == NOW + timedelta(seconds=5)


def test_a_twap_without_a_number_has_about_one_slice_a_minute() -> None:
    def count(window_ms: int, slices: int | None = None) -> int:
        slicing = None if slices is None else Slicing(slices)
        return twap_count(Constraints(Decimal("0.01"), window_ms, ExecutionStyle.TWAP, slicing=slicing))

    assert count(60_000) == 2
    assert count(600_000) == 10
    assert count(86_400_000) == 60
    assert count(600_000, 7) == 7
