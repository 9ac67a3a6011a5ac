"""The command line as its user has it: the installed `sep`, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEP = str(Path(sys.executable).with_name("sep"))
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def sep(
    *words: str | Path,
    cwd: Path,
    given: str = "",
    environ: Mapping[str, str] | None = None,
    inside: Sequence[str | Path] = (),
) -> Answer:
    """Runs a command without a terminal, `inside` another one that ends in it. Nobody ever sees a traceback."""
    done = subprocess.run(
        [*map(str, inside), SEP, *map(str, words)],
        cwd=cwd,
        input=given,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=environment(environ),
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


def refused(answer: Answer, code: int, *words: str) -> None:
    """Holds a refusal to its form: exit code, words that name the place, the next step, nothing on standard output."""
    assert answer.code == code, answer
    for word in words:
        assert word in answer.err, answer.err
    assert answer.err.startswith("sep: "), answer.err
    assert "\nnext: " in answer.err, answer.err
    assert "mistake of SEP's own" not in answer.err
    assert answer.out == ""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what would lead a command elsewhere."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SEP_")}
    return {**clean, **(more or {})}


@dataclass(slots=True)
class Running:
    """A command that runs on: `said` is the first line that was waited for."""

    process: "subprocess.Popen[str]"
    said: str
    lines: list[str]

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> int:
        """Asks for the end and gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        return self.process.wait(timeout=SECONDS)


@contextmanager
def running(
    words: Sequence[str | Path], cwd: Path, until: str, *, program: Sequence[str | Path] = (SEP,)
) -> Iterator[Running]:
    """Runs a command until the context ends; waits for a line that has `until` in it."""
    process = subprocess.Popen(
        [*map(str, program), *map(str, words)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        start_new_session=True,
    )
    lines: list[str] = []
    found = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            for line in stream:
                lines.append(line)
                if until in line:
                    found.set()
        found.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert found.wait(SECONDS), lines
        said = next((line for line in lines if until in line), None)
        assert said is not None, "".join(lines)
        yield Running(process, said, lines)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join()


def edited(config: Path, *changes: tuple[str, str]) -> Path:
    """A configuration with texts replaced; each must be there."""
    text = config.read_text()
    for old, new in changes:
        assert old in text, f"{old!r} is not in {config}"
        text = text.replace(old, new, 1)
    config.write_text(text)
    return config
