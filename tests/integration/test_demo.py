"""`sep demo`: offline, short, proven, and gone without a trace but its folder."""

import json
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .command import SEP, environment, sep

WORDS = ("REJECTED", "SIGKILL", "same bytes", "0 lost, 0 doubled", "books equal the chain", "log verified")
SECONDS = 10.0


def test_the_demonstration_is_short_and_names_the_next_step(tmp_path: Path) -> None:
    """Ten seconds of one core at most, 40 lines of 100 columns, and what it says to type next works."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = sep("demo", cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert answer.code == 0, answer
    assert answer.err == ""
    lines = answer.out.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    for word in WORDS:
        assert word in answer.out
    # Waiting is bounded by blocks of 60 ms; the rest is work, measured free of what else the machine does.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime <= SECONDS
    following = next(line for line in lines if line.startswith("  next  sep ")).split()[2:]
    told = sep(*following, cwd=tmp_path)
    assert told.code == 0
    assert "Settled" in told.out
    assert sep("verify", "sep-demo/sep-data", cwd=tmp_path).code == 0


def test_it_is_the_same_with_the_network_cut(tmp_path: Path) -> None:
    """A17: in a namespace without any interface, loopback down."""
    inside = ["unshare", "-rn"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no network namespace is allowed here")
    answer = sep("demo", "--json", cwd=tmp_path, inside=inside)
    assert answer.code == 0, answer
    assert answer.json["ok"]
    assert answer.json["after_kill"] == "SETTLED"


def test_twice_uses_another_folder_and_json_says_everything(tmp_path: Path) -> None:
    """Nothing of an earlier one is touched."""
    first, second = (sep("demo", "--json", cwd=tmp_path).json for _ in range(2))
    assert [first["folder"], second["folder"]] == ["sep-demo", "sep-demo-2"]
    for outcome in (first, second):
        assert outcome["ok"]
        assert (outcome["lost"], outcome["doubled"], outcome["rejected"]) == (0, 0, 1)
        assert outcome["settled"] >= 3
        assert outcome["books_differ"] == []
        assert outcome["verified"]["ok"]
        assert outcome["killed_at"] == "execution.send.broadcast.after"


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_process(tmp_path: Path, with_signal: signal.Signals) -> None:
    """Neither the engine nor the chain, nor the chain's socket."""
    process = subprocess.Popen(
        [SEP, "demo"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment({"TMPDIR": str(_short_folder(tmp_path))}),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stdout as said:
        while "settled" not in said.readline():
            assert process.poll() is None
        family = _descendants(process.pid)
        assert len(family) >= 2
        process.send_signal(with_signal)
        assert process.wait(timeout=30) == 130
        assert process.stderr.read().strip() == "interrupted"
    deadline = time.monotonic() + 10
    while alive := [one for one in family if Path(f"/proc/{one}").exists()]:
        assert time.monotonic() < deadline, alive
    assert not list(_short_folder(tmp_path).iterdir())


def test_what_a_demonstration_cannot_do_is_said(tmp_path: Path) -> None:
    """A folder that cannot be made, a seed that is none."""
    (tmp_path / "file").write_text("")
    answer = sep("demo", "--folder", "file/inside", "--json", cwd=tmp_path)
    assert answer.code == 4
    assert "file" in json.loads(answer.err)["error"]["message"]
    assert sep("demo", "--seed", "x", cwd=tmp_path).code == 2


def _short_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "t"
    folder.mkdir(exist_ok=True)
    return folder


def _descendants(process_id: int) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == process_id:
                found += [int(entry.name), *_descendants(int(entry.name))]
    return found
