"""The exchange of a plain StableSwap pool in integers, to tell plain pools from others."""

from collections.abc import Sequence

ONE = 10**18
AMPLIFICATION_PRECISION = 100
FEE_DENOMINATOR = 10**10
_MOST_ROUNDS = 255


def bought(
    balances: Sequence[int],
    rates: Sequence[int],
    amplification: int,
    fee: int,
    path: tuple[int, int],
    sold: int,
) -> int | None:
    """What selling `sold` of one coin gives of another; None where the rounds do not settle.

    `amplification` is kept times 100, `fee` in parts of 10^10, rates lift a balance to 18 decimals over 10^18.
    """
    coin_in, coin_out = path
    lifted = [balance * rate // ONE for balance, rate in zip(balances, rates, strict=True)]
    steepness = amplification * len(lifted)
    invariant = _invariant(lifted, steepness)
    if invariant is None:
        return None
    others = [amount for index, amount in enumerate(lifted) if index not in path]
    left = _balance_at([*others, lifted[coin_in] + sold * rates[coin_in] // ONE], steepness, invariant)
    if left is None or left >= lifted[coin_out]:
        return None
    gross = lifted[coin_out] - left - 1
    return (gross - gross * fee // FEE_DENOMINATOR) * ONE // rates[coin_out]


def _invariant(lifted: Sequence[int], steepness: int) -> int | None:
    count, total = len(lifted), sum(lifted)
    invariant = total
    for _ in range(_MOST_ROUNDS):
        product = invariant
        for amount in lifted:
            product = product * invariant // (amount * count)
        last = invariant
        above = (steepness * total // AMPLIFICATION_PRECISION + product * count) * invariant
        below = (steepness - AMPLIFICATION_PRECISION) * invariant // AMPLIFICATION_PRECISION
        invariant = above // (below + (count + 1) * product)
        if abs(invariant - last) <= 1:
            return invariant
    return None


def _balance_at(others: Sequence[int], steepness: int, invariant: int) -> int | None:
    """The one balance that is not among `others`, at this invariant."""
    count = len(others) + 1
    constant = invariant
    for amount in others:
        constant = constant * invariant // (amount * count)
    constant = constant * invariant * AMPLIFICATION_PRECISION // (steepness * count)
    linear = sum(others) + invariant * AMPLIFICATION_PRECISION // steepness
    balance = invariant
    for _ in range(_MOST_ROUNDS):
        last = balance
        balance = (balance * balance + constant) // (2 * balance + linear - invariant)
        if abs(balance - last) <= 1:
            return balance
    return None
