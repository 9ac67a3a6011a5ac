# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A venue that does what it was told to do to its caller
"""

interface Token:
    def transfer(recipient: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, recipient: address, amount: uint256) -> bool: nonpayable
    def allowance(owner: address, spender: address) -> uint256: view

seen: public(DynArray[uint256, 8])


@external
def take_only(token: address, amount: uint256):
    """Takes the money and gives nothing."""
    extcall Token(token).transferFrom(msg.sender, self, amount)


@external
def take_nothing(token: address):
    """Leaves the allowance unused."""
    self.seen.append(staticcall Token(token).allowance(msg.sender, self))


@external
def steal(token: address, victim: address, amount: uint256):
    """Tries to use what is left of an allowance."""
    extcall Token(token).transferFrom(victim, msg.sender, amount)


@external
def swap(sold: address, amount: uint256, bought: address, given: uint256, recipient: address):
    """An exchange at any price, for anybody."""
    extcall Token(sold).transferFrom(msg.sender, self, amount)
    extcall Token(bought).transfer(recipient, given)


@external
def enter(target: address, data: Bytes[4096]):
    """Calls anything in the middle of a trade; what it answers decides."""
    raw_call(target, data)


@external
def fail():
    """Never goes through."""
    raise "no trade today"
