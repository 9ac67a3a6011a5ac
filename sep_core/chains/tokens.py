"""What tokens did in a transaction, out of its logs."""

from collections.abc import Sequence
from dataclasses import dataclass

from sep_hooks.types import AbiValue, Address, Amount, AssetId, ChainLog, erc20

from .native import VenueLogs

TRANSFER = "event Transfer(address indexed from, address indexed to, uint256 value)"
APPROVAL = "event Approval(address indexed owner, address indexed spender, uint256 value)"


@dataclass(frozen=True, slots=True)
class TokenTransfer:
    """One transfer; `ordinal` is the log's place inside its transaction."""

    asset: AssetId
    sender: Address
    recipient: Address
    amount: Amount
    ordinal: int


@dataclass(frozen=True, slots=True)
class TokenApproval:
    """One approval: `spender` may take `amount` of what `owner` holds."""

    asset: AssetId
    owner: Address
    spender: Address
    amount: Amount
    ordinal: int


class TokenLogs:
    """Reads ERC-20 logs of one chain; those of ERC-721, which have one more topic, are none."""

    def __init__(self, chain_id: int) -> None:
        self._chain_id = chain_id
        self._decoder = VenueLogs((TRANSFER, APPROVAL))

    def transfers(self, logs: Sequence[ChainLog]) -> Sequence[TokenTransfer]:
        """The transfers, in order."""
        return [
            TokenTransfer(
                self._asset(decoded.log),
                _address(decoded.arguments["from"]),
                _address(decoded.arguments["to"]),
                _amount(decoded.arguments["value"]),
                decoded.log.ordinal,
            )
            for decoded in self._decoder.decode(logs)
            if decoded.event == "Transfer"
        ]

    def approvals(self, logs: Sequence[ChainLog]) -> Sequence[TokenApproval]:
        """The approvals, in order."""
        return [
            TokenApproval(
                self._asset(decoded.log),
                _address(decoded.arguments["owner"]),
                _address(decoded.arguments["spender"]),
                _amount(decoded.arguments["value"]),
                decoded.log.ordinal,
            )
            for decoded in self._decoder.decode(logs)
            if decoded.event == "Approval"
        ]

    def _asset(self, log: ChainLog) -> AssetId:
        return erc20(self._chain_id, log.address)


def _address(value: AbiValue) -> Address:
    assert isinstance(value, str)
    return Address(value)


def _amount(value: AbiValue) -> Amount:
    assert isinstance(value, int)
    return Amount(value)
