"""Holds the books against the chain, both at one moment."""

import anyio

from sep_core.execution import LaneKey, LaneState
from sep_core.portfolio import Mismatch, check_books
from sep_core.runtime.desk import Desk
from sep_core.runtime.installation import ChainPart

MOST_LOOKS = 60
BETWEEN_LOOKS_SECONDS = 0.1


async def compare_lane(desk: Desk, part: ChainPart, key: LaneKey) -> tuple[Mismatch, ...]:
    """Where an account's books differ from its balances at the final block (I7).

    Finality moves on while one looks, so a look counts only if the books had taken in exactly what that block holds;
    where that does not come about within some seconds, the last look counts, and its differences are real or nearly so.
    """
    found: tuple[Mismatch, ...] = ()
    for look in range(MOST_LOOKS):
        lane, version = desk.world.lanes[key], desk.world.ledger.version(desk.world.lanes[key].name)
        final = await part.access.final_block()
        nonce = await part.access.nonce(key.address, final.ref)
        wanted = {one.asset for one in desk.world.ledger.holdings() if one.account == lane.name}
        balances = await part.access.balances(key.address, sorted(wanted), final.ref)
        found = check_books(
            desk.world.ledger, {(lane.name, asset): amount for asset, amount in balances.items()}
        )
        settled = _settled(desk.world.lanes[key], nonce)
        if not found or (settled and version == desk.world.ledger.version(lane.name)):
            return found
        if look < MOST_LOOKS - 1:
            await anyio.sleep(BETWEEN_LOOKS_SECONDS)
    return found


def _settled(lane: LaneState, nonce_at_final: int) -> bool:
    """Whether the lane has finished exactly the nonces that the final block holds."""
    behind = any(one.nonce < nonce_at_final for one in lane.unfinished)
    ahead = any(one.status.finished and one.nonce >= nonce_at_final for one in lane.entries.values())
    return not behind and not ahead
