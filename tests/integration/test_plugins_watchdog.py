"""Plugins that block the thread or end the process: real processes, killed for real, and the start after them."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from sep_hooks.capabilities import PluginKind

from sep_core.events.facts.plugin import PluginActivated, PluginFaulted, PluginQuarantined, PluginReleased
from sep_core.plugins.holding import Holding
from sep_core.plugins.notes import read_notes, remove_notes
from sep_core.plugins.quarantine import Quarantine, StartFindings, evolve, start_findings
from sep_core.plugins.reference import PluginRef
from sep_core.plugins.watchdog import EXIT_CODE

ENGINE = """
import asyncio, ctypes, os, signal, sys, time
from pathlib import Path
from sep_core.plugins.guard import Guard
from sep_core.plugins.holding import Holding
from sep_core.plugins.reference import PluginRef
from sep_core.plugins.tripwire import tripwire
from sep_core.plugins.watchdog import Watchdog
from sep_core.telemetry.crashpoints import armed, crash_point
from sep_hooks.capabilities import PluginKind

folder = Path(sys.argv[1])
holding = Holding(folder / "holding")
guard = Guard(lambda plugin, fact: None, holding=holding)
plugin = PluginRef(PluginKind.VENUE, "acme", "uni", "acme-venue", "1.0", "digest")

async def step():
    await asyncio.sleep(0)
    return 1

def kernel_port():
    # Stands for code of the kernel that a plugin calls: its frames belong to sep_core.
    code = compile("def port(): crash_point('port')", "port", "exec")
    space = {"__name__": "sep_core.chains.rpc", "crash_point": crash_point}
    exec(code, space)
    return space["port"]

BODY

async def main():
    with tripwire(holding), Watchdog(holding, folder / "quarantine", limit_seconds=LIMIT):
        assert await guard.call(plugin, "states", step, timeout_seconds=5) == 1
        print("serving", flush=True)
        await guard.attempt(plugin, "apply", misbehave, timeout_seconds=60)
        print("survived", flush=True)

asyncio.run(main())
holding.close()
"""

PLUGIN = PluginRef(PluginKind.VENUE, "acme", "uni", "acme-venue", "1.0", "digest")


def engine(folder: Path, body: str, *, limit_seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
    """Runs an engine whose plugin misbehaves as `body` says, to its end."""
    script = ENGINE.replace("BODY", body).replace("LIMIT", str(limit_seconds))
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=60, check=False
    )


def start(folder: Path, state: Quarantine) -> tuple[StartFindings, Quarantine]:
    """What the next start finds, and the state after its facts are recorded."""
    holding = Holding(folder / "holding")
    findings = start_findings(state, holding.death, folder / "quarantine")
    holding.close()
    for _, fact in findings.facts:
        state = evolve(state, fact)
    remove_notes(findings.notes)
    return findings, state


def kinds(findings: StartFindings) -> Sequence[type]:
    return [type(fact) for _, fact in findings.facts]


def test_a_plugin_that_blocks_the_loop_is_named_and_quarantined(tmp_path: Path) -> None:
    done = engine(tmp_path, "async def misbehave():\n    while True: pass", limit_seconds=0.5)
    assert done.returncode == EXIT_CODE
    assert "survived" not in done.stdout
    assert "venue uni (acme) held the event loop" in done.stderr
    assert "Traceback" not in done.stderr
    ((_, note),) = read_notes(tmp_path / "quarantine")
    assert note.plugin == PLUGIN
    assert note.call == "apply"
    assert any("misbehave" in line for line in note.where)
    findings, state = start(tmp_path, Quarantine())
    assert kinds(findings) == [PluginFaulted, PluginQuarantined]
    assert "held the event loop" in state.reason(PLUGIN)
    again, state = start(tmp_path, state)
    assert again.facts == ()
    assert state.reason(PLUGIN)


def test_the_watchdog_sees_a_plugin_that_sleeps_in_the_thread(tmp_path: Path) -> None:
    done = engine(tmp_path, "async def misbehave(): time.sleep(30)", limit_seconds=0.5)
    assert done.returncode == EXIT_CODE


def test_a_plugin_that_only_awaits_for_long_is_left_alone(tmp_path: Path) -> None:
    done = engine(tmp_path, "async def misbehave(): await asyncio.sleep(1.5)", limit_seconds=0.3)
    assert done.returncode == 0
    assert "survived" in done.stdout
    findings, _ = start(tmp_path, Quarantine())
    assert findings.facts == ()


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("async def misbehave(): os._exit(0)", "os._exit(0)"),
        ("async def misbehave():\n    await asyncio.sleep(0)\n    os._exit(9)", "os._exit(9)"),
        ("async def misbehave(): os.abort()", "os.abort()"),
        ("async def misbehave(): os.kill(os.getpid(), signal.SIGKILL)", "os.kill("),
        ("async def misbehave(): signal.raise_signal(signal.SIGKILL)", "signal.raise_signal"),
    ],
)
def test_a_plugin_that_ends_the_process_is_named_and_quarantined(tmp_path: Path, body: str, how: str) -> None:
    done = engine(tmp_path, body)
    assert "survived" not in done.stdout
    findings, state = start(tmp_path, Quarantine())
    assert kinds(findings) == [PluginFaulted, PluginQuarantined]
    assert how in state.reason(PLUGIN)


def test_an_end_that_nobody_saw_is_a_strike_and_the_third_in_a_row_quarantines(tmp_path: Path) -> None:
    crash = "async def misbehave(): ctypes.string_at(0)"
    state = Quarantine()
    for strike in (1, 2, 3):
        assert engine(tmp_path, crash).returncode == -signal.SIGSEGV
        findings, state = start(tmp_path, state)
        fault = findings.facts[0][1]
        assert isinstance(fault, PluginFaulted)
        assert (fault.fault, fault.strike) == ("ended_the_process", strike)
        assert bool(state.reason(PLUGIN)) is (strike == 3)
        if strike < 3:
            state = evolve(state, activation())


def test_an_orderly_run_between_ends_starts_the_count_afresh(tmp_path: Path) -> None:
    crash = "async def misbehave(): ctypes.string_at(0)"
    state, strikes = Quarantine(), []
    for body in (crash, crash, "async def misbehave(): return 1", crash):
        engine(tmp_path, body)
        findings, state = start(tmp_path, state)
        state = evolve(state, activation())
        strikes.append([fact.strike for _, fact in findings.facts if isinstance(fact, PluginFaulted)])
    assert strikes == [[1], [2], [], [1]]


def test_a_crash_point_of_the_kernel_inside_a_call_is_not_blamed_on_the_plugin(tmp_path: Path) -> None:
    body = (
        "port = kernel_port()\n"
        "async def misbehave():\n"
        "    with armed(lambda name: os._exit(137)):\n"
        "        port()\n"
    )
    assert engine(tmp_path, body).returncode == 137
    findings, state = start(tmp_path, Quarantine())
    assert kinds(findings) == [PluginFaulted]
    assert state.reason(PLUGIN) == ""


def test_a_kill_while_the_plugin_waits_blames_nobody(tmp_path: Path) -> None:
    script = ENGINE.replace("BODY", "async def misbehave(): await asyncio.sleep(60)").replace("LIMIT", "30")
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "serving\n"
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
            os.sched_yield()
        process.kill()
        process.wait(timeout=10)
    findings, _ = start(tmp_path, Quarantine())
    assert findings.facts == ()


def test_a_stopped_and_continued_process_is_not_taken_for_a_blocked_one(tmp_path: Path) -> None:
    body = "async def misbehave():\n    print('in', flush=True)\n    input()\n    return 1"
    script = ENGINE.replace("BODY", body).replace("LIMIT", "1.0")
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        while process.stdout.readline() != "in\n":
            pass
        process.send_signal(signal.SIGSTOP)
        threading.Event().wait(1.5)  # the passing of time is what is tested: longer than the watchdog's limit
        process.stdin.write("go on\n")
        process.stdin.flush()
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "survived" in out


def test_another_boot_of_the_machine_makes_the_slot_void(tmp_path: Path) -> None:
    engine(tmp_path, "async def misbehave(): os._exit(0)")
    slot = tmp_path / "holding"
    data = bytearray(slot.read_bytes())
    data[4096:4100] = b"gone"
    slot.write_bytes(data)
    assert Holding(slot).death is None


@pytest.mark.parametrize("garbage", [b"", b"\x01", b"\x01\xff\xff\xff\xff" + b"x" * 9000, b"\x02" * 8192])
def test_a_damaged_slot_stops_no_start(tmp_path: Path, garbage: bytes) -> None:
    slot = tmp_path / "holding"
    Holding(slot).close()
    identity = slot.read_bytes()[4096:4136]
    slot.write_bytes((garbage.ljust(4096, b"\0")[:4096] + identity).ljust(8192, b"\0"))
    assert Holding(slot).death is None


def test_quarantine_ends_with_another_version_or_configuration_or_a_release() -> None:
    fact = PluginQuarantined(
        "venue", "acme", "uni", "acme-venue", "1.0", "digest", "quarantined", "held the event loop"
    )
    state = evolve(Quarantine(), fact)
    assert state.reason(PLUGIN)
    newer = PluginRef(PluginKind.VENUE, "acme", "uni", "acme-venue", "1.1", "digest")
    other = PluginRef(PluginKind.VENUE, "acme", "uni", "acme-venue", "1.0", "other")
    elsewhere = PluginRef(PluginKind.VENUE, "acme", "second", "acme-venue", "1.0", "digest")
    assert not state.reason(newer)
    assert not state.reason(other)
    assert not state.reason(elsewhere)
    assert not evolve(state, PluginReleased("venue", "acme", "uni", "operator")).reason(PLUGIN)


def test_an_open_circuit_does_not_outlive_the_run() -> None:
    fact = PluginQuarantined(
        "venue", "acme", "uni", "acme-venue", "1.0", "digest", "circuit_open", "3 faults"
    )
    assert evolve(Quarantine(), fact) == Quarantine()


def activation() -> PluginActivated:
    return PluginActivated(
        "venue", "acme", "uni", "acme-venue", "1.0", None, True, ">=0.1", (), (), "digest"
    )  # fmt: skip
