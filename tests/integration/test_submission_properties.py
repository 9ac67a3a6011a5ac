"""Whatever a body says: a submission or a refusal, at bounded cost; and what is taken survives the log exactly."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sep_hooks.types import Intent, IntentDraft

from sep_core.events.codec import encode
from sep_core.events.facts import IntentReceived
from sep_core.events.registry import decode_fact, encode_fact, fact_type
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.draft import draft_mistake
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.settings import settings_of
from sep_core.runtime.start import running_kernel
from sep_core.runtime.submission import RequestRefused, Submission, parse_submission

from .api_engine import GENESIS, STRATEGY, TOKENS, intent, tables

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Raw(str):
    """Text of JSON that stands as it is."""

    __slots__ = ()


digits = st.text("0123456789", min_size=1, max_size=90)
numbers = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    digits,
    st.one_of(st.just(""), digits.map(".{}".format)),
    st.one_of(
        st.just(""),
        st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), digits),
    ),
).map(Raw)
tokens = st.one_of(
    numbers,
    st.sampled_from(
        [
            *(
                "NaN",
                "-Infinity",
                "null",
                "true",
                "[]",
                "{}",
                "[[]]",
                "1e300000000",
                "1e-99999999999999999999",
                "00",
            ),
            *(
                '"\\ud800"',
                '"\\u0000"',
                '"\\udfff\\ud800"',
                '"',
                "'x'",
                '"2030-01-01T00:00:00+23:59"',
                '"0x' + "0" * 40 + '"',
            ),
        ]
    ).map(Raw),
    st.text(max_size=100),
    st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    st.uuids().map(str),
    st.integers(min_value=0, max_value=2**256).map(str),
)
trees = st.recursive(
    tokens,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=9), inner, max_size=5)
    ),
    max_leaves=20,
)
NAMES = [
    *("id", "strategy_id", "type", "assets", "asset", "address", "chain_id", "symbol", "decimals", "amount"),
    *("percentage", "constraints", "max_slippage", "time_window_ms", "execution_style", "venues", "chains"),
    *("max_fee", "deadline"),
]


def written(value: object) -> str:
    """JSON, save that raw parts stand as they are."""
    match value:
        case Raw():
            return str.__str__(value)
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{written(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ",".join(map(written, value)) + "]"
        case _:
            return json.dumps(value)


def put(value: object, steps: list[int], name: str, piece: object) -> object:
    """The value with a piece in place of, or beside, something within it."""
    if isinstance(value, dict) and value:
        keys = list(value)
        step = steps[0] % (len(keys) + 1) if steps else len(keys)
        if step == len(keys):
            return {**value, name: piece}
        return {**value, keys[step]: put(value[keys[step]], steps[1:], name, piece)}
    if isinstance(value, list) and value and steps:
        step = steps[0] % len(value)
        return [*value[:step], put(value[step], steps[1:], name, piece), *value[step + 1 :]]
    return piece


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A body that is taken, with some of it changed; cut or spoilt at times."""
    value: object = intent()
    for _ in range(draw(st.integers(0, 3))):
        steps = draw(st.lists(st.integers(0, 8), min_size=1, max_size=4))
        value = put(value, steps, draw(st.sampled_from(NAMES)), draw(trees))
    body = written(value).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(body)))
        body = body[:place] + draw(st.binary(max_size=4)) + body[place + draw(st.integers(0, 4)) :]
    return body


def parsed(body: bytes) -> Submission | None:
    """What the edge makes of it; None where it refuses, in words that can be sent."""
    try:
        return parse_submission(body)
    except RequestRefused as refused:
        check_refusal(refused)
        return None


def check_refusal(refused: RequestRefused) -> None:
    assert refused.problems
    for one in refused.problems:
        assert one.code
        assert one.message
        (one.pointer + one.message).encode()
        assert len(one.message) < 2_000


def check_round_trip(said: Intent) -> None:
    received = IntentReceived(said, "api", "", NOW)
    body = encode(encode_fact(received))
    again = decode_fact(*fact_type(received), body)
    assert again == received
    assert encode(encode_fact(again)) == body
    draft = IntentDraft(said.type, said.assets, said.constraints, said.deadline)
    assert draft_mistake(draft) == ""


@pytest.fixture
async def kernel(tmp_path: Path) -> AsyncIterator[Kernel]:
    """An engine in paper mode."""
    async with running_kernel(
        settings_of(tables(), source="test", folder=tmp_path), {}, SystemClock()
    ) as running:
        yield running


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=300), trees.map(written).map(str.encode), bodies()))
def test_any_body_is_a_submission_or_a_refusal(body: bytes) -> None:
    parsed(body)


@settings(max_examples=12, deadline=None)
@given(trees, st.sampled_from(NAMES), st.lists(st.integers(0, 8), max_size=4))
def test_a_body_of_the_largest_size_is_read_or_refused(piece: object, name: str, steps: list[int]) -> None:
    text = written(piece)
    for crowd in (
        [Raw(text)] * max(1, 60_000 // (len(text) + 1)),
        {str(n): Raw(text) for n in range(60_000 // (len(text) + 9))},
    ):
        parsed(written(put(intent(), steps, name, crowd)).encode("utf-8", "surrogatepass"))


async def test_what_is_taken_survives_the_log_exactly(kernel: Kernel) -> None:
    taken = 0

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.one_of(bodies(), near()))
    def check(body: bytes) -> None:
        nonlocal taken
        submission = parsed(body)
        if submission is None:
            return
        try:
            said = kernel.intake.intent(submission, kernel.world, NOW)
        except RequestRefused as refused:
            check_refusal(refused)
            return
        taken += 1
        check_round_trip(said)

    check()
    assert taken > 50


@st.composite
def near(draw: st.DrawFn) -> bytes:
    """A body that is most likely taken, in any of its spellings."""
    symbol = draw(st.sampled_from(sorted(set(TOKENS) - {"USDC"})))
    address = TOKENS[symbol]["address"]
    digits = address[2:]
    leg: dict[str, Any] = {
        "asset": {
            "address": "0x" + draw(st.sampled_from([digits.lower(), digits.upper()])),
            "chain_id": GENESIS["chain_id"],
        }
    }
    share = draw(st.decimals("0.000001", "1", places=30, allow_nan=False))
    if draw(st.booleans()):
        leg["percentage"] = draw(
            st.sampled_from([Raw(format(share, "f")), Raw(str(share)), format(share, "f")])
        )
    else:
        leg["amount"] = str(draw(st.integers(1, 2**256 - 1)))
    slippage = draw(st.decimals("0.001", "0.1", places=draw(st.integers(3, 30)), allow_nan=False))
    constraints: dict[str, Any] = {
        "max_slippage": Raw(str(slippage)),
        "time_window_ms": draw(st.integers(60_000, 3_600_000)),
        "execution_style": draw(st.sampled_from(["IMMEDIATE", "ADAPTIVE"])),
    }
    if draw(st.booleans()):
        constraints |= {
            "venues": ["amm"],
            "chains": draw(st.sampled_from([["sim"], [f"eip155:{GENESIS['chain_id']}"]])),
            "assets": draw(
                st.sampled_from([[symbol, "USDC"], [f"eip155:{GENESIS['chain_id']}/erc20:{address}"]])
            ),
            "max_fee": str(draw(st.integers(0, 2**256 - 1))),
        }
    body: dict[str, Any] = {
        "id": str(uuid4()),
        "strategy_id": STRATEGY.upper(),
        "type": draw(st.sampled_from(["ACQUIRE", "DISPOSE"])),
        "assets": [leg],
        "constraints": constraints,
    }
    if draw(st.booleans()):
        seconds = draw(st.integers(86_400, 250_000_000_000))
        zone = timezone(timedelta(minutes=draw(st.integers(-1439, 1439))))
        moment = NOW + timedelta(seconds=seconds, microseconds=draw(st.integers(0, 999_999)))
        body["deadline"] = moment.astimezone(zone).isoformat()
    return written(body).encode()
