"""Which words of a pool's tick bitmap to read, and what they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import Read, number, read_each
from sep_hooks.errors import VenueError
from sep_hooks.types import Address, BlockRef

MIN_TICK = -887272
MAX_TICK = 887272
WORD_BITS = 256
FIRST_REACH_TICKS = 13_864
"""A price four times as high or low."""
FIRST_REACH_WORDS = 12
WIDENING = 4


@dataclass(frozen=True, slots=True)
class Window:
    """Words `first` to `last` of the bitmap of a pool with this spacing."""

    spacing: int
    first: int
    last: int

    @property
    def loaded(self) -> tuple[int, int]:
        """The ticks that the words cover, inclusive and within the bounds of all ticks."""
        low = self.first * WORD_BITS * self.spacing
        high = (self.last + 1) * WORD_BITS * self.spacing - 1
        return max(low, MIN_TICK), min(high, MAX_TICK)

    @property
    def words(self) -> range:
        """The words' indices."""
        return range(self.first, self.last + 1)


def first_window(tick: int, spacing: int) -> Window:
    """The words around the price, about a factor of four to each side."""
    reach = min(-(-FIRST_REACH_TICKS // (WORD_BITS * spacing)), FIRST_REACH_WORDS)
    return _bounded(spacing, word_of(tick, spacing) - reach, word_of(tick, spacing) + reach)


def wider(window: Window, tick: int) -> Window:
    """Four times the reach on both sides of the price."""
    centre = word_of(tick, window.spacing)
    below = max(centre - window.first, 1) * WIDENING
    above = max(window.last - centre, 1) * WIDENING
    return _bounded(window.spacing, centre - below, centre + above)


def window_of(loaded: tuple[int, int], spacing: int) -> Window:
    """The window that covers a loaded range."""
    return Window(spacing, word_of(loaded[0], spacing), word_of(loaded[1], spacing))


def word_of(tick: int, spacing: int) -> int:
    """The word that a tick's bit stands in."""
    return tick // spacing // WORD_BITS


def _bounded(spacing: int, first: int, last: int) -> Window:
    return Window(spacing, max(first, word_of(MIN_TICK, spacing)), min(last, word_of(MAX_TICK, spacing)))


async def read_ticks(
    context: VenueContext, windows: Mapping[Address, Window], lens: Address | None, at: BlockRef
) -> Mapping[Address, tuple[tuple[int, int], ...]]:
    """The initialised ticks (tick, net liquidity) of each pool inside its window, ascending.

    A pool of which a part cannot be read is absent.
    """
    words = [(pool, word) for pool, window in windows.items() for word in window.words]
    ticks: dict[Address, list[tuple[int, int]]] = {pool: [] for pool in windows}
    if lens is not None:
        await _through_lens(context, words, lens, at, ticks)
    else:
        await _through_pools(context, words, windows, at, ticks)
    return {pool: tuple(sorted(entries)) for pool, entries in ticks.items()}


async def _through_lens(
    context: VenueContext,
    words: Sequence[tuple[Address, int]],
    lens: Address,
    at: BlockRef,
    ticks: dict[Address, list[tuple[int, int]]],
) -> None:
    reads = [
        Read(lens, "getPopulatedTicksInWord(address,int16)", (pool, word), "((int24,int128,uint128)[])")
        for pool, word in words
    ]
    for (pool, _), reading in zip(words, await read_each(context, reads, at), strict=True):
        if isinstance(reading, VenueError):
            ticks.pop(pool, None)
        elif pool in ticks:
            (populated,) = reading
            assert isinstance(populated, tuple)
            for entry in populated:
                assert isinstance(entry, tuple)
                ticks[pool].append((number(entry[0]), number(entry[1])))


async def _through_pools(
    context: VenueContext,
    words: Sequence[tuple[Address, int]],
    windows: Mapping[Address, Window],
    at: BlockRef,
    ticks: dict[Address, list[tuple[int, int]]],
) -> None:
    bitmaps = await read_each(
        context, [Read(pool, "tickBitmap(int16)", (word,), "(uint256)") for pool, word in words], at
    )
    places: list[tuple[Address, int]] = []
    for (pool, word), reading in zip(words, bitmaps, strict=True):
        if isinstance(reading, VenueError):
            ticks.pop(pool, None)
            continue
        bitmap = number(reading[0])
        places += [
            (pool, (word * WORD_BITS + bit) * windows[pool].spacing)
            for bit in range(WORD_BITS)
            if bitmap >> bit & 1
        ]
    returns = "(uint128,int128,uint256,uint256,int56,uint160,uint32,bool)"
    entries = await read_each(
        context, [Read(pool, "ticks(int24)", (tick,), returns) for pool, tick in places], at
    )
    for (pool, tick), reading in zip(places, entries, strict=True):
        if isinstance(reading, VenueError):
            ticks.pop(pool, None)
        elif pool in ticks:
            ticks[pool].append((tick, number(reading[1])))
