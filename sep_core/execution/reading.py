"""Reads receipts: which tokens moved, and which passes of the order's venue moved them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from sep_hooks.errors import InvalidAsset
from sep_hooks.types import (
    MAX_AMOUNT,
    Address,
    Amount,
    AssetId,
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

MOST_TRANSFERS: Final = 256
"""How many transfers of one transaction the log holds; a token can be made to emit thousands."""

MOST_PASSES: Final = 64
_LARGEST_ORDINAL: Final = 2**31

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


def own_transfers(transfers: Sequence[Transfer], owner: Address, step: Step | None) -> tuple[Transfer, ...]:
    """Those that move something into the account or out of it; a stranger's are no business of the log.

    Where they are too many, each token's are taken together, those of the step's order first. A token whose
    amounts sum to more than an amount can be says nothing, and is left out.
    """
    own = [one for one in transfers if one.amount and (one.sender == owner) != (one.recipient == owner)]
    sums: Counter[AssetId] = Counter()
    for one in own:
        sums[one.asset] += one.amount
    own = [one for one in own if sums[one.asset] <= MAX_AMOUNT]
    if len(own) <= MOST_TRANSFERS:
        return tuple(own)
    together: dict[tuple[AssetId, bool], Transfer] = {}
    for one in own:
        key = one.asset, one.sender == owner
        before = together.get(key)
        together[key] = one if before is None else replace(before, amount=Amount(before.amount + one.amount))
    traded = () if step is None else [asset for asset, _ in (*step.most_spent, *step.least_received)]
    first = sorted(together.values(), key=lambda one: (one.asset not in traded, one.ordinal))
    return tuple(sorted(first[:MOST_TRANSFERS], key=lambda one: one.ordinal))


class ReceiptReader:
    """Reads the logs of one chain. Transfers settle the books; passes only explain them."""

    def __init__(self, chain: ChainRef, passes: PassReader) -> None:
        self._chain = chain
        self._passes = passes

    def transfers(self, logs: Sequence[ChainLog]) -> tuple[Transfer, ...]:
        """The token transfers among the logs."""
        return transfers_of(self._chain, logs)

    def passes(self, step: Step, logs: Sequence[ChainLog]) -> tuple[SwapFill, ...]:
        """The passes of the step's orders; none of an order where its venue errs or one of them cannot be:
        evidence does not wait for a plugin.
        """
        return tuple(one for trade in step.trades for one in self._of(trade.venue, trade.order, logs))

    def _of(self, venue: str, order: SwapOrder, logs: Sequence[ChainLog]) -> tuple[SwapFill, ...]:
        try:
            return _sound(order, self._passes(venue, order, logs))
        except Exception:  # whatever a venue raises here, the money is in the transfers
            return ()


def _sound(order: SwapOrder, said: object) -> tuple[SwapFill, ...]:
    """The passes in terms of the order's own legs; none at all where one of them is of no leg or no numbers."""
    if not isinstance(said, list | tuple) or len(said) > MOST_PASSES:
        return ()
    legs = {(leg.market, leg.asset_in, leg.asset_out): leg for leg in order.legs}
    sound: list[SwapFill] = []
    for one in said:
        leg = legs.get((one.market, one.asset_in, one.asset_out))
        numbers = (
            (one.amount_in, MAX_AMOUNT),
            (one.amount_out, MAX_AMOUNT),
            (one.ordinal, _LARGEST_ORDINAL),
        )
        if leg is None or any(type(number) is not int or not 0 <= number <= most for number, most in numbers):
            return ()
        sound.append(
            SwapFill(
                leg.market,
                leg.asset_in,
                Amount(one.amount_in),
                leg.asset_out,
                Amount(one.amount_out),
                one.ordinal,
            )
        )
    return tuple(sound)


def _address(topic: bytes) -> Address | None:
    if len(topic) != 32 or any(topic[:12]):
        return None
    return Address("0x" + topic[12:].hex())
