"""No attack around a step takes more than the plan says: every front-run that the limit leaves room for is tried."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.types import Amount, Flow, erc20
from sep_native.amm import ConstantProduct

from sep_core.planning.sandwich import sandwich_bound

SOLD, BOUGHT = (erc20(1, "0x" + digit * 40) for digit in "ab")
STEPS = 64


def attack(pool: ConstantProduct, front: int, amount: int, least: int) -> Fraction | None:
    """What an attack of this size earns of the asset sold; None where the step would revert."""
    first, moved = pool.after(True, front, True)
    victim, after = moved.after(True, amount, True)
    if victim.amount_out < least:
        return None
    back = after.quote(False, first.amount_out, True)
    return Fraction(back.amount_out - front)


@given(
    st.integers(10**9, 10**24),
    st.integers(10**9, 10**24),
    st.integers(1, 2_000),
    st.integers(1, 1_000),
    st.sampled_from([100, 500, 3_000, 10_000]),
)
def test_no_sandwich_takes_more_than_the_bound_at_the_price_after_the_step(
    sold: int, bought: int, size_permille: int, slack_permille: int, fee: int
) -> None:
    pool = ConstantProduct(sold, bought, fee)
    amount = max(1, sold * size_permille // 1_000)
    quote, after = pool.after(True, amount, True)
    least = quote.amount_out * (1_000 - slack_permille) // 1_000
    if least == 0:
        return
    received = (Flow(BOUGHT, Amount(quote.amount_out), Amount(least), Amount(quote.amount_out)),)
    spent = (Flow(SOLD, Amount(amount), Amount(amount), Amount(amount)),)
    bound = sandwich_bound(spent, received, exact_in=True)
    assert bound.asset == BOUGHT
    price_after = Fraction(after.reserve0, after.reserve1)
    worth = bound.amount * price_after
    low, high = 1, sold * 100
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if attack(pool, middle, amount, least) is None else (middle, high)
    sizes = {max(1, low * step // STEPS) for step in range(1, STEPS + 1)}
    earned = [one for size in sizes if (one := attack(pool, size, amount, least)) is not None]
    # One unit of either asset is what rounding may add.
    assert max(earned, default=Fraction(0)) <= worth + price_after + 1
