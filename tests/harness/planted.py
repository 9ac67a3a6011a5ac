"""Bugs that the harness must see: each is put into the real classes while its context lasts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any
from unittest.mock import patch

import apsw
from sep_hooks.types import Block, Receipt

from sep_core import intents, risk
from sep_core.chains.access import ChainAccess
from sep_core.execution.commands import RecordSigned, SignedStep
from sep_core.execution.lane import NonceEntry
from sep_core.execution.prepare import Preparation
from sep_core.execution.sending import Sending
from sep_core.execution.worker import LaneWorker
from sep_core.runtime.flow import effects

from . import store_power

# The package has a function of the module's name.
deciding = import_module("sep_core.execution.decide")

MOST_REPEATS = 6


@contextmanager
def broadcast_before_persist() -> Iterator[None]:
    """Bytes leave as soon as they are signed; their event follows."""
    prepare = Preparation.prepare

    async def hasty(self: Preparation, *arguments: Any) -> Any:
        outcome = await prepare(self, *arguments)
        if isinstance(outcome, RecordSigned):
            for step in outcome.steps:
                await self._chain.broadcast(step.signed.raw)
        return outcome

    with patch.object(Preparation, "prepare", hasty):
        yield


@contextmanager
def new_nonce_after_timeout() -> Iterator[None]:
    """What got no answer is signed, recorded and sent once more at the next nonce; the guards against it are off."""
    send, made = Sending.send, LaneWorker.__init__
    signers: dict[int, Any] = {}

    def remember(self: LaneWorker, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        signers[id(self._sending)] = self._signing

    async def impatient(self: Sending, entry: NonceEntry, head: Block | None) -> None:
        await send(self, entry, head)
        lane = self._desk.lane()
        if lane is None or entry.intent_id is None or not lane.entries[entry.nonce].status.in_doubt:
            return
        step, desk = self._desk.step(entry.intent_id, entry.step_id), signers[id(self)]
        if step is None or len(lane.of_intent(entry.intent_id)) > MOST_REPEATS:
            return
        old = next(one for one in await desk.signer.list_signed() if one.signed.hash == entry.hash).request
        again = replace(old, transaction=replace(old.transaction, nonce=lane.next_nonce), epoch=desk.epoch)
        signed = await desk.signer.sign(again)
        carried = SignedStep(step, again.transaction, signed, desk.vault.seal(signed.raw))
        await self._desk.record(RecordSigned(lane.key, entry.intent_id, entry.plan_digest, (carried,)))

    def unguarded(*arguments: Any, **named: Any) -> None:
        return None

    with (
        patch.object(LaneWorker, "__init__", remember),
        patch.object(Sending, "send", impatient),
        patch.object(deciding, "check_unbound", unguarded),
    ):
        yield


@contextmanager
def timeout_recorded_as_failure() -> Iterator[None]:
    """An intent fails as soon as one of its steps is in doubt, and its money is free again."""

    def gives_up(world: Any, lane: Any, decided: Any) -> Any:
        said: tuple[Any, ...] = ()
        for nonce, entry in effects._lane_after(lane, decided).entries.items():
            before = lane.entries.get(nonce)
            state = world.intents.get(entry.intent_id)
            if before is None or state is None or state.status not in effects._SENT or said:
                continue
            if entry.status.in_doubt and not before.status.in_doubt:
                said += intents.failed(state, "timeout", f"no answer to {entry.hash}")
                said += (risk.release_hold(state.id, "given up"),)
        return said

    with patch.object(effects, "_doubts", gives_up):
        yield


@contextmanager
def signer_not_asked_at_start() -> Iterator[None]:
    """What the signer remembers is not taken over: a start goes on from the log alone."""

    async def forgetful(self: LaneWorker) -> None:
        return None

    with patch.object(LaneWorker, "recover", forgetful):
        yield


@contextmanager
def results_zipped_by_position() -> Iterator[None]:
    """What a node does not answer is left out of a list, and the rest is taken for the first questions."""
    receipts = ChainAccess.receipts

    async def shifted(self: ChainAccess, hashes: Sequence[str]) -> Sequence[Receipt | None]:
        answered = [one for one in await receipts(self, hashes) if one is not None]
        padded = [*answered, *[None] * (len(hashes) - len(answered))]
        # Believed to be about what was asked.
        return [
            None if one is None else replace(one, transaction_hash=name)
            for name, one in zip(hashes, padded, strict=True)
        ]

    with patch.object(ChainAccess, "receipts", shifted):
        yield


@contextmanager
def skipped_fsync() -> Iterator[None]:
    """The store answers before the disk has taken in what it wrote."""
    synced = apsw.VFSFile.xSync

    def skipped(self: apsw.VFSFile, flags: int) -> None:
        synced(self, flags)  # the machine's own disk does as ever; the one that forgets is not told

    with patch.object(store_power.ForgetfulFile, "xSync", skipped):
        yield


SIMULATED: dict[str, Callable[[], Any]] = {
    "results-zipped-by-position": results_zipped_by_position,
    "skipped-fsync": skipped_fsync,
}
"""Bugs that the simulator must see, besides those of `BUGS`."""

BUGS: dict[str, Callable[[], Any]] = {
    "broadcast-before-persist": broadcast_before_persist,
    "new-nonce-after-timeout": new_nonce_after_timeout,
    "timeout-recorded-as-failure": timeout_recorded_as_failure,
    "signer-not-asked-at-start": signer_not_asked_at_start,
}
