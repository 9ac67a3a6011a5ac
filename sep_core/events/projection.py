"""Read models: folded from the log, thrown away at will, each event applied exactly once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from sep_hooks.store import CaughtUp, EventFilter, EventStore, LogReplaced, Recorded

MOST_EVENTS: Final = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a read model has come, in which log."""

    store_id: UUID
    pos: int


class ReadModel(Protocol):
    """What a projection keeps. It stores its progress together with what it folded: both or neither."""

    async def progress(self) -> Progress | None:
        """Where it stands; `None` when it is new."""
        ...

    async def apply(self, events: Sequence[Recorded], progress: Progress) -> None:
        """Folds events in and moves to `progress`, atomically."""
        ...


async def project(
    store: EventStore,
    model: ReadModel,
    *,
    filter: EventFilter | None = None,  # noqa: A002
    until: int | None = None,
) -> None:
    """Keeps a read model up to date until cancelled, or until it has reached position `until`.

    Raises `LogReplaced` when the model was built from another log, or from more of it than there is.
    """
    progress = await model.progress()
    await check_progress(store, progress)
    last = 0 if progress is None else progress.pos
    if until is not None and last >= until:
        return
    held: list[Recorded] = []
    async for item in store.subscribe(after=last, filter=filter):
        if isinstance(item, CaughtUp):
            reached = item.pos
        else:
            held.append(item)
            reached = item.pos
            if len(held) < MOST_EVENTS and reached != until:
                continue
        if held or reached > last:
            await model.apply(held, Progress(store.store_id, reached))
            held, last = [], reached
        if until is not None and last >= until:
            return


async def check_progress(store: EventStore, progress: Progress | None) -> None:
    """Raises `LogReplaced` when a read model cannot go on from where it stands."""
    if progress is None:
        return
    if progress.store_id != store.store_id:
        raise LogReplaced(
            f"this read model was built from log {progress.store_id}, the log here is {store.store_id}",
            next_step="delete the read model; it is built again from the log",
        )
    head = await store.head()
    if progress.pos > head.pos:
        raise LogReplaced(
            f"this read model has seen position {progress.pos}, the log ends at {head.pos}: it was restored",
            next_step="find out what was lost before anything is sent; then delete the read model",
        )
