# pragma version 0.4.3
# @title A StableSwap pool of two coins, for tests
# @license Apache-2.0
# @notice Behaves as plain StableSwap pools do and answers the interface that they share: amplification kept times 100,
#         balances lifted to 18 decimals by a rate, the fee taken from the output, part of it kept for the owner.
#         Shares of the pool are counted in the pool itself. Play money only.

from ethereum.ercs import IERC20

event TokenExchange:
    buyer: indexed(address)
    sold_id: int128
    tokens_sold: uint256
    bought_id: int128
    tokens_bought: uint256

event AddLiquidity:
    provider: indexed(address)
    token_amounts: uint256[2]
    fees: uint256[2]
    invariant: uint256
    token_supply: uint256

event RemoveLiquidity:
    provider: indexed(address)
    token_amounts: uint256[2]
    fees: uint256[2]
    token_supply: uint256

event RampA:
    old_A: uint256
    new_A: uint256
    initial_time: uint256
    future_time: uint256

event StopRampA:
    A: uint256
    t: uint256

event NewFee:
    fee: uint256
    admin_fee: uint256

COINS: constant(uint256) = 2
LIFTED_DECIMALS: constant(uint256) = 36
ONE: constant(uint256) = 10 ** 18
A_PRECISION: constant(uint256) = 100
FEE_DENOMINATOR: constant(uint256) = 10 ** 10
HALF_OF_FEE: constant(uint256) = 5 * 10 ** 9
MOST_FEE: constant(uint256) = 5 * 10 ** 9
MOST_A: constant(uint256) = 10 ** 6
LEAST_RAMP_SECONDS: constant(uint256) = 60
MOST_ROUNDS: constant(uint256) = 255

owner: public(immutable(address))
RATES: immutable(uint256[COINS])

coins: public(address[COINS])
balances: public(uint256[COINS])
fee: public(uint256)
admin_fee: public(uint256)
initial_A: public(uint256)
future_A: public(uint256)
initial_A_time: public(uint256)
future_A_time: public(uint256)
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])


@deploy
def __init__(coins: address[COINS], decimals: uint256[COINS], amplification: uint256, fee: uint256):
    """
    @param coins The two tokens, in the pool's own order
    @param decimals Their decimals, at most 18
    @param amplification A, not times 100
    @param fee In parts of 10 ** 10
    """
    assert coins[0] != coins[1], "one coin twice"
    assert 0 < amplification and amplification <= MOST_A, "A"
    assert fee <= MOST_FEE, "fee"
    rates: uint256[COINS] = empty(uint256[COINS])
    for index: uint256 in range(COINS):
        assert coins[index] != empty(address), "no coin"
        assert decimals[index] <= 18, "decimals"
        rates[index] = 10 ** (LIFTED_DECIMALS - decimals[index])
    RATES = rates
    owner = msg.sender
    self.coins = coins
    self.initial_A = amplification * A_PRECISION
    self.future_A = amplification * A_PRECISION
    self.fee = fee
    self.admin_fee = HALF_OF_FEE


@view
@external
def A() -> uint256:
    """
    @notice The amplification now, rounded down to a whole number
    """
    return self._amplification() // A_PRECISION


@view
@external
def A_precise() -> uint256:
    """
    @notice The amplification now, times 100
    """
    return self._amplification()


@view
@nonreentrant
@external
def get_virtual_price() -> uint256:
    """
    @notice What a share is worth, in parts of 10 ** 18
    """
    return self._invariant(self._lifted(self.balances)) * ONE // self.totalSupply


@view
@external
def get_dy(i: int128, j: int128, dx: uint256) -> uint256:
    """
    @notice What `dx` of coin `i` buys of coin `j` now
    """
    return self._trade(i, j, dx)[0]


@nonreentrant
@external
def exchange(i: int128, j: int128, dx: uint256, min_dy: uint256) -> uint256:
    """
    @notice Sell `dx` of coin `i` for at least `min_dy` of coin `j`; the caller pays and is paid
    """
    dy: uint256 = 0
    kept: uint256 = 0
    dy, kept = self._trade(i, j, dx)
    assert dy >= min_dy, "less than min_dy"
    self.balances[convert(i, uint256)] += dx
    self.balances[convert(j, uint256)] -= dy + kept
    self._take(convert(i, uint256), dx)
    self._give(convert(j, uint256), dy)
    log TokenExchange(buyer=msg.sender, sold_id=i, tokens_sold=dx, bought_id=j, tokens_bought=dy)
    return dy


@nonreentrant
@external
def add_liquidity(amounts: uint256[COINS], min_mint_amount: uint256) -> uint256:
    """
    @notice Put coins in for shares; what unbalances the pool pays half the fee, as if that part had been traded
    """
    supply: uint256 = self.totalSupply
    before: uint256[COINS] = self.balances
    invariant_before: uint256 = 0
    if supply > 0:
        invariant_before = self._invariant(self._lifted(before))
    after: uint256[COINS] = before
    for index: uint256 in range(COINS):
        assert supply > 0 or amounts[index] > 0, "the first deposit needs both coins"
        after[index] += amounts[index]
    invariant: uint256 = self._invariant(self._lifted(after))
    assert invariant > invariant_before, "nothing was put in"

    fees: uint256[COINS] = empty(uint256[COINS])
    minted: uint256 = invariant
    if supply > 0:
        charged: uint256[COINS] = after
        for index: uint256 in range(COINS):
            ideal: uint256 = invariant * before[index] // invariant_before
            difference: uint256 = max(ideal, after[index]) - min(ideal, after[index])
            fees[index] = self.fee * COINS // (4 * (COINS - 1)) * difference // FEE_DENOMINATOR
            charged[index] -= fees[index]
            after[index] -= fees[index] * self.admin_fee // FEE_DENOMINATOR
        minted = supply * (self._invariant(self._lifted(charged)) - invariant_before) // invariant_before
    assert minted >= min_mint_amount, "less than min_mint_amount"

    self.balances = after
    self.totalSupply = supply + minted
    self.balanceOf[msg.sender] += minted
    for index: uint256 in range(COINS):
        if amounts[index] > 0:
            self._take(index, amounts[index])
    log AddLiquidity(
        provider=msg.sender,
        token_amounts=amounts,
        fees=fees,
        invariant=invariant,
        token_supply=supply + minted,
    )
    return minted


@nonreentrant
@external
def remove_liquidity(amount: uint256, min_amounts: uint256[COINS]) -> uint256[COINS]:
    """
    @notice Give shares back for the same part of each coin
    """
    supply: uint256 = self.totalSupply
    given: uint256[COINS] = empty(uint256[COINS])
    self.balanceOf[msg.sender] -= amount
    self.totalSupply = supply - amount
    for index: uint256 in range(COINS):
        given[index] = self.balances[index] * amount // supply
        assert given[index] >= min_amounts[index], "less than min_amounts"
        self.balances[index] -= given[index]
        self._give(index, given[index])
    log RemoveLiquidity(
        provider=msg.sender, token_amounts=given, fees=empty(uint256[COINS]), token_supply=supply - amount
    )
    return given


@external
def ramp_A(future_A: uint256, future_time: uint256):
    """
    @notice Move the amplification to another one, a little each second
    """
    assert msg.sender == owner, "only owner"
    assert future_time >= block.timestamp + LEAST_RAMP_SECONDS, "too soon"
    assert 0 < future_A and future_A <= MOST_A, "A"
    now: uint256 = self._amplification()
    self.initial_A = now
    self.future_A = future_A * A_PRECISION
    self.initial_A_time = block.timestamp
    self.future_A_time = future_time
    log RampA(
        old_A=now, new_A=future_A * A_PRECISION, initial_time=block.timestamp, future_time=future_time
    )


@external
def stop_ramp_A():
    """
    @notice Let the amplification stay where it is
    """
    assert msg.sender == owner, "only owner"
    now: uint256 = self._amplification()
    self.initial_A = now
    self.future_A = now
    self.initial_A_time = block.timestamp
    self.future_A_time = block.timestamp
    log StopRampA(A=now, t=block.timestamp)


@external
def set_fee(fee: uint256, admin_fee: uint256):
    """
    @notice Change the fee of trades and the part of it that is kept, both in parts of 10 ** 10
    """
    assert msg.sender == owner, "only owner"
    assert fee <= MOST_FEE and admin_fee <= FEE_DENOMINATOR, "fee"
    self.fee = fee
    self.admin_fee = admin_fee
    log NewFee(fee=fee, admin_fee=admin_fee)


@view
@internal
def _amplification() -> uint256:
    end: uint256 = self.future_A_time
    if block.timestamp >= end:
        return self.future_A
    start: uint256 = self.initial_A_time
    passed: uint256 = block.timestamp - start
    if self.future_A > self.initial_A:
        return self.initial_A + (self.future_A - self.initial_A) * passed // (end - start)
    return self.initial_A - (self.initial_A - self.future_A) * passed // (end - start)


@view
@internal
def _lifted(amounts: uint256[COINS]) -> uint256[COINS]:
    lifted: uint256[COINS] = empty(uint256[COINS])
    for index: uint256 in range(COINS):
        lifted[index] = amounts[index] * RATES[index] // ONE
    return lifted


@view
@internal
def _invariant(lifted: uint256[COINS]) -> uint256:
    """
    @notice The sum that the coins would have in balance, by Newton's method
    """
    total: uint256 = lifted[0] + lifted[1]
    if total == 0:
        return 0
    steepness: uint256 = self._amplification() * COINS
    invariant: uint256 = total
    for _: uint256 in range(MOST_ROUNDS):
        product: uint256 = invariant
        for amount: uint256 in lifted:
            product = product * invariant // (amount * COINS)
        last: uint256 = invariant
        invariant = (
            (steepness * total // A_PRECISION + product * COINS)
            * invariant
            // ((steepness - A_PRECISION) * invariant // A_PRECISION + (COINS + 1) * product)
        )
        if max(invariant, last) - min(invariant, last) <= 1:
            return invariant
    raise "the invariant does not settle"


@view
@internal
def _balance_at(paid: uint256, invariant: uint256) -> uint256:
    """
    @notice The one coin's lifted balance at which the other one's is `paid`
    """
    steepness: uint256 = self._amplification() * COINS
    constant_part: uint256 = invariant * invariant // (paid * COINS)
    constant_part = constant_part * invariant * A_PRECISION // (steepness * COINS)
    linear_part: uint256 = paid + invariant * A_PRECISION // steepness
    balance: uint256 = invariant
    for _: uint256 in range(MOST_ROUNDS):
        last: uint256 = balance
        balance = (balance * balance + constant_part) // (2 * balance + linear_part - invariant)
        if max(balance, last) - min(balance, last) <= 1:
            return balance
    raise "the balance does not settle"


@view
@internal
def _trade(i: int128, j: int128, dx: uint256) -> (uint256, uint256):
    """
    @notice What `dx` of coin `i` gives of coin `j`, and what of coin `j` is kept for the owner
    """
    assert i != j and i >= 0 and j >= 0, "coins"
    sold: uint256 = convert(i, uint256)
    bought: uint256 = convert(j, uint256)
    lifted: uint256[COINS] = self._lifted(self.balances)
    paid: uint256 = lifted[sold] + dx * RATES[sold] // ONE
    left: uint256 = self._balance_at(paid, self._invariant(lifted))
    gross: uint256 = lifted[bought] - left - 1
    charge: uint256 = gross * self.fee // FEE_DENOMINATOR
    kept: uint256 = charge * self.admin_fee // FEE_DENOMINATOR
    return (gross - charge) * ONE // RATES[bought], kept * ONE // RATES[bought]


@internal
def _take(index: uint256, amount: uint256):
    assert extcall IERC20(self.coins[index]).transferFrom(
        msg.sender, self, amount, default_return_value=True
    ), "transferFrom"


@internal
def _give(index: uint256, amount: uint256):
    assert extcall IERC20(self.coins[index]).transfer(msg.sender, amount, default_return_value=True), "transfer"
