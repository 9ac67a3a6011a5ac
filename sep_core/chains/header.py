"""A block's header with what the contract's `Block` leaves out."""

from dataclasses import dataclass

from sep_hooks.types import Block


@dataclass(frozen=True, slots=True)
class Header:
    """`logs_bloom` commits to the block's logs; None where the chain has none."""

    block: Block
    gas_used: int
    logs_bloom: bytes | None
