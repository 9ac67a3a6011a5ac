"""A signer as its lane calls it: whatever it does wrong is a fault that the log holds, and ends nothing."""

from collections.abc import Sequence
from types import NoneType
from uuid import UUID

from sep_hooks.capabilities import PluginKind
from sep_hooks.errors import Ambiguous, SignerRefused
from sep_hooks.signer import SignedEntry, SignRequest
from sep_hooks.types import SignedTransaction

from sep_core.runtime.installation import Installation


class GuardedSigner:
    """Implements execution's `SignerPort`. A refusal passes through, and so does `Ambiguous`, the word of a signer
    whose process is away; anything else that it raises or answers wrongly becomes a `PluginFault`. The lane bounds the
    wait: a slow signer is no faulty one.
    """

    def __init__(self, installation: Installation, account: str) -> None:
        self._guard = installation.guard
        self._signer = installation.signers[account]
        self._plugin = next(
            ref
            for ref in installation.refs.values()
            if ref.kind is PluginKind.SIGNER and ref.instance == account
        )

    async def sign(self, request: SignRequest) -> SignedTransaction:
        """The signed bytes. Raises `SignerRefused`; `Ambiguous` or `PluginFault`, after which it may have signed."""
        return await self._guard.call(
            self._plugin,
            "sign",
            lambda: self._signer.sign(request),
            timeout_seconds=None,
            returns=SignedTransaction,
            answers=(SignerRefused, Ambiguous),
        )

    async def list_signed(self) -> Sequence[SignedEntry]:
        """All that it remembers, by nonce. Raises `Ambiguous` or `PluginFault`."""
        return await self._guard.call(
            self._plugin,
            "list_signed",
            self._signer.list_signed,
            timeout_seconds=None,
            returns=Sequence[SignedEntry],
            answers=(Ambiguous,),
        )

    async def advance_epoch(self, store_id: UUID, epoch: int, breaker_epoch: int) -> None:
        """Shuts out engines of older epochs, and what was checked before a breaker opened. Raises `SignerRefused`,
        `Ambiguous` or `PluginFault`.
        """
        await self._guard.call(
            self._plugin,
            "advance_epoch",
            lambda: self._signer.advance_epoch(store_id, epoch, breaker_epoch),
            timeout_seconds=None,
            returns=NoneType,
            answers=(SignerRefused, Ambiguous),
        )
