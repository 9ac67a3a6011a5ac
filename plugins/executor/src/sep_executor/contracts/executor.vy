# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Executor: several trades of one account in one transaction, all of them or nothing
@license Apache-2.0
@notice
    It serves its owner alone. A contract that ran anybody's calls would be the spender of everybody's allowances, and
    no list of forbidden functions can tell which call of which token moves a third party's money (`transferFrom` is
    one of many: shares of a vault are redeemed for others by `redeem`). So each account has an executor of its own,
    and what the account allows it can be used by nobody else.

    What goes in comes from the owner, what comes out goes to the owner: there is no recipient to get wrong. Nothing
    stays behind, neither tokens nor allowances. What lay here before a transaction takes no part in it, so that a
    stranger who sends something cannot bend an amount.

    A lender or pool that calls back would enter through a function of its own, which checks that this contract waits
    for exactly that caller within `execute`; `_run` is what both share.
"""

interface Token:
    def balanceOf(owner: address) -> uint256: view
    def allowance(owner: address, spender: address) -> uint256: view
    def approve(spender: address, amount: uint256) -> bool: nonpayable
    def transfer(recipient: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, recipient: address, amount: uint256) -> bool: nonpayable


struct Trade:
    target: address
    spender: address
    token: uint256  # the place of what is spent among the tokens
    amount: uint256  # exactly this much of it, or `REST`
    first: uint256  # where in the call the amount is written, or 0 for nowhere
    second: uint256  # the same once more, behind the first


MOST_TOKENS: constant(uint256) = 24
MOST_TRADES: constant(uint256) = 32
LONGEST_CALL: constant(uint256) = 1024
REST: constant(uint256) = max_value(uint256)

owner: public(immutable(address))


@deploy
def __init__(of: address):
    assert of != empty(address), "no owner"
    owner = of


@external
@nonreentrant
def execute(
    tokens: DynArray[address, MOST_TOKENS],
    taken: DynArray[uint256, MOST_TOKENS],
    least: DynArray[uint256, MOST_TOKENS],
    trades: DynArray[Trade, MOST_TRADES],
    calls: DynArray[Bytes[LONGEST_CALL], MOST_TRADES],
    deadline: uint256,
):
    """
    @notice Takes tokens from the owner, trades, and gives all of it back; reverts unless enough comes.
    @param tokens Every token that any trade touches, by ascending address
    @param taken How much of each is taken from the owner, 0 for none
    @param least How much of each must come back to the owner at least, counted after the taking
    @param trades What is called, in order
    @param calls The bytes of each of these calls
    @param deadline The last moment, in chain seconds
    """
    assert msg.sender == owner, "not the owner"
    assert block.timestamp <= deadline, "too late"
    assert len(taken) == len(tokens) and len(least) == len(tokens), "lengths differ"
    assert len(calls) == len(trades), "lengths differ"
    kept: DynArray[uint256, MOST_TOKENS] = []
    had: DynArray[uint256, MOST_TOKENS] = []
    last: uint256 = 0
    for i: uint256 in range(len(tokens), bound=MOST_TOKENS):
        place: uint256 = convert(tokens[i], uint256)
        assert place > last, "tokens out of order"
        last = place
        token: Token = Token(tokens[i])
        kept.append(staticcall token.balanceOf(self))
        if taken[i] != 0:
            assert extcall token.transferFrom(owner, self, taken[i], default_return_value=True), "take refused"
        had.append(0 if least[i] == 0 else staticcall token.balanceOf(owner))
    for i: uint256 in range(len(trades), bound=MOST_TRADES):
        trade: Trade = trades[i]
        assert trade.target not in tokens, "target is a token"
        self._run(trade, tokens[trade.token], kept[trade.token], calls[i])
    for i: uint256 in range(len(tokens), bound=MOST_TOKENS):
        token: Token = Token(tokens[i])
        held: uint256 = staticcall token.balanceOf(self)
        assert held >= kept[i], "took what lay here"
        if held > kept[i]:
            assert extcall token.transfer(owner, held - kept[i], default_return_value=True), "give refused"
        if least[i] != 0:
            assert staticcall token.balanceOf(owner) >= had[i] + least[i], "too little came"


@external
@nonreentrant
def sweep(token: address):
    """
    @notice Gives the owner what strangers sent here.
    """
    assert msg.sender == owner, "not the owner"
    held: uint256 = staticcall Token(token).balanceOf(self)
    assert extcall Token(token).transfer(owner, held, default_return_value=True), "give refused"


@internal
def _run(trade: Trade, spent: address, kept: uint256, data: Bytes[LONGEST_CALL]):
    # A venue is called, never a token: neither one of this transaction nor, by its functions, any other.
    assert trade.target != self and trade.target != owner and trade.target.is_contract, "no venue"
    assert len(data) >= 4, "no function"
    assert convert(slice(data, 0, 4), bytes4) not in [
        method_id("transfer(address,uint256)", output_type=bytes4),
        method_id("transferFrom(address,address,uint256)", output_type=bytes4),
        method_id("approve(address,uint256)", output_type=bytes4),
        method_id("increaseAllowance(address,uint256)", output_type=bytes4),
        method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", output_type=bytes4),
        method_id("burnFrom(address,uint256)", output_type=bytes4),
    ], "a token's function"
    token: Token = Token(spent)
    amount: uint256 = trade.amount
    if amount == REST:
        amount = staticcall token.balanceOf(self) - kept
        assert amount != 0, "nothing to spend"
    assert extcall token.approve(trade.spender, amount, default_return_value=True), "approve refused"
    if trade.first == 0:
        raw_call(trade.target, data)
    else:
        raw_call(trade.target, self._filled(trade, amount, data))
    if staticcall token.allowance(self, trade.spender) != 0:
        assert extcall token.approve(trade.spender, 0, default_return_value=True), "approve refused"


@pure
@internal
def _filled(trade: Trade, amount: uint256, data: Bytes[LONGEST_CALL]) -> Bytes[3 * LONGEST_CALL + 64]:
    word: bytes32 = convert(amount, bytes32)
    after: uint256 = trade.first + 32
    head: Bytes[LONGEST_CALL] = slice(data, 0, trade.first)
    if trade.second == 0:
        return concat(head, word, slice(data, after, len(data) - after))
    behind: uint256 = trade.second + 32
    between: Bytes[LONGEST_CALL] = slice(data, after, trade.second - after)
    return concat(head, word, between, word, slice(data, behind, len(data) - behind))
