"""`sep demo`: the main job, offline, with a kill in the middle, ending with proof."""

import importlib.metadata
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import click
from sep_hooks.errors import Permanent

from sep_core.cli.failure import EXIT_NEGATIVE, EXIT_OK
from sep_core.cli.options import json_option
from sep_core.cli.output import emit_json

if TYPE_CHECKING:
    from sep_core.cli.demo_stage import Stage

ACT_SECONDS = 60.0

type Tell = Callable[[str], None]


class ActFailed(Permanent):
    """An act of the demonstration ended otherwise than it should."""

    code = "demo_failed"


@click.command()
@click.option(
    "--folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    default="sep-demo",
    show_default=True,
    help="Where to keep its data; where it exists, the first free FOLDER-N.",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 2**32),
    default=7,
    show_default=True,
    help="What the simulated chain begins with.",
)
@json_option
@click.option("--quiet", is_flag=True, help="Print the outcome alone.")
def demo(folder: Path, seed: int, as_json: bool, quiet: bool) -> int:
    """See the main job work: a real engine on a simulated chain, killed and restarted, in about ten seconds.

    No network, no keys of yours, nothing to configure. It trades, refuses what is too large, dies right after a
    transaction has left, comes back, and holds its log against the chain. Exit code 1 where anything is lost,
    doubled or unproven.
    """
    from sep_core.cli.demo_stage import build, free_folder

    tell: Tell = (lambda _: None) if as_json or quiet else click.echo
    began = time.monotonic()
    version = importlib.metadata.version("sep-core")
    tell(f"SEP {version}  demo  seed {seed}   simulated chain, 1 venue, no network, no keys of yours")
    with _interruptible():
        stage = build(free_folder(folder), seed)
        try:
            outcome = _play(stage, tell)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            stage.stop()
    outcome |= {"folder": str(stage.folder), "seconds": round(time.monotonic() - began, 1)}
    if as_json:
        emit_json(outcome)
    elif quiet:
        click.echo("ok" if outcome["ok"] else "FAILED")
    else:
        _conclude(outcome, stage, tell)
    return EXIT_OK if outcome["ok"] else EXIT_NEGATIVE


@contextmanager
def _interruptible() -> Iterator[None]:
    """Whatever asks for the end leads over `finally`, so that nothing is left running."""

    def interrupted(*_: object) -> Never:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.signal(number, interrupted) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _play(stage: "Stage", tell: Tell) -> dict[str, Any]:
    # Imported while the chain starts: the engines are forked from here.
    import_module("sep_core.cli.demo_engine")
    stage.wait()
    said = [*_act(stage, "settle", tell)]
    drill = [*_act(stage, "drill", tell, killed=True)]
    rest = [*_act(stage, "recover", tell)]
    intents = [one["intent"] for one in said + rest if one["what"] == "intent"]
    audits = [one for one in said + rest if one["what"] == "books"]
    mismatches = [bad for one in audits for bad in one["mismatches"]]
    lost = audits[-1]["open_intents"] + audits[-1]["unfinished"]
    doubled = audits[-1]["beyond_the_log"]
    verified = _verified(stage)
    settled = [one for one in intents if one["status"] == "SETTLED"]
    rejected = [one for one in intents if one["status"] == "REJECTED"]
    after_kill = next((one["intent"] for one in rest if one["what"] == "intent"), {"status": "?"})
    return {
        "ok": verified["ok"]
        and not (mismatches or lost or doubled)
        and bool(rejected)
        and after_kill["status"] == "SETTLED",
        "lost": lost,
        "doubled": doubled,
        "settled": len(settled),
        "rejected": len(rejected),
        "killed_at": next((one["point"] for one in drill if one["what"] == "killed"), None),
        "after_kill": after_kill["status"],
        "books_differ": mismatches,
        "verified": verified,
        "intents": intents,
    }


def _act(stage: "Stage", act: str, tell: Tell, *, killed: bool = False) -> Iterator[dict[str, Any]]:
    """What an engine tells. Each has a process of its own, forked where that saves it the imports."""
    import multiprocessing

    from sep_core.cli.demo_engine import play

    fork = "fork" in multiprocessing.get_all_start_methods()
    processes = multiprocessing.get_context("fork") if fork else multiprocessing.get_context("spawn")
    listener, teller = processes.Pipe(duplex=False)
    engine = processes.Process(target=play, args=(stage.config, act, teller), daemon=True)
    engine.start()
    teller.close()
    try:
        while listener.poll(ACT_SECONDS):
            one = listener.recv()
            _tell(one, tell)
            yield one
    except EOFError:
        engine.join(ACT_SECONDS)
    finally:
        listener.close()
        if engine.exitcode is None:
            engine.kill()
            engine.join()
    if engine.exitcode != (-signal.SIGKILL if killed else 0):
        raise ActFailed(
            f"the engine ended with {engine.exitcode} in act {act!r}",
            next_step=f"see {stage.folder / 'engine.err'} and {stage.folder / 'engine.log'}",
        )


def _verified(stage: "Stage") -> dict[str, Any]:
    from sep_core.adapters.store_sqlite import verify_store

    report = verify_store(stage.folder / "sep-data")
    return {"ok": report.ok, "events": report.positions, "checkpoints": report.checkpoints}


def _tell(one: dict[str, Any], tell: Tell) -> None:
    match one["what"]:
        case "intent":
            _tell_intent(one, tell)
        case "killed":
            tell(
                "  crash drill     SIGKILL right after a transaction left the engine, before the log says so"
            )
        case "restarted":
            tell(f"    restarted     the log says {one['status']}; the same bytes go out again, no new ones")


def _tell_intent(one: dict[str, Any], tell: Tell) -> None:
    from sep_core.runtime.asset_book import decimal_text

    intent, plan = one["intent"], one["plan"]
    part = intent["assets"][0]
    amount = (
        decimal_text(int(part["amount"]), part["asset"]["decimals"]) if part["amount"] else part["percentage"]
    )
    head = f"  intent {intent['id'][:8]}  {intent['type']} {_short(amount)} {part['asset']['symbol']}"
    if intent["status"] != "SETTLED":
        tell(f"{head:<44}  {intent['status']}, nothing sent")
        tell(f"    why           {one['why'] or intent['code']}")
        return
    tell(f"{head:<44}  strategy {intent['strategy']}")
    route = " -> ".join(leg["market"].split("/")[-1][:10] for step in plan["steps"] for leg in step["legs"])
    slippage = float(plan["slippage"]) * 10_000
    tell(f"    plan          {route}   est {slippage:.1f} bps   best of {plan['markets']} markets")
    passed, total = one["verdicts"]
    nonces = ",".join(str(step["nonce"]) for step in plan["steps"])
    tell(f"    risk          {passed}/{total} checks   nonces {nonces} durable before sending")
    spent, received = intent["fills"][0]["spent"], intent["fills"][0]["received"]
    tell(f"    settled       {_text(spent)} for {_text(received)}   {one['milliseconds']} ms")


def _text(amount: dict[str, Any]) -> str:
    number, _, symbol = amount["text"].partition(" ")
    return f"{_short(number)} {symbol}"


def _short(number: str) -> str:
    whole, point, rest = number.partition(".")
    return f"{whole}{point}{rest[:6]}"


def _conclude(outcome: dict[str, Any], stage: "Stage", tell: Tell) -> None:
    verified = outcome["verified"]
    books = "BOOKS DIFFER FROM THE CHAIN" if outcome["books_differ"] else "books equal the chain"
    state = "verified" if verified["ok"] else "BROKEN"
    tell(
        f"  {outcome['settled']} settled, {outcome['rejected']} rejected, {outcome['lost']} lost,"
        f" {outcome['doubled']} doubled   {books}   {outcome['seconds']} s"
    )
    tell(f"  {verified['events']} events, {verified['checkpoints']} signed checkpoints, log {state}")
    tell(f"  kept in {stage.folder}")
    tell(f"  next  sep explain {outcome['intents'][-1]['id'][:8]} --config {stage.config}")
    tell("        sep init mybot && cd mybot && sep check && sep run")
