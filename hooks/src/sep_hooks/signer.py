"""Signers: the only holders of keys."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sep_hooks.config import PluginConfig
from sep_hooks.context import SignerContext
from sep_hooks.types import Address, IntentId, SignedTransaction, Transaction


class PayloadKind(StrEnum):
    """What a transaction is at its nonce: the step itself, the step again at higher fees, or the end of it."""

    EFFECT = "effect"
    BUMP = "bump"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class SignRequest:
    """One described step: who wants it, under which epoch of which log, for which plan, the exact transaction.

    `store_id` is the log's identity: what was signed for one log is never taken over by another. A second payload at
    a nonce names in `replaces` the hash of the last one; a bump carries the same call, a cancel is a call of the
    account itself without value and data, and both pay more per gas. `checked_at` is when the engine began the checks
    that let it ask, by its own clock, and `breaker_epoch` how often a breaker had opened or closed by then; neither is
    part of what is signed.
    """

    intent_id: IntentId
    step_id: str
    epoch: int
    plan_digest: str
    transaction: Transaction
    store_id: UUID
    kind: PayloadKind = PayloadKind.EFFECT
    replaces: str = ""
    checked_at: datetime | None = field(default=None, compare=False)
    breaker_epoch: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SignedEntry:
    """A signature that the signer remembers, for recovery."""

    request: SignRequest
    signed: SignedTransaction


class Signer[ConfigT: PluginConfig](ABC):
    """Signs under its own policy. Idempotent: the same request is answered by the same bytes."""

    Config: ClassVar[type[PluginConfig]]

    def __init__(self, config: ConfigT, context: SignerContext) -> None:
        self.config = config
        self.context = context

    @abstractmethod
    async def open(self) -> Address:
        """Unlocks the key, off the event loop, and names its address. Raises `SignerRefused`."""

    @abstractmethod
    async def sign(self, request: SignRequest) -> SignedTransaction:
        """The signed bytes, remembered durably before they are returned.

        Raises `SignerRefused` for a second payload at one nonce that is no declared bump or cancel of the same step,
        an older epoch of the same log, or a breach of the policy; `CheckTooOld` where it was checked under an older
        breaker epoch, unless it is a cancel; `Ambiguous` where the answer was lost, so that it may have signed.
        """

    @abstractmethod
    async def list_signed(self) -> Sequence[SignedEntry]:
        """All that was ever signed for any log and is still remembered, by nonce."""

    @abstractmethod
    async def advance_epoch(self, store_id: UUID, epoch: int, breaker_epoch: int = 0) -> None:
        """From now on, durably, requests of older epochs of this log are refused: another engine took over. So are
        those that were checked under an older breaker epoch: a breaker has opened since, as the log has for good.

        Raises `SignerRefused` where a later epoch was seen already; an older breaker epoch changes nothing.
        """

    async def close(self) -> None:
        """Forgets the key."""
        return
