"""The edge of an intent: every body becomes a submission or a refusal, at a cost that its size bounds."""

import json
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sep_core.runtime.submission import RequestRefused, Submission, parse_submission

BODY = {
    "id": "a3a2e9a8-1b3c-4d5e-8f6a-7b8c9d0e1f2a",
    "strategy_id": "c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d",
    "type": "ACQUIRE",
    "assets": [
        {
            "asset": {
                "symbol": "WETH",
                "address": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
                "decimals": 18,
                "chain_id": 1,
            },
            "amount": "100",
        }
    ],
    "constraints": {"max_slippage": 0.005, "time_window_ms": 60000, "execution_style": "ADAPTIVE"},
}
TEXT = json.dumps(BODY)
MOST_CPU_SECONDS = 0.5


def parsed(text: str) -> Submission:
    began = time.process_time()
    try:
        return parse_submission(text.encode())
    finally:
        assert time.process_time() - began < MOST_CPU_SECONDS


def refused(text: str) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        parsed(text)
    json.dumps([one.message for one in caught.value.problems], ensure_ascii=False).encode()
    assert all(len(one.message) < 400 for one in caught.value.problems)
    return caught.value


@pytest.mark.parametrize(
    "number",
    [
        "1e300000000",
        "1e-300000000",
        "1e999999999999999999",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "0e999999999",
        "0e-999999999",
        "-1e300000000",
        "0." + "3" * 60_000,
        "1" + "0" * 60_000 + ".0",
        "1e" + "9" * 60_000,
        '"1e300000000"',
        '"1e-300000000"',
        '"1e99999999999999999999"',
        '"-0"',
        '"NaN"',
        '"sNaN"',
        '"Infinity"',
        '"٠.٠٠٥"',
        '" 0.005"',
        '"0_1"',
        '"' + "0" * 60_000 + '"',
        '"\\ud800"',
        "true",
        "null",
        "[]",
    ],
)
def test_a_number_that_is_no_ratio_is_refused_at_once(number: str) -> None:
    error = refused(TEXT.replace("0.005", number))
    assert error.problems[0].pointer in ("/constraints/max_slippage", "")


@pytest.mark.parametrize("member", ["time_window_ms", "chain_id", "decimals"])
def test_a_number_with_a_vast_exponent_is_no_integer(member: str) -> None:
    for number in ("1e300000000", "1e99999999999999999999", "1e0"):
        error = refused(TEXT.replace(f'"{member}": ', f'"{member}": {number}, "was": '))
        assert error.kind == "malformed" or any(one.pointer.endswith(member) for one in error.problems)


@pytest.mark.parametrize(
    ("number", "meant"),
    [
        ("0.005", "0.005"),
        ("5e-3", "0.005"),
        ("1E0", "1"),
        ("1", "1"),
        ("-0.0", "0.0"),
        ("1e9", "1000000000"),
        ('"0.005"', "0.005"),
        ('"0.' + "1" * 30 + '"', "0." + "1" * 30),
    ],
)
def test_a_ratio_is_taken_exactly_in_either_spelling(number: str, meant: str) -> None:
    ratio = parsed(TEXT.replace("0.005", number)).constraints.max_slippage
    assert ratio == Decimal(meant)
    assert format(ratio, "f") == str(ratio) == meant


def with_deadline(value: str) -> str:
    return f'{TEXT[:-1]}, "deadline": {value}}}'


@pytest.mark.parametrize(
    "value",
    [
        '"9999-12-31T23:59:59-23:00"',
        '"0001-01-01T00:00:00+23:00"',
        "1999999999",
        "1999999999.5",
        "99999999999999999999999",
        "1e400",
        '"1999999999"',
        '"1999999999.5"',
        '"2030-01-01"',
        '"2030-01-01T00:00:00"',
        '"2030-01-01T24:00:01Z"',
        '"2030-02-30T00:00:00Z"',
        '"2030-01-01T00:00:00+25:00"',
        '"2030-W01-1T00:00:00Z"',
        '"٢٠٣٠-01-01T00:00:00Z"',
        '"' + "2" * 60_000 + '"',
        '"\\ud800"',
        "true",
        "[]",
    ],
)
def test_a_deadline_that_is_no_moment_is_refused(value: str) -> None:
    problem = refused(with_deadline(value)).problems[0]
    assert problem.pointer == "/deadline"
    assert problem.code == "invalid"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2030-01-01T00:00:00Z", datetime(2030, 1, 1, tzinfo=UTC)),
        ("2030-01-01t00:00:00z", datetime(2030, 1, 1, tzinfo=UTC)),
        ("2030-01-01T02:30:00.25+02:30", datetime(2030, 1, 1, microsecond=250_000, tzinfo=UTC)),
        ("2030-01-01T00:00:00.123456789Z", datetime(2030, 1, 1, microsecond=123_456, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_a_deadline_is_kept_in_utc(text: str, meant: datetime) -> None:
    deadline = parsed(with_deadline(json.dumps(text))).deadline
    assert deadline == meant
    assert deadline is not None
    assert deadline.tzinfo is UTC


def test_many_mistakes_are_told_in_few_words() -> None:
    crowd = "{" + ",".join(f'"{number}":1' for number in range(250)) + "},"
    error = refused(TEXT.replace('"assets": [', '"assets": [' + crowd * 30))
    assert len(error.problems) == 65
    assert error.problems[-1].code == "more_problems"
    long = refused(TEXT.replace('"type"', '"' + "~/" * 30_000 + '"'))
    assert all(len(one.pointer) < 200 for one in long.problems)
