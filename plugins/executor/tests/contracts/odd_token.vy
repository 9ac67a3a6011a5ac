# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token that calls whom it was told to in the middle of a transfer, and may take more than it says
"""

balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
called: public(address)
data: public(Bytes[4096])
taxed: public(bool)
answers: public(bool)


@deploy
def __init__():
    self.answers = True


@external
def mint(to: address, amount: uint256):
    self.balanceOf[to] += amount


@external
def arm(called: address, data: Bytes[4096]):
    self.called = called
    self.data = data


@external
def set_tax(taxed: bool):
    self.taxed = taxed


@external
def set_answer(answers: bool):
    self.answers = answers


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return self.answers


@external
def transfer(recipient: address, amount: uint256) -> bool:
    self._move(msg.sender, recipient, amount)
    return self.answers


@external
def transferFrom(sender: address, recipient: address, amount: uint256) -> bool:
    self.allowance[sender][msg.sender] -= amount
    self._move(sender, recipient, amount)
    return self.answers


@internal
def _move(sender: address, recipient: address, amount: uint256):
    self.balanceOf[sender] -= amount
    self.balanceOf[recipient] += amount - (amount // 100 if self.taxed else 0)
    if self.called != empty(address):
        raw_call(self.called, self.data)
