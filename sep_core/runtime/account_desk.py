"""What the log is told of accounts out of what their chains say: when they join it, and when they are let go."""

from collections.abc import Mapping, Sequence

from sep_hooks.errors import UnknownBlock
from sep_hooks.types import Amount, Asset, AssetId, BlockRef, native_asset

from sep_core.execution import LaneKey, LaneWorker
from sep_core.execution.commands import AdoptAssets, OpenAccount, ReleaseAccount
from sep_core.execution.errors import ReleaseRefused
from sep_core.markets.board import MarketBoard
from sep_core.runtime.asset_book import NATIVE_DECIMALS
from sep_core.runtime.desk import Desk
from sep_core.runtime.flow import Composition
from sep_core.runtime.installation import ChainPart, Installation
from sep_core.runtime.queries import NotFound
from sep_core.runtime.settings import AccountSettings, Settings
from sep_core.runtime.worth import Worth
from sep_core.telemetry.crashpoints import crossing


class AccountDesk:
    """Records balances and nonces as a chain has them at one block."""

    def __init__(
        self,
        settings: Settings,
        installation: Installation,
        composition: Composition,
        board: MarketBoard,
        desk: Desk,
        workers: Mapping[LaneKey, LaneWorker],
    ) -> None:
        self._settings = settings
        self._installation = installation
        self._desk = desk
        self._workers = workers
        self._worth = Worth(board, composition.numeraire)

    async def open_all(self) -> None:
        """Records what each configured account holds that the log does not know yet."""
        for said in self._settings.accounts.values():
            part, key = self._place(said)
            # An asset that was opened, with nothing of it even, changes by transactions alone from then on: to take it
            # over again would count twice what a transaction brought that was not looked at yet.
            opened = self._desk.world.opened_assets.get(key, frozenset())
            fresh = [one for one in self._assets(part) if one.id not in opened]
            lane = self._desk.world.lanes.get(key)
            if lane is not None and (not fresh or lane.unfinished):
                continue
            head = await crossing("start.account_block", part.access.head())
            held = await crossing("start.account_balances", _held(part, key, fresh, head.ref))
            prices = self._worth.prices(fresh)
            if lane is None:
                nonce = await crossing("start.account_nonce", part.access.nonce(said.address, head.ref))
                await self._desk.record(OpenAccount(key, said.name, nonce, head.ref, held, prices))
            else:
                await self._desk.record(AdoptAssets(key, said.name, head.ref, held, prices))

    async def release(self, name: str, reason: str, by: str) -> None:
        """Lets a frozen account sign again, from the nonce and the balances that its chain has for good; durable when
        it returns. Nothing happens to one that is not frozen. Raises `NotFound`, `ReleaseRefused`.
        """
        said = self._settings.accounts.get(name)
        part, key = self._place(said) if said is not None else (None, None)
        lane = None if key is None else self._desk.world.lanes.get(key)
        if part is None or key is None or lane is None:
            raise NotFound(f"no account {name!r} works in this engine", next_step="sep account list")
        if lane.frozen is None:
            return
        worker = self._workers.get(key)
        if worker is None or not worker.recovered:
            why = "it has none here" if worker is None else worker.blocked or "it was not asked yet"
            raise ReleaseRefused(
                f"what the signer of account {name} remembers is not known: {why}; the account stays frozen",
                next_step="let the engine reach the signer first",
            )
        opened = self._desk.world.opened_assets[key]
        assets = [one for one in self._assets(part) if one.id in opened]
        try:
            final = await part.access.final_block()  # sep-ok: reads
        except UnknownBlock as error:
            raise ReleaseRefused(f"{error.message}; the account stays frozen", next_step="wait") from error
        nonce = await part.access.nonce(key.address, final.ref)  # sep-ok: reads
        held = await _held(part, key, assets, final.ref)  # sep-ok: reads
        latest = await part.access.nonce(key.address)  # sep-ok: reads
        if latest != nonce:
            raise ReleaseRefused(
                f"account {name} stands at nonce {latest} on chain, at {nonce} in final block {final.number}: it was"
                " used a moment ago; the account stays frozen",
                next_step="make sure that nobody else has its key, and repeat this when that is final",
            )
        prices = self._worth.prices(assets)
        await self._desk.record(ReleaseAccount(key, nonce, final.ref, held, reason, by, prices))

    def _place(self, said: AccountSettings) -> tuple[ChainPart, LaneKey]:
        part = self._installation.chains[said.chain]
        return part, LaneKey(part.ref, said.address)

    def _assets(self, part: ChainPart) -> Sequence[Asset]:
        """What an account of the chain may hold, by the configuration: tokens, and what gas is paid in."""
        native = Asset(native_asset(part.preset.chain_id), "", NATIVE_DECIMALS)
        on_chain = [one for one in self._installation.assets.values() if one.chain == part.ref]
        return list(dict.fromkeys([*on_chain, native]))


async def _held(
    part: ChainPart, key: LaneKey, assets: Sequence[Asset], at: BlockRef
) -> tuple[tuple[AssetId, Amount], ...]:
    wanted = [one.id for one in assets]
    balances = await part.access.balances(key.address, wanted, at)  # sep-ok: the caller crosses
    return tuple((one, balances[one]) for one in wanted)
