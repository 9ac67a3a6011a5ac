"""`sep-signer` under engines: killed in the middle, its answers lost, its policy asked; the key is nowhere else."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from sep_hooks.errors import SignerRefused
from sep_hooks.signer import SignRequest
from sep_hooks.signer_wire import request_json
from sep_hooks.testing.signer import asked
from sep_hooks.types import SignedTransaction
from sep_native.sign import recover_transaction

from sep_core.adapters.signer_process import ProcessSigner, SignerGone

from ..harness.signer import KEY, OWNER, PASSWORD, SignerProcess, client, router_rules
from .identity_engine import Stage, settle, stage, submit, until
from .test_clock_jumps import SetClock

pytestmark = pytest.mark.anyio

LANES = 4


@pytest.fixture
def process(tmp_path: Path) -> Iterator[SignerProcess]:
    with SignerProcess(tmp_path / "signer") as one:
        yield one


async def test_kill_9_under_load_loses_and_doubles_nothing(process: SignerProcess) -> None:
    """Four lanes ask, each repeating what got no answer, as engines do; the signer dies three times meanwhile."""
    signer, answers = client(process), dict[int, SignedTransaction]()
    deaths = 0

    async def lane(first: int) -> None:
        for nonce in range(first, 60, LANES):
            while nonce not in answers:
                try:
                    answers[nonce] = await signer.sign(asked(nonce, str(nonce)))
                except SignerGone:
                    await anyio.sleep(0.01)

    with anyio.fail_after(120):
        async with anyio.create_task_group() as lanes:
            for first in range(LANES):
                lanes.start_soon(lane, first)
            while deaths < 3:
                begun = len(answers)
                await until(lambda begun=begun: len(answers) >= min(begun + 8, 60))  # type: ignore[misc]
                process.kill()
                deaths += 1
                await anyio.to_thread.run_sync(process.start)
    entries = await signer.list_signed()
    assert [one.request for one in entries] == [asked(nonce, str(nonce)) for nonce in range(60)]
    assert [one.signed for one in entries] == [answers[nonce] for nonce in range(60)]
    assert len({one.signed.hash for one in entries}) == 60


async def test_an_answer_that_was_lost_is_given_again(process: SignerProcess) -> None:
    body = {"do": "sign", "account": "main", "request": request_json(asked())}
    process.ask(json.dumps(body).encode() + b"\n", hang_up=True)
    signer = client(process)
    with anyio.fail_after(20):
        while not await signer.list_signed():  # noqa: ASYNC110 (no event tells of it)
            await anyio.sleep(0.01)
    (remembered,) = await signer.list_signed()
    assert await signer.sign(asked()) == remembered.signed
    with pytest.raises(SignerRefused, match="belongs to step 1"):
        await signer.sign(asked(step="2"))


async def test_who_hangs_up_or_sends_nonsense_disturbs_nobody(process: SignerProcess) -> None:
    for line in (b"", b"{", b"[]\n", b'{"do": "sign", "account": "main", "request": 1}\n', b"\xff\n"):
        process.ask(line, hang_up=True)
    assert process.ask(b"[]\n")["refused"]["reason"] == "malformed"
    assert (await client(process).sign(asked())).raw


def test_its_words_and_the_kill_switch_over_a_kill(process: SignerProcess, tmp_path: Path) -> None:
    assert '"kill_switch": null' in process.verb("status").stdout
    assert process.verb("kill-switch", "on", "--reason", "a drill").returncode == 0
    process.kill()
    gone = process.verb("status")
    assert gone.returncode == 1
    assert "no signer answers" in gone.stderr
    assert "Traceback" not in gone.stderr
    process.start()
    assert '"kill_switch": "a drill"' in process.verb("status").stdout
    answer = process.ask(
        json.dumps({"do": "sign", "account": "main", "request": request_json(asked())}).encode() + b"\n"
    )
    assert answer["refused"]["reason"] == "kill_switch"
    second = process.verb("run")
    assert second.returncode == 1
    assert "works at" in second.stderr
    assert process.verb("kill-switch", "off", "--reason", "over").returncode == 0
    assert '"refusals": {\n    "kill_switch": 1' in process.verb("status").stdout


@contextmanager
def outside(folder: Path) -> Iterator[tuple[Stage, SignerProcess]]:
    """Engines whose first account has its key in a process of its own, and nowhere else."""
    (folder / "engine").mkdir()
    with stage(folder / "engine", first_owner=OWNER) as one:
        (folder / "engine" / "key0.json").unlink()
        process = SignerProcess(folder / "signer", router_rules("first"))
        one.tables["accounts"]["first"]["signer"] = {"use": "process", "socket": str(process.socket)}
        with process:
            yield one, process


async def test_an_engine_trades_and_the_key_is_nowhere_near_it(tmp_path: Path) -> None:
    """A15: key and password stand in no file of the engine, in no event, and in nothing that it says."""
    with outside(tmp_path) as (one, _):
        async with one.engine() as kernel:
            await settle(kernel)
            signer = kernel.installation.signers["first"]
            entries = await signer.list_signed()
            with pytest.raises(SignerRefused, match="older than"):
                await signer.advance_epoch(kernel.store.store_id, kernel.store.epoch - 1)
            assert PASSWORD not in repr(kernel.installation)
        assert [entry.request.transaction.nonce for entry in entries] == list(range(one.nonce()))
        assert all(recover_transaction(entry.signed.raw).sender.lower() == OWNER for entry in entries)
        canaries = (KEY, KEY.hex().encode(), PASSWORD.encode())
        for path in (tmp_path / "engine").rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert not any(canary in content for canary in canaries), path


async def test_an_engine_waits_for_a_killed_signer_and_goes_on(tmp_path: Path) -> None:
    with outside(tmp_path) as (one, process):
        async with one.engine() as kernel:
            await settle(kernel)
            process.kill()
            (worker,) = [w for key, w in kernel.workers.items() if kernel.world.lanes[key].name == "first"]
            waiting = await submit(kernel)
            await until(lambda: "signer" in worker.blocked)
            await settle(kernel, "two")
            assert kernel.world.intents[waiting].status == "RISK_APPROVED"
            process.start()
            view = await kernel.wait_until_ended(waiting, 60.0)
            assert view.status == "SETTLED", view
            entries = await kernel.installation.signers["first"].list_signed()
        assert [entry.request.transaction.nonce for entry in entries] == list(range(one.nonce()))


async def test_the_kill_switch_ends_what_the_engine_asks_for(tmp_path: Path) -> None:
    with outside(tmp_path) as (one, process):
        async with one.engine() as kernel:
            await settle(kernel)
            signed = one.nonce()
            process.verb("kill-switch", "on", "--reason", "a drill")
            view = await kernel.wait_until_ended(await submit(kernel), 60.0)
            assert view.status in ("FAILED", "REJECTED"), view
            assert "kill switch is engaged (a drill)" in str(view)
            assert one.nonce() == signed


@pytest.mark.parametrize("late", [1, 2])
async def test_an_engine_that_was_paused_after_its_checks_checks_again(
    late: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its first signature, or half way through its plan: what was signed is kept, the rest is looked at anew."""
    with outside(tmp_path) as (one, process):
        async with one.engine() as kernel:
            sign, asked_for = ProcessSigner.sign, list[SignRequest]()

            async def paused(self: ProcessSigner, request: SignRequest) -> SignedTransaction:
                asked_for.append(request)
                if len(asked_for) == late:
                    assert request.checked_at is not None
                    request = replace(request, checked_at=request.checked_at - timedelta(minutes=2))
                return await sign(self, request)

            monkeypatch.setattr(ProcessSigner, "sign", paused)
            await settle(kernel)
            assert process.ask(b'{"do": "status"}\n')["ok"]["refusals"] == {"stale_check": 1}
            entries = await kernel.installation.signers["first"].list_signed()
            assert [entry.request.transaction.nonce for entry in entries] == list(range(one.nonce()))
            assert await kernel.mismatches() == []


async def test_clocks_that_are_apart_sign_nothing_and_say_so(tmp_path: Path) -> None:
    clock = SetClock()
    clock.ahead = -timedelta(hours=1)
    with outside(tmp_path) as (one, _):
        async with one.engine(clock=clock) as kernel:
            view = await kernel.wait_until_ended(await submit(kernel), 60.0)
            assert view.status == "REJECTED", view
            assert "it was checked at" in str(view.reason)
            assert one.nonce() == 0


ASKING = """
import os, socket, sys
os.setuid(int(sys.argv[3]))
with socket.socket(socket.AF_UNIX) as one:
    one.connect(sys.argv[1])
    one.sendall(sys.argv[2].encode() + b"\\n")
    print(one.makefile().readline())
"""
NOBODY = 65534


@pytest.mark.skipif(os.getuid() != 0, reason="only root can ask as another user")
def test_another_user_of_the_machine_is_known_by_the_kernels_word() -> None:
    """Even where the file system lets everybody in; what a request says of itself counts for nothing."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        with SignerProcess(Path(place) / "signer") as process:
            process.folder.chmod(0o755)
            process.socket.chmod(0o666)
            for body in (
                {"do": "sign", "account": "main", "request": request_json(asked())},
                {"do": "open", "account": "main", "uid": 0},
                {"do": "kill_switch", "engaged": False, "reason": "let me"},
                {"do": "status"},
            ):
                answers = [
                    json.loads(
                        subprocess.run(
                            [sys.executable, "-c", ASKING, str(process.socket), json.dumps(body), str(user)],
                            capture_output=True,
                            check=True,
                            text=True,
                        ).stdout
                    )
                    for user in (NOBODY, 0)
                ]
                assert answers[0]["refused"]["reason"] == "not_allowed", body
                assert f"user {NOBODY} is not in" in answers[0]["refused"]["message"]
                assert "ok" in answers[1], body
