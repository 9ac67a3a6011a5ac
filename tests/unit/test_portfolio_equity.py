"""Worth by unit: neither what comes nor what goes is gain or loss, and no loss is hidden by it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.types import AssetId, erc20

from sep_core.portfolio import EquityState, Owned, Unmeasured, equity_of, evolve_equity, is_news, mark

USDC, WETH = (AssetId(erc20(1, f"0x{byte * 20}")) for byte in ("a0", "c0"))
START = datetime(2026, 5, 4, 12, tzinfo=UTC)
ONE = 10**18


class Fund:
    """One scope, whose every mark is recorded."""

    def __init__(self) -> None:
        self.held = {USDC: 0, WETH: 0}
        self.came = {USDC: 0, WETH: 0}
        self.price: int | None = 3_000
        self.state: EquityState | None = None
        self.now = START

    @property
    def owned(self) -> Owned:
        return {asset: (self.held[asset], self.came[asset]) for asset in self.held}

    def value_of(self, asset: AssetId, quantity: int) -> int | None:
        if asset == USDC:
            return quantity
        return None if self.price is None else quantity * self.price

    def move(self, asset: AssetId, quantity: int) -> None:
        """So much comes from outside, or goes there."""
        self.held[asset] += quantity
        self.came[asset] += quantity

    def mark(self) -> int:
        """The unit value after one more mark."""
        self.now += timedelta(minutes=1)
        found = mark(self.state, "global", self.owned, self.value_of, USDC, self.now)
        if found is not None:
            self.state = evolve_equity(self.state, found)
        return found.unit_value if found is not None else 0


def funded(usdc: int = 30_000_000, weth: int = 10_000) -> Fund:
    fund = Fund()
    fund.move(USDC, usdc)
    fund.move(WETH, weth)
    assert fund.mark() == ONE
    return fund


def test_what_was_never_there_has_no_worth() -> None:
    assert Fund().mark() == 0


def test_a_price_that_falls_is_a_loss_without_any_trade() -> None:
    fund = funded()
    fund.price = 1_500
    assert fund.mark() == ONE * 3 // 4


amounts = st.integers(1, 10**30)
changes = st.lists(st.tuples(st.sampled_from([USDC, WETH]), st.integers(-(10**30), 10**30)), max_size=8)


@given(amounts, amounts, st.integers(1, 10**6), changes)
def test_whatever_comes_or_goes_the_unit_value_stays(
    usdc: int, weth: int, price: int, moved: list[tuple[AssetId, int]]
) -> None:
    """Never above what it was, and below by no more than the rounding of a base unit each time."""
    fund = Fund()
    fund.price = price
    fund.move(USDC, usdc)
    fund.move(WETH, weth)
    before = fund.mark()
    least = fund.state.last.value if fund.state else 0
    for asset, quantity in moved:
        fund.move(asset, max(quantity, -fund.held[asset]))
        worth = fund.held[USDC] + fund.held[WETH] * price
        after = fund.mark()
        assert after <= before
        assert fund.state is not None
        least = min(least, worth)
        if least:
            assert before - after <= 2 * ONE // least + 1
        before = after


@given(amounts, st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 10**30))
def test_a_deposit_hides_no_loss(weth: int, price: int, later: int, deposit: int) -> None:
    plain, fed = Fund(), Fund()
    for fund in (plain, fed):
        fund.price = price
        fund.move(WETH, weth)
        fund.mark()
        fund.price = later
    fed.move(USDC, deposit)
    assert fed.mark() == plain.mark()


def test_taking_all_out_and_bringing_it_back_forgets_no_loss() -> None:
    fund = funded()
    fund.price = 1_500
    fund.mark()
    for way in (-1, 1):
        fund.move(USDC, way * 30_000_000)
        fund.move(WETH, way * 10_000)
        assert fund.mark() == ONE * 3 // 4
    assert fund.state is not None
    assert fund.state.last.high == ONE


def test_money_that_comes_after_all_was_lost_is_no_recovery() -> None:
    fund = funded(usdc=0)
    fund.price = 0
    assert fund.mark() == 0
    fund.move(USDC, 10**9)
    assert (fund.mark(), fund.mark()) == (0, 0)


def test_what_is_held_without_a_price_cannot_be_measured() -> None:
    fund = funded()
    fund.price = None
    with pytest.raises(Unmeasured, match="has no price now"):
        fund.mark()
    fund.held[WETH] = 0  # sold: what came of it once was counted at its mark
    assert fund.mark()


def test_a_numeraire_that_changes_begins_a_series() -> None:
    fund = funded()
    other = mark(fund.state, "global", fund.owned, fund.value_of, WETH, fund.now)
    assert other is not None
    assert (other.restarted, other.unit_value, other.high) == (True, ONE, ONE)


def test_references_are_those_of_the_day_s_beginnings() -> None:
    fund = funded()
    values: dict[datetime, int] = {fund.now: ONE}
    for hour in range(60):
        fund.now = START + timedelta(hours=hour + 1)
        fund.price = 3_000 - 10 * hour
        unit_value = fund.mark()
        values[fund.now] = unit_value
    assert fund.state is not None
    last = mark(fund.state, "global", fund.owned, fund.value_of, USDC, fund.now)
    assert last is not None
    seen = equity_of(fund.state, last)

    def at(moment: datetime) -> int:
        return values[max(one for one in values if one <= moment)]

    assert seen.day_ago == at(fund.now - timedelta(days=1))
    assert seen.day_start == at(fund.now.replace(hour=0, minute=0, second=0))
    assert len(fund.state.series) <= 26  # what is older is forgotten


def test_news_are_money_that_moves_a_high_and_a_quarter_hour() -> None:
    fund = funded()

    def news(after: timedelta = timedelta(seconds=1)) -> bool:
        found = mark(fund.state, "global", fund.owned, fund.value_of, USDC, fund.now + after)
        assert found is not None
        return is_news(fund.state, found)

    assert not news()
    assert news(timedelta(minutes=15))
    fund.price = 2_000
    assert not news()
    fund.price = 3_001
    assert not news()
    fund.price = 3_010
    assert news()
    fund.price = 3_000
    fund.move(USDC, 1)
    assert news()
    assert is_news(None, mark(None, "global", fund.owned, fund.value_of, USDC, START))  # type: ignore[arg-type]
