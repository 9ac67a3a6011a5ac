"""A batch planned in native code is the one that the appender plans by itself."""

from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.errors import SepError
from sep_hooks.store import (
    AnyVersion,
    AppendResult,
    Exact,
    Exists,
    Expected,
    NewEvent,
    NoStream,
    StreamCondition,
    StreamWrite,
    WrongExpectedVersion,
)

from sep_core.events.appender import LogHead, Sequencer, StreamHead, draft_append
from sep_core.events.native import DraftedAppend, Tree
from sep_core.events.signing import LogKey

STORE = UUID("11111111-2222-4333-8444-555555555555")
STREAMS = {"a": StreamHead(0, None), "b": StreamHead(3, b"b" * 32), "c": StreamHead(1, b"c" * 32)}

EXPECTED: st.SearchStrategy[Expected] = st.one_of(
    st.just(AnyVersion()), st.just(NoStream()), st.just(Exists()), st.integers(0, 5).map(Exact)
)
APPEND = st.tuples(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(STREAMS)), EXPECTED, st.lists(st.integers(0, 400), min_size=1, max_size=3)
        ),
        min_size=1,
        max_size=2,
        unique_by=lambda write: write[0],
    ),
    st.booleans(),
)


def sequencer(size: int) -> Sequencer:
    """An appender behind some hundreds of events."""
    tree = Tree()
    tree.extend(b"l" * 32 * size)
    result = Sequencer(
        LogHead(STORE, 2, size, tree.peaks, 50), b"l" * 32 * (size % 256), LogKey(STORE, bytes(32))
    )
    result.learn(STREAMS)
    return result


def drafted(appends: Sequence[tuple[list[tuple[str, Expected, list[int]]], bool]]) -> list[DraftedAppend]:
    """Appends of small events, each id at most once in each."""
    result = []
    for writes, conditional in appends:
        if len({n for _, _, ids in writes for n in ids}) != sum(len(ids) for _, _, ids in writes):
            continue
        conditions = [StreamCondition("d", NoStream())] if conditional else []
        result.append(
            draft_append(
                [
                    StreamWrite(stream, expected, [NewEvent(UUID(int=n), "t", 1, {"n": n}) for n in ids])
                    for stream, expected, ids in writes
                ],
                conditions,
                store=str(STORE).encode(),
                epoch=2,
            )
        )
    return result


@given(st.lists(APPEND, max_size=6), st.sampled_from([0, 1, 255, 256, 300]))
def test_native_and_slow_plans_are_one(
    appends: list[tuple[list[tuple[str, Expected, list[int]]], bool]], size: int
) -> None:
    queue = drafted(appends)
    fast, slow = sequencer(size), sequencer(size)
    for planner in (fast, slow):
        planner.learn({"d": StreamHead(0, None)})
    planned = fast.plan(queue, now=70, known=None)
    expected = slow._plan_slowly(queue, 70, None)
    if expected is None or planned is None:
        assert planned is expected
        return
    assert [shape(outcome) for outcome in planned.outcomes] == [shape(item) for item in expected.outcomes]
    assert (planned.checkpoint, planned.after) == (expected.checkpoint, expected.after)
    if planned.placed is None or expected.placed is None:
        assert planned.placed is expected.placed
        return
    for name in ("events", "heads", "subtrees", "tail", "root", "note", "recorded_at"):
        assert getattr(planned.placed, name) == getattr(expected.placed, name)
    assert planned.placed.tree.peaks == expected.placed.tree.peaks


def shape(outcome: AppendResult | SepError) -> object:
    """What can be compared of an answer."""
    if isinstance(outcome, WrongExpectedVersion):
        return outcome.stream, outcome.expected, outcome.actual
    return outcome if isinstance(outcome, AppendResult) else str(outcome)
