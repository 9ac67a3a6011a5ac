"""Snapshots of a configuration's markets: as an engine sees them, or read once from the chains."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sep_hooks.context import Clock
from sep_hooks.errors import ConfigurationError, SepError
from sep_hooks.types import Amount, Asset, AssetId, ChainRef, LeftOut, erc20

from sep_core.markets.board import MarketBoard
from sep_core.markets.board_venue import BoardVenue
from sep_core.markets.native import network_of
from sep_core.markets.snapshot import Snapshot
from sep_core.markets.snapshot_data import ChainAt, SnapshotData
from sep_core.runtime.guards import BoardGuard
from sep_core.runtime.installation import ChainPart, Installation, installed_apart
from sep_core.runtime.settings import Settings
from sep_core.runtime.token_names import described
from sep_core.runtime.venue_calls import CallBook

_BOOKS_APART = "an order venue: its books are traded from accounts at the venue, and planned apart from pools"


@dataclass(frozen=True, slots=True)
class ChainTerms:
    """What gas costs on a chain, and in which asset it is paid."""

    fee_per_gas: Amount | None
    gas_asset: AssetId | None


async def terms_of(part: ChainPart) -> ChainTerms:
    """What the next transaction pays for gas; no fee where the chain does not tell one."""
    preset = part.preset
    wrapped = erc20(preset.chain_id, preset.wrapped_native) if preset.wrapped_native else None
    try:
        fees = await part.access.fees()
    except SepError:
        return ChainTerms(None, wrapped)
    fee = min(fees.max_fee_per_gas, fees.base_fee_high + fees.max_priority_fee_per_gas)
    return ChainTerms(Amount(fee), wrapped)


def merged(
    snapshots: Mapping[ChainRef, Snapshot],
    assets: Mapping[AssetId, Asset],
    terms: Mapping[ChainRef, ChainTerms],
    more_left_out: Sequence[LeftOut] = (),
) -> SnapshotData:
    """Several chains' snapshots as one; `assets` names every asset that their markets trade."""
    taken = list(snapshots.values())
    markets = {market.id: market for one in taken for market in one.markets.values()}
    states = {state.market: state for one in taken for state in one.states.values()}
    traded = {asset for market in markets.values() for asset in market.assets}
    if len(taken) == 1:
        network = taken[0].network
    else:
        network, _ = network_of((markets[market], states[market]) for market in sorted(markets))
    return SnapshotData(
        chains=tuple(_chain_at(chain, one, terms[chain], traded) for chain, one in snapshots.items()),
        assets=tuple(assets[asset] for asset in sorted(traded)),
        markets=markets,
        states=states,
        left_out=(*(left for one in taken for left in one.left_out), *more_left_out),
        network=network,
    )


async def snapshot_of_settings(
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    monotonic: Callable[[], float] = time.monotonic,
) -> SnapshotData:
    """Reads every chain of a configuration that has venues once. Opens no log, no key store, records nothing.

    Raises `ConfigurationError` where there is no venue, `RpcUnavailable` or `WrongChain` where a chain fails.
    """
    if not settings.venues:
        raise ConfigurationError(
            f"{settings.source} has no venue, so there is no market to take a snapshot of",
            pointer="venues",
            next_step="add a table [venues.NAME]",
        )
    # Keys, risk rules and strategies have no part in this.
    bare = replace(settings, strategies={}, risk={})
    async with installed_apart(bare, environ, clock) as made:
        return await _read(made, BoardGuard(made, CallBook(clock, monotonic)))


async def _read(made: Installation, guard: BoardGuard) -> SnapshotData:
    board = MarketBoard(
        [BoardVenue(one.instance, one.adapter, one.decoder) for one in made.venues.values()], guard=guard
    )
    snapshots: dict[ChainRef, Snapshot] = {}
    terms: dict[ChainRef, ChainTerms] = {}
    known = {asset.id: asset for asset in made.assets.values()}
    for part in made.chains.values():
        if part.ref not in board.chains:
            continue
        await part.access.verify()
        head = await part.access.head()
        await board.discover(part.ref)
        await board.load(part.ref, head, 1)
        snapshot = snapshots[part.ref] = board.snapshot(part.ref)
        terms[part.ref] = await terms_of(part)
        strangers = {asset for market in snapshot.markets.values() for asset in market.assets} - known.keys()
        for asset in await described(part.access, sorted(strangers), head.ref):
            known[asset.id] = asset
    kept_out = [LeftOut(plugin.instance, reason) for plugin, reason in made.left_out.items()]
    kept_out += [LeftOut(instance, _BOOKS_APART) for instance in made.order_venues]
    return merged(snapshots, known, terms, kept_out)


def _chain_at(chain: ChainRef, snapshot: Snapshot, terms: ChainTerms, traded: set[AssetId]) -> ChainAt:
    gas_asset = terms.gas_asset if terms.gas_asset in traded else None
    return ChainAt(chain, snapshot.block.ref, snapshot.block.timestamp, terms.fee_per_gas, gas_asset)
