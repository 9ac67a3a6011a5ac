"""What every verb owes its user: help, suggestions, JSON, exit codes, pipes that may close."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from sep_core.cli.failure import EXIT_CODES
from sep_core.cli.main import VERBS

from .command import SEP, environment, refused, sep

README = Path(__file__).parents[2] / "README.md"
_GROUPS = {
    "plugin": ("list", "info", "check"),
    "venue": ("list", "info", "disable", "enable"),
    "account": ("list", "release"),
    "breaker": ("list", "close"),
    "store": ("migrate", "copy", "restore", "rotate-key", "verify"),
}
WITH_JSON = [verb for verb in VERBS if verb not in _GROUPS] + [
    f"{group} {verb}" for group, verbs in _GROUPS.items() for verb in verbs
]


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with a little of everything."""
    folder = tmp_path_factory.mktemp("demo")
    assert sep("demo", "--quiet", cwd=folder).out == "ok\n"
    return folder / "sep-demo"


def test_help_names_every_verb_and_every_exit_code(tmp_path: Path) -> None:
    """Also without any word."""
    answer = sep(cwd=tmp_path)
    assert answer.code == 0
    assert answer == sep("--help", cwd=tmp_path) == sep("help", cwd=tmp_path)
    for verb in [*VERBS, "testnet"]:
        assert f"\n  {verb} " in answer.out
    for code, meaning in EXIT_CODES.items():
        assert f"{code} " in answer.out
        assert " ".join(meaning.split()[:3]) in answer.out
    codes = sep("help", "exit-codes", "--json", cwd=tmp_path).json
    assert codes == {str(code): meaning for code, meaning in EXIT_CODES.items()}
    table = README.read_text()
    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in table


@pytest.mark.parametrize("verb", WITH_JSON)
def test_every_verb_explains_itself_and_speaks_json(tmp_path: Path, verb: str) -> None:
    """Its help fits a terminal, and lists `--json`."""
    answer = sep(*verb.split(), "--help", cwd=tmp_path)
    assert answer.code == 0
    assert "--json" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 100


def test_a_word_that_is_no_verb_gets_a_suggestion(tmp_path: Path) -> None:
    """Options too; all are wrong command lines."""
    refused(sep("sbmit", cwd=tmp_path), 2, "'sbmit'", "did you mean 'submit'?", "sep --help")
    refused(sep("testne", cwd=tmp_path), 2, "did you mean 'testnet'?")
    refused(sep("status", "--jsn", cwd=tmp_path), 2, "--jsn", "sep status --help")
    refused(sep("submit", cwd=tmp_path), 2, "FILE", "sep submit --help")
    refused(sep("plugin", "lst", cwd=tmp_path), 2, "lst", "sep plugin --help")
    said = json.loads(sep("sbmit", "--json", cwd=tmp_path).err)
    assert said["exit_code"] == 2
    assert said["error"]["code"] == "usage"


@pytest.mark.parametrize(
    "words", [["events", "--limit", "500"], ["events", "--limit", "500", "--json"], ["status"]]
)
def test_a_reader_may_go_away(demonstrated: Path, words: list[str]) -> None:
    """As `sep events | head -1` does: no traceback, whoever was first."""
    with subprocess.Popen(
        [SEP, *words], cwd=demonstrated, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        said = process.stderr.read().decode()
        assert said == "", said
        assert process.wait(timeout=60) in (0, 141)


def test_reading_verbs_fit_a_terminal_and_agree_with_their_json(demonstrated: Path) -> None:
    """At most 100 columns of amounts with symbols; base units in JSON."""
    items = sep("status", "--json", cwd=demonstrated).json["intents"]["items"]
    assert {one["status"] for one in items} == {"SETTLED", "REJECTED"}
    for one in items:
        told = sep("explain", one["id"][:8], cwd=demonstrated)
        assert told.code == 0
        assert max(map(len, told.out.splitlines())) <= 100, told.out
        assert one["status"] in told.out
        assert "eip155:" not in told.out
    exact = sep("explain", items[0]["id"], "--json", cwd=demonstrated).json
    assert exact["plan"]["spends"]["amount"].isdigit()
    events = sep("events", "--limit", "500", "--json", cwd=demonstrated)
    positions = [json.loads(line)["position"] for line in events.out.splitlines()]
    assert positions == list(range(1, len(positions) + 1))
    last = sep("events", "--type", "IntentSettled", "--limit", "1", "--json", cwd=demonstrated).json
    assert last["type"] == "IntentSettled"
    assert sep("events", "--at", str(last["position"]), cwd=demonstrated).json == last
    refused(sep("events", "--at", "100000", cwd=demonstrated), 1, "position 100000")
    refused(sep("status", "--as-of", "yesterday", cwd=demonstrated), 2, "'yesterday'", "RFC 3339")
    early = sep("status", "--as-of", "10", "--json", cwd=demonstrated).json
    assert early["intents"]["items"] == []
    assert sep("reconcile", cwd=demonstrated).out == "nothing is in doubt\n"
    assert sep("verify", "--json", cwd=demonstrated).json["ok"]
    refused(sep("verify", "--key", "x", cwd=demonstrated), 2, "'x'", "--key")


def test_plugins_are_listed_described_and_checked(demonstrated: Path) -> None:
    """With and without a configuration."""
    rows = {
        row["name"]: row["status"]
        for row in sep("plugin", "list", "--json", cwd=demonstrated).json["plugins"]
    }
    assert rows["limits"] == "enabled"
    assert rows["ethereum"] == "disabled"
    assert rows["sqlite"] == "built in"
    assert sep("plugin", "list", cwd=demonstrated.parent).code == 0
    assert "sep_risk_limits" in sep("plugin", "info", "limits", cwd=demonstrated).out
    assert sep("plugin", "check", "sep-risk-limits", "--json", cwd=demonstrated).json["ok"]
    refused(sep("plugin", "info", "limit", cwd=demonstrated), 3, "'limit'", "did you mean 'limits'?")


def test_colours_at_a_terminal_only_and_not_where_they_are_not_wanted(demonstrated: Path) -> None:
    """`NO_COLOR` and pipes get plain text."""
    assert "\x1b[" not in sep("status", cwd=demonstrated).out
    assert b"\x1b[1m" in _at_a_terminal(demonstrated, {})
    assert b"\x1b[" not in _at_a_terminal(demonstrated, {"NO_COLOR": "1"})


def test_debug_shows_the_traceback_and_may_stand_anywhere(tmp_path: Path) -> None:
    """The only way to see one."""
    for words in (["--debug", "status"], ["status", "--debug"]):
        done = subprocess.run(
            [SEP, *words], cwd=tmp_path, capture_output=True, text=True, env=environment(), timeout=60
        )
        assert done.returncode == 3
        assert "Traceback" in done.stderr


def _at_a_terminal(folder: Path, more: dict[str, str]) -> bytes:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [SEP, "status"], cwd=folder, stdout=theirs, stderr=theirs, stdin=theirs, env=environment(more)
        ) as process:
            os.close(theirs)
            said = b""
            try:
                while chunk := os.read(ours, 65536):
                    said += chunk
            except OSError:
                pass  # Linux tells so that the other side has closed.
            assert process.wait(timeout=60) == 0
        return said
    finally:
        os.close(ours)


def test_the_module_is_the_command(tmp_path: Path) -> None:
    """The installed script and the entry point are one."""
    done = subprocess.run(
        [sys.executable, "-c", "from sep_core.cli.main import main; main(['--version'])"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
    )
    assert done.stdout == sep("--version", cwd=tmp_path).out
