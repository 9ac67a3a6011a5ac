"""Reads receipts: which tokens moved, and which passes of the order's venue moved them."""

from collections.abc import Callable, Sequence
from typing import Final

from sep_hooks.errors import InvalidAsset
from sep_hooks.types import (
    Address,
    Amount,
    ChainLog,
    ChainRef,
    Step,
    SwapFill,
    SwapOrder,
    chain_id_of,
    erc20,
)

from sep_core.events.facts import Transfer

TRANSFER_TOPIC: Final = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
"""`Transfer(address,address,uint256)`; an ERC-721 token has a fourth topic and no data, and is none of these."""

type PassReader = Callable[[str, SwapOrder, Sequence[ChainLog]], Sequence[SwapFill]]
"""The passes that a venue instance recognises among logs; it may raise, then there are none."""


def transfers_of(chain: ChainRef, logs: Sequence[ChainLog]) -> tuple[Transfer, ...]:
    """The fungible token transfers among logs. Malformed ones are none."""
    chain_id = chain_id_of(chain)
    found: list[Transfer] = []
    for log in logs:
        if len(log.topics) != 3 or log.topics[0] != TRANSFER_TOPIC or len(log.data) != 32:
            continue
        sender, recipient = (_address(topic) for topic in log.topics[1:])
        if sender is None or recipient is None:
            continue
        try:
            asset = erc20(chain_id, log.address)
        except InvalidAsset:
            continue
        found.append(Transfer(asset, sender, recipient, Amount(int.from_bytes(log.data)), log.ordinal))
    return tuple(found)


class ReceiptReader:
    """Reads the logs of one chain. Transfers settle the books; passes only explain them."""

    def __init__(self, chain: ChainRef, passes: PassReader) -> None:
        self._chain = chain
        self._passes = passes

    def transfers(self, logs: Sequence[ChainLog]) -> tuple[Transfer, ...]:
        """The token transfers among the logs."""
        return transfers_of(self._chain, logs)

    def passes(self, step: Step, logs: Sequence[ChainLog]) -> tuple[SwapFill, ...]:
        """The passes of the step's order; none where the venue errs: evidence does not wait for a plugin."""
        if step.order is None:
            return ()
        try:
            return tuple(self._passes(step.venue, step.order, logs))
        except Exception:  # whatever a venue raises here, the money is in the transfers
            return ()


def _address(topic: bytes) -> Address | None:
    if len(topic) != 32 or any(topic[:12]):
        return None
    return Address("0x" + topic[12:].hex())
