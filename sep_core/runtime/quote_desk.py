"""Quotes of a running engine: on the states that it follows, off the event loop, a few at a time."""

from collections.abc import Mapping
from functools import partial

import anyio
from sep_hooks.errors import Retryable
from sep_hooks.types import Asset, AssetId, ChainRef, chain_of

from sep_core.markets.board import MarketBoard
from sep_core.markets.snapshot import Snapshot
from sep_core.runtime.asset_book import AssetBook
from sep_core.runtime.installation import ChainPart
from sep_core.runtime.quote_body import QuoteBody
from sep_core.runtime.quote_text import quote_text
from sep_core.runtime.quote_wish import QuoteRefused, Wish
from sep_core.runtime.quotes import quote
from sep_core.runtime.snapshots import ChainTerms, merged, terms_of

AT_ONCE = 2
MOST_WAITING = 16


class QuotesBusy(Retryable):
    """More quotes are asked for than the engine computes at a time."""

    code = "quotes_busy"


class QuoteDesk:
    """Answers quotes. What gas costs is asked for once a block."""

    def __init__(self) -> None:
        self._turns = anyio.CapacityLimiter(AT_ONCE)
        self._waiting = 0
        self._terms: dict[ChainRef, tuple[str, ChainTerms]] = {}

    async def answer(
        self,
        body: QuoteBody,
        board: MarketBoard,
        chains: Mapping[ChainRef, ChainPart],
        head_times: Mapping[ChainRef, int],
        book: AssetBook,
    ) -> bytes:
        """The JSON of a priced route (`QuoteView`). Raises `QuoteRefused`, `NoRoute`, `QuotesBusy`, or `Retryable`
        before the first block.
        """
        wish = body.wish()
        if self._waiting >= MOST_WAITING:
            raise QuotesBusy(
                f"{self._waiting} quotes wait already; nothing was recorded",
                next_step="ask again in a second",
            )
        # From here on it counts: what the loop does for it, and what it waits for.
        self._waiting += 1
        try:
            snapshots: dict[ChainRef, Snapshot] = {}
            terms: dict[ChainRef, ChainTerms] = {}
            for chain in self._chains(wish, board):
                snapshots[chain] = board.snapshot(chain, head_times.get(chain))
                terms[chain] = await self._terms_of(chain, chains[chain], snapshots[chain].block.hash)
            traded = {
                asset
                for one in snapshots.values()
                for market in one.markets.values()
                for asset in market.assets
            }
            assets = {asset: book.asset(asset) for asset in traded}
            work = partial(_text, snapshots, assets, terms, wish, with_snapshot=body.include_snapshot)
            return await anyio.to_thread.run_sync(work, limiter=self._turns)
        finally:
            self._waiting -= 1

    def _chains(self, wish: Wish, board: MarketBoard) -> list[ChainRef]:
        """The chains that the wish touches, each of which must have a venue."""
        named: list[tuple[AssetId, str]] = [
            *((asset, f"/spend/{place}/asset/chain_id") for place, (asset, _) in enumerate(wish.spends)),
            (wish.want, "/receive/asset/chain_id"),
        ]
        found: list[ChainRef] = []
        for asset, pointer in named:
            chain = chain_of(asset)
            if chain not in board.chains:
                raise QuoteRefused(f"no venue stands on {chain}", pointer)
            if chain not in found:
                found.append(chain)
        return found

    async def _terms_of(self, chain: ChainRef, part: ChainPart, block: str) -> ChainTerms:
        known = self._terms.get(chain)
        if known is None or known[0] != block:
            known = self._terms[chain] = block, await terms_of(part)
        return known[1]


def _text(
    snapshots: Mapping[ChainRef, Snapshot],
    assets: Mapping[AssetId, Asset],
    terms: Mapping[ChainRef, ChainTerms],
    wish: Wish,
    *,
    with_snapshot: bool,
) -> bytes:
    """All that takes long, for a thread of its own: the search, and the writing of what it found."""
    return quote_text(quote(merged(snapshots, assets, terms), wish, with_snapshot=with_snapshot))
