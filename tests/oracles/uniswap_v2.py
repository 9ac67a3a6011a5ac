"""Slow reference of constant-product swaps in plain integers, in the contract's own thousandths."""


def amount_out(amount_in: int, reserve_in: int, reserve_out: int, kept: int = 997, whole: int = 1000) -> int:
    """What the pair gives for exactly `amount_in`."""
    after_fee = amount_in * kept
    return after_fee * reserve_out // (reserve_in * whole + after_fee)


def amount_in(amount_out: int, reserve_in: int, reserve_out: int, kept: int = 997, whole: int = 1000) -> int:
    """What the pair asks for exactly `amount_out`, which is below its reserve."""
    return reserve_in * amount_out * whole // ((reserve_out - amount_out) * kept) + 1
