"""The lanes of a running engine, each with its worker."""

from collections.abc import Sequence
from functools import partial

from sep_hooks.types import ChainLog, SwapFill, SwapOrder

from sep_core.events.log_store import LogStore
from sep_core.execution import LaneKey
from sep_core.execution.prepare import SigningDesk
from sep_core.execution.reading import ReceiptReader
from sep_core.execution.worker import LaneWorker
from sep_core.runtime.commands import WithdrawPlan
from sep_core.runtime.guarded_relay import GuardedRelay
from sep_core.runtime.guarded_signer import GuardedSigner
from sep_core.runtime.identity import must_be_followed
from sep_core.runtime.installation import ChainPart, Installation
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.lane_desk import LaneWork
from sep_core.runtime.settings import Mode
from sep_core.runtime.witnesses import EndpointWitnesses
from sep_core.telemetry.log import NamedLog


class Lanes:
    """Makes the lanes' workers: one for each configured account, and one for each that left something open."""

    def __init__(
        self, kernel: Kernel, works: dict[LaneKey, LaneWork], store: LogStore, log: NamedLog
    ) -> None:
        self._kernel = kernel
        self._works = works
        self._store = store
        self._log = log

    def make(self) -> None:
        """Makes them all; they do not run yet. An account without signer that nothing is open of needs none."""
        installation, testnet = self._kernel.installation, self._kernel.settings.mode is Mode.TESTNET
        for said in self._kernel.settings.accounts.values():
            part = installation.chains[said.chain]
            key, signing, only_watches = LaneKey(part.ref, said.address), None, ""
            if said.name in installation.signers:
                store, signer = self._store, GuardedSigner(installation, said.name)
                signing = SigningDesk(signer, store.vault(), store.epoch, store.store_id)
            elif testnet:
                lane = self._kernel.world.lanes.get(key)
                if lane is None or not must_be_followed(self._kernel.world, lane):
                    continue
                only_watches = (
                    f"account {said.name} has no signer: what is open is followed, nothing is signed or sent"
                )
            self._add(key, said.name, part, signing, only_watches)
        if testnet:
            self._follow_gone()

    async def end_orphans(self) -> None:
        """Ends approved plans on paper whose account is gone; elsewhere its signer may have signed them."""
        kernel = self._kernel
        if kernel.settings.mode is not Mode.PAPER:
            return
        for state in list(kernel.world.open_intents()):
            gone = kernel.composition.gone(state.intent)
            if gone is not None:
                await kernel.desk.record(WithdrawPlan(state.id, *gone, retryable=False))

    def _follow_gone(self) -> None:
        world, settings = self._kernel.world, self._kernel.settings
        for key, lane in world.lanes.items():
            part = self._kernel.installation.part_of(key.chain)
            if part is None or lane.name in settings.accounts or not must_be_followed(world, lane):
                continue
            reason = f"account {lane.name} left the configuration: what is open is followed, nothing is signed or sent"
            self._add(key, lane.name, part, None, reason)

    def _add(
        self, key: LaneKey, name: str, part: ChainPart, signing: SigningDesk | None, only_watches: str
    ) -> None:
        kernel = self._kernel
        relay = kernel.installation.relays.get(part.name)
        work = self._works[key] = LaneWork(kernel.desk, key, name, kernel.composition, kernel.clock)
        worker = kernel.workers[key] = LaneWorker(
            part.access,
            ReceiptReader(part.ref, partial(_passes, kernel.installation)),
            work,
            signing,
            kernel.clock,
            self._log,
            witnesses=EndpointWitnesses(part.access),
            quorum=kernel.settings.chains[part.name].rpc_quorum,
            relay=None if relay is None else GuardedRelay(kernel.installation.guard, relay),
            only_watches=only_watches,
        )
        work.wake = worker.work_available


def _passes(
    installation: Installation, venue: str, order: SwapOrder, logs: Sequence[ChainLog]
) -> Sequence[SwapFill]:
    part = installation.venues.get(venue)
    if part is None:
        return ()
    decoded = part.decoder.decode(logs)
    return installation.guard.call_sync(
        part.plugin, "fills", lambda: part.adapter.fills(order, decoded), returns=Sequence[SwapFill]
    )
