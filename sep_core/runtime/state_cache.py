"""What a log folds to, kept on this machine's disk so that a start need not fold all of it: a cache, never the truth.

A file is sealed under the vault's key, made for one log, one position and one release of the sources that fold;
whatever does not open or fit is passed over. That its events are those of the log is seen when the rest is read behind
it: the tree over both must have the root that the log's key signed.
"""

import hashlib
import io
import pickle
import sys
import zlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import anyio
import anyio.lowlevel
import anyio.to_thread
import sep_hooks
from sep_hooks.store import LogBroken, StoreUnavailable

import sep_core
from sep_core.adapters.data_folder import write_durably
from sep_core.events.log_store import LogStore
from sep_core.events.native import Tree
from sep_core.events.vault import CannotOpen
from sep_core.portfolio import Ledger
from sep_core.runtime.desk import fold, without_collections
from sep_core.runtime.world import World

KEPT: Final = 2
"""How many states are kept: the last one, and the one before it in case it does not open."""

_PIECE: Final = 256
_FORMAT: Final = "sep-state-1"
_OURS: Final = ("sep_core.", "sep_hooks.")
_PLAIN: Final = frozenset(
    {
        ("builtins", "frozenset"),
        ("builtins", "set"),
        ("datetime", "datetime"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("uuid", "UUID"),
    }
)

type _Piece = tuple[str, str, dict[Any, Any] | object]
"""The field of the world, the part of it where it has parts, and what it holds: of a dictionary, some of its items."""


class StateCache:
    """The kept states of one log in a data folder."""

    def __init__(self, data: Path, store: LogStore) -> None:
        self._folder = data / "state"
        self._store = store
        self.begun_at = 0
        """The position of the state that the last fold went on from, 0 where none fitted."""

    async def fold(self, as_of: int | datetime | None = None) -> World:
        """The world as the log tells it, from the newest kept state that fits. Raises `LogBroken`."""
        self.begun_at = 0
        for path in self._fitting(as_of):
            with without_collections():
                found = await anyio.to_thread.run_sync(self._read, path)  # sep-ok: reads
            if found is None:
                continue
            state, tree = found
            begun_at = state.position
            try:
                world = await fold(self._store, as_of=as_of, start=state, tree=tree)  # sep-ok: reads
            except LogBroken:
                continue  # of another log, or the log itself is broken: then reading all of it says so
            self.begun_at = begun_at
            return world
        return await fold(self._store, as_of=as_of)  # sep-ok: reads

    def positions(self) -> frozenset[int]:
        """Where states are kept; whether they open is not known yet."""
        return frozenset(position for position, _ in self._files())

    def at(self, position: int) -> World | None:
        """The state that is kept of a position; None where none is that opens and fits."""
        found = self._read(self._path(position))
        return None if found is None else found[0]

    async def keep(self, world: World) -> None:
        """Keeps a state that the log is known to fold to; `world` must not change meanwhile. It yields often, so that
        other work goes on beside it. Raises `OSError` where the disk does not take it.
        """
        tree = await self._store.tree(world.position)  # sep-ok: reads
        written = io.BytesIO()
        _dump(written, (_FORMAT, str(self._store.store_id), _sources(), world.position, tree.peaks))
        for piece in _pieces(world):
            _dump(written, piece)
            await anyio.lowlevel.checkpoint()  # sep-ok: lets others work
        plain = written.getbuffer()
        await anyio.to_thread.run_sync(self._write, world.position, plain)  # sep-ok: a cache

    def _write(self, position: int, plain: memoryview) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        sealed = self._store.vault().seal(zlib.compress(plain, 1))
        write_durably(self._path(position), sealed.encode(), mode=0o600)
        # What is further on than the log now is of another history of it.
        mine = sorted((one for one in self._files() if one[0] <= position), reverse=True)[:KEPT]
        for one in self._files():
            if one not in mine:
                one[1].unlink(missing_ok=True)

    def _read(self, path: Path) -> tuple[World, Tree] | None:
        try:
            plain = io.BytesIO(zlib.decompress(self._store.vault().open(path.read_text())))
            kind, store_id, sources, position, peaks = _load(plain)
            said = kind, store_id, sources, position
            if said != (_FORMAT, str(self._store.store_id), _sources(), int(path.name)):
                return None
            return _world_of(plain), Tree(position, peaks)
        except (OSError, CannotOpen, StoreUnavailable, ValueError, zlib.error, pickle.UnpicklingError):
            return None

    def _path(self, position: int) -> Path:
        return self._folder / f"{position:020d}"

    def _fitting(self, as_of: int | datetime | None) -> list[Path]:
        if isinstance(as_of, datetime):
            return []
        files = sorted(self._files(), reverse=True)
        return [path for position, path in files if as_of is None or position <= as_of]

    def _files(self) -> Iterator[tuple[int, Path]]:
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name.isdigit():
                    yield int(path.name), path


def _pieces(world: World) -> Iterator[_Piece]:
    for name in World.__dataclass_fields__:
        value = getattr(world, name)
        if isinstance(value, Ledger):
            for part, book in value.contents().items():
                yield from _items(name, part, book)
        elif isinstance(value, dict):
            yield from _items(name, "", value)
        else:
            yield name, "", value


def _items(name: str, part: str, whole: dict[Any, Any]) -> Iterator[_Piece]:
    items = iter(whole.items())
    yield name, part, dict(islice(items, _PIECE))
    while piece := dict(islice(items, _PIECE)):
        yield name, part, piece


def _world_of(plain: io.BytesIO) -> World:
    found: dict[str, Any] = {}
    ledger: dict[str, dict[Any, Any]] = {}
    while plain.tell() < len(plain.getbuffer()):
        name, part, value = _load(plain)
        if part:
            ledger.setdefault(part, {}).update(value)
        elif isinstance(value, dict):
            found.setdefault(name, {}).update(value)
        else:
            found[name] = value
    return World(**found, ledger=Ledger.of_contents(ledger))


class _Reducers(dict[type, Any]):
    """How values are taken apart. A data class is made again by its own constructor, which costs a third of what
    `dataclasses` does for it.
    """

    def __missing__(self, kind: type) -> Any:
        if not is_dataclass(kind) or not all(one.init and not one.kw_only for one in fields(kind)):
            raise KeyError(kind)
        values = attrgetter(*(one.name for one in fields(kind)), "__class__")
        self[kind] = reduce = lambda one: (kind, values(one)[:-1])
        return reduce


class _Pickler(pickle.Pickler):
    """Knows what states are made of."""

    dispatch_table = _Reducers({MappingProxyType: lambda view: (_view, (dict(view),))})


class _Unpickler(pickle.Unpickler):
    """Makes what states are made of, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if not module.startswith(_OURS) and (module, name) not in _PLAIN:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a state")
        return super().find_class(module, name)


def _view(whole: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(whole)


def _dump(file: io.BytesIO, value: object) -> None:
    _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(value)


def _load(file: io.BytesIO) -> Any:
    return _Unpickler(file).load()


@lru_cache(maxsize=1)
def _sources() -> str:
    """What this release folds with, to the last byte: a state that other sources made is none of ours."""
    whole = hashlib.sha256(sys.version.encode())
    for package in (sep_core, sep_hooks):
        root = Path(package.__file__ or "").parent
        for path in sorted(root.rglob("*.py")):
            whole.update(path.relative_to(root).as_posix().encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()
