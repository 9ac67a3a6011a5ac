"""The suite that every signer passes.

Subclass `SignerSuite` with a fixture `opened` that gives a function: each call of it opens a signer on the same memory,
for chain 31337, which may call `swap_selector` of `contract` without value.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from sep_hooks.config import PluginConfig
from sep_hooks.errors import CheckTooOld, SignerRefused
from sep_hooks.signer import PayloadKind, Signer, SignRequest
from sep_hooks.types import Address, Amount, IntentId, Transaction

CHAIN_ID = 31337
CONTRACT = Address("0x" + "11" * 20)
SELECTOR = "0x12345678"
CALL = bytes.fromhex(SELECTOR[2:]) + b"\x00" * 64
STORE = UUID(int=7)

type Opened = Callable[[], Awaitable[Signer[PluginConfig]]]


def asked(nonce: int = 0, step: str = "1", **changes: object) -> SignRequest:
    """A request for a call that the signer may sign; `changes` are of its transaction."""
    transaction = Transaction(
        chain_id=CHAIN_ID,
        nonce=nonce,
        to=CONTRACT,
        value=Amount(0),
        data=CALL,
        gas_limit=200_000,
        max_fee_per_gas=10**10,
        max_priority_fee_per_gas=10**9,
    )
    changed = replace(transaction, **changes)  # type: ignore[arg-type]
    now = datetime.now(UTC)
    return SignRequest(IntentId(UUID(int=1)), step, 1, f"plan of {nonce}", changed, STORE, checked_at=now)


def dearer(
    request: SignRequest, replaces: str, kind: PayloadKind = PayloadKind.BUMP, **more: object
) -> SignRequest:
    """The same step again at twice the fees."""
    old = request.transaction
    fees = {
        "max_fee_per_gas": 2 * old.max_fee_per_gas,
        "max_priority_fee_per_gas": 2 * old.max_priority_fee_per_gas,
    }
    transaction = replace(old, **{**fees, **more})  # type: ignore[arg-type]
    return replace(request, transaction=transaction, kind=kind, replaces=replaces)


class SignerSuite:
    """One step for each nonce, remembered before it is returned; epochs, of engines and of breakers, that only grow."""

    async def test_the_same_request_has_the_same_bytes_over_restarts(self, opened: Opened) -> None:
        signer = await opened()
        first = await signer.sign(asked())
        assert await signer.sign(asked()) == first
        await signer.sign(asked(2, "2"))
        again = await opened()
        assert await again.sign(asked()) == first
        entries = await again.list_signed()
        assert [entry.request for entry in entries] == [asked(), asked(2, "2")]
        assert entries[0].signed == first

    @pytest.mark.parametrize(
        "other",
        [
            lambda: asked(step="2"),
            lambda: replace(asked(), intent_id=IntentId(UUID(int=2))),
            lambda: replace(asked(), store_id=UUID(int=8)),
            lambda: asked(data=CALL + b"\x01"),
            lambda: asked(max_fee_per_gas=2 * 10**10),
        ],
    )
    async def test_a_nonce_belongs_to_one_payload(
        self, opened: Opened, other: Callable[[], SignRequest]
    ) -> None:
        signer = await opened()
        await signer.sign(asked())
        with pytest.raises(SignerRefused, match="belongs to step 1"):
            await signer.sign(other())
        assert len(await signer.list_signed()) == 1

    async def test_a_declared_bump_and_a_cancel_follow_and_nothing_follows_a_cancel(
        self, opened: Opened
    ) -> None:
        signer = await opened()
        own = await signer.open()
        first = await signer.sign(asked())
        bump = dearer(asked(), first.hash)
        second = await signer.sign(bump)
        nothing = {"to": own, "data": b"", "gas_limit": 21_000}
        cancel = dearer(bump, second.hash, PayloadKind.CANCEL, **nothing)
        third = await signer.sign(cancel)
        for request, signed in ((asked(), first), (bump, second), (cancel, third)):
            assert await signer.sign(request) == signed
        with pytest.raises(SignerRefused):
            await signer.sign(replace(dearer(bump, third.hash), transaction=dearer(cancel, "").transaction))
        assert [one.signed for one in await (await opened()).list_signed()] == [first, second, third]

    @pytest.mark.parametrize(
        "change",
        [
            lambda one: replace(one, replaces="0x" + "00" * 32),
            lambda one: replace(one, step_id="2"),
            lambda one: replace(one, transaction=replace(one.transaction, data=CALL + b"\x01")),
            lambda one: replace(one, transaction=replace(one.transaction, max_fee_per_gas=10**10)),
            lambda one: replace(one, transaction=replace(one.transaction, max_priority_fee_per_gas=10**9)),
            lambda one: replace(one, transaction=replace(one.transaction, nonce=1)),
            lambda one: replace(one, kind=PayloadKind.CANCEL),
        ],
    )
    async def test_what_is_no_bump_of_the_last_payload_is_refused(
        self, opened: Opened, change: Callable[[SignRequest], SignRequest]
    ) -> None:
        signer = await opened()
        first = await signer.sign(asked())
        with pytest.raises(SignerRefused):
            await signer.sign(change(dearer(asked(), first.hash)))
        assert len(await signer.list_signed()) == 1

    async def test_an_older_epoch_is_refused_over_restarts(self, opened: Opened) -> None:
        signer = await opened()
        first = await signer.sign(replace(asked(), epoch=5))
        await signer.advance_epoch(STORE, 6)
        again = await opened()
        for request in (replace(asked(1), epoch=5), replace(asked(), epoch=5)):
            with pytest.raises(SignerRefused, match="epoch 5 is older than 6"):
                await again.sign(request)
        with pytest.raises(SignerRefused, match="epoch 5 is older than 6"):
            await again.advance_epoch(STORE, 5)
        await again.advance_epoch(STORE, 6)
        assert await again.sign(replace(asked(), epoch=6)) == first

    async def test_what_was_checked_before_a_breaker_opened_is_refused_over_restarts(
        self, opened: Opened
    ) -> None:
        signer = await opened()
        own = await signer.open()
        first = await signer.sign(replace(asked(), breaker_epoch=2))
        await signer.advance_epoch(STORE, 1, 3)
        again = await opened()
        with pytest.raises(CheckTooOld, match="breaker epoch 2 is older than 3"):
            await again.sign(replace(asked(1), breaker_epoch=2))
        await again.advance_epoch(STORE, 1, 2)
        with pytest.raises(CheckTooOld, match="breaker epoch 2 is older than 3"):
            await again.sign(replace(dearer(asked(), first.hash), breaker_epoch=2))
        # What is signed is not unsigned, and to end it stays possible.
        assert await again.sign(replace(asked(), breaker_epoch=2)) == first
        nothing = {"to": own, "data": b"", "gas_limit": 21_000}
        cancel = dearer(asked(), first.hash, PayloadKind.CANCEL, **nothing)
        await again.sign(replace(cancel, breaker_epoch=2))
        # A request may speak of a breaker whose event was never written: only the engine's word, once it is, counts.
        await again.sign(replace(asked(1), breaker_epoch=4))
        await again.sign(replace(asked(2), breaker_epoch=3))
        await again.sign(replace(asked(3), store_id=UUID(int=8)))

    async def test_each_log_has_epochs_of_its_own(self, opened: Opened) -> None:
        signer = await opened()
        await signer.advance_epoch(STORE, 5)
        await signer.sign(replace(asked(), store_id=UUID(int=8)))

    @pytest.mark.parametrize(
        "changes",
        [
            {"chain_id": 1},
            {"value": Amount(1)},
            {"max_fee_per_gas": 10**20},
            {"data": b""},
            {"data": bytes.fromhex("a9059cbb") + b"\x00" * 64},
            {"data": bytes.fromhex("095ea7b3") + b"\x00" * 32 + b"\xff" * 32},
        ],
    )
    async def test_the_policy_is_the_signer_s_own(self, opened: Opened, changes: dict[str, object]) -> None:
        signer = await opened()
        with pytest.raises(SignerRefused):
            await signer.sign(asked(**changes))  # type: ignore[arg-type]
        assert await signer.list_signed() == []
