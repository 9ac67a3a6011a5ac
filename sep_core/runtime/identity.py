"""Whether configuration and chains are still those that the log tells of; asked before anything is recorded."""

from collections.abc import Mapping

from sep_hooks.errors import ConfigurationError
from sep_hooks.types import Block, BlockRef, ChainRef, IntentStatus

from sep_core.chains.errors import WrongChain
from sep_core.execution import LaneKey, LaneState
from sep_core.portfolio import UNALLOCATED
from sep_core.runtime.installation import ChainPart, Installation
from sep_core.runtime.settings import Mode, Settings
from sep_core.runtime.world import World
from sep_core.telemetry.crashpoints import crossing

_ANOTHER_FOLDER = "name another data folder in [store] path"


def check_mode(world: World, settings: Settings) -> None:
    """One log holds paper money or a test chain's, never both. Raises `ConfigurationError`."""
    if world.runs and world.runs[0].mode != settings.mode:
        raise ConfigurationError(
            f'mode is "{settings.mode}", but the log in {settings.store.path} was begun in mode'
            f' "{world.runs[0].mode}" and its books hold that money; nothing was recorded or sent',
            pointer="mode",
            next_step=f'{_ANOTHER_FOLDER}, or set mode = "{world.runs[0].mode}" again',
        )


def check_accounts(world: World, settings: Settings, chains: Mapping[str, ChainRef]) -> None:
    """An account keeps its name, its address and its chain. Raises `ConfigurationError`."""
    for said in settings.accounts.values():
        key = LaneKey(chains[said.chain], said.address)
        lane = world.lanes.get(key)
        if lane is not None and lane.name != said.name:
            raise ConfigurationError(
                f"accounts.{said.name} is {said.address} on {key.chain}, which the log knows as account"
                f" {lane.name!r} and whose money it keeps under that name; nothing was recorded or sent",
                pointer=f"accounts.{said.name}",
                next_step=f"call the table accounts.{lane.name} again, or {_ANOTHER_FOLDER}",
            )
        known = world.lane_of_account.get(said.name)
        if known is not None and known != key:
            raise ConfigurationError(
                f"accounts.{said.name} is {said.address} on {key.chain}, but the log knows the account of that name"
                f" as {known.address} on {known.chain}; nothing was recorded or sent",
                pointer=f"accounts.{said.name}.address",
                next_step=f"give {said.address} a name of its own, or correct address and chain of the table",
            )


def check_order_accounts(world: World, settings: Settings) -> None:
    """An account stays where its money is, and its venue with what is open there. Raises `ConfigurationError`."""
    for key, lane in world.orders.items():
        if lane.open and key.account not in settings.order_accounts:
            names = ", ".join(entry.client_order_id for entry in lane.open[:3])
            raise ConfigurationError(
                f"[accounts] lacks {key.account!r} at order venue {key.venue!r}, where {len(lane.open)} orders are not"
                f" closed ({names}); nothing was recorded or sent",
                pointer="accounts",
                next_step=f"add the table accounts.{key.account} again until these are closed",
            )
    at = {key.account: key.venue for key in world.orders}
    for said in settings.order_accounts.values():
        if said.name in world.lane_of_account or at.get(said.name, said.venue) != said.venue:
            known = "an address on a chain" if said.name in world.lane_of_account else at[said.name]
            raise ConfigurationError(
                f"accounts.{said.name} is at order venue {said.venue!r}, but the log keeps the money of the account of"
                f" that name at {known}; nothing was recorded or sent",
                pointer=f"accounts.{said.name}.order_venue",
                next_step=f"give the account at {said.venue!r} a name of its own, or {_ANOTHER_FOLDER}",
            )
    for name in settings.accounts:
        if name in at:
            raise ConfigurationError(
                f"accounts.{name} is an address, but the log keeps the money of the account of that name at order"
                f" venue {at[name]!r}; nothing was recorded or sent",
                pointer=f"accounts.{name}",
                next_step=f"give the address a name of its own, or {_ANOTHER_FOLDER}",
            )


def booked_owners(world: World) -> dict[str, str]:
    """Which strategy the books hold each account's money for, by the account's name."""
    known = {*world.lane_of_account, *(key.account for key in world.orders)}
    return {one.account: one.strategy for one in world.ledger.holdings() if one.account in known}


def check_owners(world: World, settings: Settings) -> None:
    """What a strategy owns stays its own, whatever the tables are called now. Raises `ConfigurationError`."""
    for account, owner in booked_owners(world).items():
        users = [one.instance for one in settings.strategies.values() if one.account == account]
        if not users or owner == UNALLOCATED or owner in users:
            continue
        raise ConfigurationError(
            f"strategies.{users[0]} acts for account {account!r}, whose money the log keeps for strategy {owner!r};"
            " nothing was recorded or sent",
            pointer=f"strategies.{users[0]}.account",
            next_step=f"call the strategy {owner!r} again, give {users[0]!r} an account of its own, or"
            f" {_ANOTHER_FOLDER}",
        )


def must_be_followed(world: World, lane: LaneState) -> bool:
    """Whether something of a lane is open: a nonce that is not final, or a plan that may have been signed."""
    return bool(lane.unfinished) or any(
        state.status is IntentStatus.RISK_APPROVED and state.intent.account == lane.name
        for state in world.open_intents()
    )


async def check_chains(world: World, settings: Settings, installation: Installation) -> dict[ChainRef, str]:
    """Each chain is the one that the log tells of; answers their genesis hashes.

    Raises `ConfigurationError`, or what the chain's endpoints raise.
    """
    for key, lane in world.lanes.items():
        gone = settings.mode is Mode.TESTNET and installation.part_of(key.chain) is None
        if gone and must_be_followed(world, lane):
            open_nonces = ", ".join(str(entry.nonce) for entry in lane.unfinished) or "none"
            raise ConfigurationError(
                f"[chains] lacks {key.chain}, where account {lane.name!r} is not finished: open nonces"
                f" {open_nonces}; nothing was recorded or sent",
                pointer="chains",
                next_step=f"add the table of {key.chain} again until these are final",
            )
    found: dict[ChainRef, str] = {}
    for part in installation.chains.values():
        found[part.ref] = await crossing("start.genesis", part.access.genesis())
        known = world.genesis.get(part.ref, "")
        if known and found[part.ref] and known != found[part.ref]:
            raise _replaced(part, f"its block 0 is {found[part.ref]}, the log was begun on {known}")
        head = await crossing("start.genesis_head", part.access.head())
        for block, what in _landmarks(world, part.ref):
            await _check_final(part, head, block, what)
        for key, lane in world.lanes.items():
            # Where the account was opened may have left the chain since, but no chain grows shorter.
            if key.chain == part.ref and lane.opened.number > head.number:
                raise _replaced(
                    part,
                    f"its latest block is {head.number}, the log opened account {lane.name!r} at block"
                    f" {lane.opened.number}",
                )
    return found


def _landmarks(world: World, chain: ChainRef) -> list[tuple[BlockRef, str]]:
    """The latest blocks that the log has seen as final, and where it did."""
    blocks = [(world.finalized[chain], "an earlier start")] if chain in world.finalized else []
    for key, lane in world.lanes.items():
        final = [entry.block for entry in lane.entries.values() if entry.status.finished and entry.block]
        if key.chain == chain and final:
            blocks.append((max(final, key=lambda block: block.number), f"account {lane.name!r}"))
    return blocks


async def _check_final(part: ChainPart, head: Block, block: BlockRef, what: str) -> None:
    header = await crossing("start.landmark", part.access.reads.by_number(block.number))
    if header is not None and header.block.hash != block.hash:
        raise _replaced(
            part,
            f"its block {block.number} is {header.block.hash}, final for {what} was {block.hash}",
        )
    # A node may have dropped old blocks, and then names none; it can lack none that are before its head.
    if header is None and head.number < block.number:
        raise _replaced(
            part, f"its latest block is {head.number}, final for {what} was block {block.number} {block.hash}"
        )


def _replaced(part: ChainPart, evidence: str) -> WrongChain:
    return WrongChain(
        f"chains.{part.name} is not the chain that this log tells of, or its endpoint is far behind: {evidence};"
        " nothing was recorded or sent",
        pointer=f"chains.{part.name}",
        next_step="correct rpc of this chain, let its node catch up, or, where the chain began anew,"
        f" {_ANOTHER_FOLDER}",
    )
