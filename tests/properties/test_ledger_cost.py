"""Average cost in integers against exact rationals, and its conservation to the unit."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.testing.risk import OTHER, QUOTE

from sep_core.portfolio import Position

steps = st.lists(
    st.tuples(
        st.sampled_from(["acquire", "sell", "spend", "withdraw"]),
        st.integers(1, 10**24),
        st.none() | st.integers(0, 10**18),
    ),
    max_size=30,
)


@given(steps)
def test_quantity_follows_every_move(moves: list[tuple[str, int, int | None]]) -> None:
    position, quantity = Position(), 0
    for kind, amount, value in moves:
        position = _after(position, kind, amount, value)
        quantity += amount if kind == "acquire" else -amount
        assert position.quantity == quantity
        assert position.priced >= 0
        assert position.cost >= 0
        assert position.priced > 0 or position.cost == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 10**24), st.integers(0, 10**18)), max_size=40))
def test_nothing_of_cost_or_proceeds_is_lost(moves: list[tuple[bool, int, int]]) -> None:
    """realised - cost left = proceeds - paid, to the unit, whatever the order."""
    position, paid, got = Position(), 0, 0
    exact_quantity, exact_cost = 0, Fraction(0)
    sales = 0
    for buys, wanted, value in moves:
        if buys:
            position = position.acquire(wanted, value, QUOTE)
            paid += value
            exact_quantity, exact_cost = exact_quantity + wanted, exact_cost + value
        elif position.quantity:
            amount = min(wanted, position.quantity)
            position = position.sell(amount, value, QUOTE)
            got += value
            exact_cost -= exact_cost * Fraction(amount, exact_quantity)
            exact_quantity -= amount
            sales += 1
        assert position.realised - position.cost == got - paid
        assert abs(position.cost - exact_cost) <= sales
    assert position.unknown_out == 0
    if position.quantity == 0:
        assert position.cost == 0


@given(st.integers(1, 10**18), st.integers(0, 10**18), st.integers(1, 10**18))
def test_gas_is_expensed_at_its_worth(quantity: int, paid: int, worth: int) -> None:
    position = Position().acquire(quantity, paid, QUOTE).spend(quantity, worth, QUOTE)
    assert (position.expenses, position.realised) == (worth, worth - paid)
    unpriced = Position().acquire(quantity, paid, QUOTE).spend(quantity, None, QUOTE)
    assert (unpriced.expenses, unpriced.realised) == (paid, 0)


def test_a_second_numeraire_is_not_mixed_in() -> None:
    position = Position().acquire(10, 100, QUOTE).acquire(10, 7, OTHER)
    assert (position.priced, position.unpriced, position.cost) == (10, 10, 100)
    sold = position.sell(20, 300, OTHER)
    assert (sold.realised, sold.unknown_out, sold.cost) == (0, 20, 0)


def _after(position: Position, kind: str, amount: int, value: int | None) -> Position:
    if kind == "acquire":
        return position.acquire(amount, value, QUOTE)
    if kind == "sell":
        return position.sell(amount, value, QUOTE)
    if kind == "spend":
        return position.spend(amount, value, QUOTE)
    return position.withdraw(amount)
