"""Whether an engine lost or doubled anything: the chain's own blocks are asked, not the engine."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from uuid import UUID

from sep_hooks.types import IntentStatus, StepKind
from sep_native.sim import SimChain

from sep_core.adapters.store_sqlite.audit import verify_store
from sep_core.execution import EntryStatus
from sep_core.intents import IntentState
from sep_core.runtime.kernel import Kernel

from .bench import DATA, OWNER, TOKENS
from .scenario import ask


class Broken(AssertionError):
    """Something that must hold does not."""


def own_transactions(chain: SimChain) -> dict[str, bool]:
    """The account's transactions in the canonical chain: hash, and whether it succeeded."""
    found: dict[str, bool] = {}
    for number in range(int(ask(chain, "eth_blockNumber"), 16) + 1):
        block = ask(chain, "eth_getBlockByNumber", hex(number), True)
        for one in block["transactions"]:
            if one["from"].lower() == OWNER:
                receipt = ask(chain, "eth_getTransactionReceipt", one["hash"])
                if one["hash"] in found:
                    raise Broken(f"{one['hash']} stands in the chain twice")
                found[one["hash"]] = receipt["status"] == "0x1"
    return found


def token_balance(chain: SimChain, symbol: str, owner: str = OWNER) -> int:
    """What the account holds, by the token itself."""
    call = {"to": TOKENS[symbol]["address"], "data": "0x70a08231" + owner[2:].rjust(64, "0")}
    return int(ask(chain, "eth_call", call, "latest"), 16)


def check_accepted(kernel: Kernel, acknowledged: Collection[UUID]) -> None:
    """Every intent that was acknowledged is known, before anybody asks again."""
    known = {client_id for _, client_id in kernel.world.by_client}
    lost = set(acknowledged) - known
    if lost:
        raise Broken(f"lost: {lost}")


def check_effects(kernel: Kernel, chain: SimChain, foreign: Collection[str]) -> Counter[str]:
    """One effect for each step of each settled intent, none for any other, nothing open, nothing held.

    `foreign` are the account's transactions from before the engine. Answers how many intents ended how.
    """
    wanted: dict[str, str] = {}
    ended: Counter[str] = Counter()
    for state in kernel.world.intents.values():
        ended[state.status.value] += 1
        if not state.status.terminal:
            raise Broken(f"intent {state.id} is {state.status}: {stuck(kernel)}")
        fills = [fill.transaction_hash for fill in state.fills]
        swaps = [step for step in (state.plan.steps if state.plan else ()) if step.kind is StepKind.SWAP]
        if state.status is IntentStatus.SETTLED and state.mode != "paper" and len(fills) != len(swaps):
            raise Broken(f"intent {state.id} is settled with fills {fills}")
        for fill in fills:
            if fill and fill in wanted:
                raise Broken(f"{fill} fills two intents")
            wanted[fill] = str(state.id)
    on_chain = own_transactions(chain)
    for lane in kernel.world.lanes.values():
        if lane.unfinished:
            raise Broken(f"open: {[(one.nonce, one.status.value, one.reasons) for one in lane.unfinished]}")
        entries = list(lane.entries.values())
        signed = {one.hash: one for one in entries}
        if len(signed) != len(entries):
            raise Broken("two nonces carry one transaction")
        surplus = set(on_chain) - set(signed) - set(foreign)
        missing = {one.hash for one in entries if one.status is not EntryStatus.CONSUMED} - set(on_chain)
        if surplus or missing:
            raise Broken(f"only on chain: {surplus}, only in the log: {missing}")
        steps = Counter((one.intent_id, one.step_id) for one in entries if on_chain.get(one.hash))
        if any(count > 1 for count in steps.values()):
            raise Broken(f"doubled: {steps}")
        for one in entries:
            state = kernel.world.intents.get(one.intent_id) if one.intent_id is not None else None
            took_effect = on_chain.get(one.hash) and state is not None and _swaps(state, one.step_id)
            if took_effect and state is not None and state.status is not IntentStatus.SETTLED:
                raise Broken(f"intent {state.id} is {state.status}, its swap {one.hash} took effect")
            if on_chain.get(one.hash) is not (one.status is EntryStatus.FINAL):
                raise Broken(f"nonce {one.nonce} is {one.status}, on chain it is {on_chain.get(one.hash)}")
    if kernel.world.book.holds:
        raise Broken(f"held for ever: {kernel.world.book.holds}")
    return ended


def stuck(kernel: Kernel) -> str:
    """Why something may not have ended, for people."""
    lanes = [
        (lane.frozen, [(one.nonce, one.step_id, one.status.value, one.reasons) for one in lane.unfinished])
        for lane in kernel.world.lanes.values()
    ]
    blocked = [worker.blocked for worker in kernel.workers.values()]
    waiting = [kernel.plans.why_waiting(one) for one in kernel.world.intents]
    return f"lanes {lanes}, workers {blocked}, plans {waiting}"


def _swaps(state: IntentState, step_id: str) -> bool:
    steps = state.plan.steps if state.plan is not None else ()
    return any(step.id == step_id and step.kind is StepKind.SWAP for step in steps)


async def check_books(kernel: Kernel) -> None:
    """The ledger equals the chain at its final block."""
    found = await kernel.mismatches()
    if found:
        raise Broken(f"books: {found}")


def check_log(folder: Path) -> None:
    """The log verifies."""
    report = verify_store(folder / DATA)
    if not report.ok:
        raise Broken(f"log: {report.first_bad}")
