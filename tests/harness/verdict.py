"""Whether an engine lost or doubled anything: the chain's own blocks are asked, not the engine."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from sep_hooks.signer import PayloadKind
from sep_hooks.types import IntentId, IntentStatus, IntentType

from sep_core.adapters.store_sqlite.audit import verify_store
from sep_core.events.facts import TransactionFinal, TransactionSigned
from sep_core.events.reading import read_facts
from sep_core.intents import IntentState
from sep_core.runtime.desk import fold
from sep_core.runtime.flow.effects import MOST_REBALANCING_FILLS
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.state_digest import digests

from .bench import OWNER

type Ask = Callable[..., Any]
"""One JSON-RPC call: method and parameters in, the result out."""


FOLDS_MAX = 50


class Broken(AssertionError):
    """Something that must hold does not."""


def own_transactions(ask: Ask, owner: str = OWNER) -> dict[str, bool]:
    """The account's transactions in the canonical chain: hash, and whether it succeeded."""
    found: dict[str, bool] = {}
    for number in range(int(ask("eth_blockNumber"), 16) + 1):
        block = ask("eth_getBlockByNumber", hex(number), True)
        for one in block["transactions"]:
            if one["from"].lower() == owner:
                receipt = ask("eth_getTransactionReceipt", one["hash"])
                if one["hash"] in found:
                    raise Broken(f"{one['hash']} stands in the chain twice")
                found[one["hash"]] = receipt["status"] == "0x1"
    return found


def token_balance(ask: Ask, token: str, owner: str = OWNER) -> int:
    """What the account holds, by the token itself."""
    call = {"to": token, "data": "0x70a08231" + owner[2:].rjust(64, "0")}
    return int(ask("eth_call", call, "latest"), 16)


def check_accepted(kernel: Kernel, acknowledged: Collection[UUID]) -> None:
    """Every intent that was acknowledged is known, before anybody asks again."""
    known = {client_id for _, client_id in kernel.world.by_client}
    lost = set(acknowledged) - known
    if lost:
        raise Broken(f"lost: {lost}")


async def check_effects(
    kernel: Kernel, on_chain: Mapping[str, bool], foreign: Collection[str]
) -> Counter[str]:
    """One effect for each step of each settled intent, none for any other, nothing open, nothing held.

    `on_chain` are the account's transactions in the canonical chain, `foreign` those of them from before the engine.
    Answers how many intents ended how.
    """
    wanted: dict[str, str] = {}
    ended: Counter[str] = Counter()
    for state in kernel.world.intents.values():
        ended[state.status.value] += 1
        if not state.status.terminal:
            raise Broken(f"intent {state.id} is {state.status}: {stuck(kernel)}")
        fills = [fill.transaction_hash for fill in state.fills]
        if state.status is IntentStatus.SETTLED and state.mode != "paper" and not _whole(state):
            raise Broken(f"intent {state.id} is settled with fills {fills}")
        for fill in fills:
            if fill and fill in wanted:
                raise Broken(f"{fill} fills two intents")
            wanted[fill] = str(state.id)
    for lane in kernel.world.lanes.values():
        if lane.unfinished:
            raise Broken(f"open: {[(one.nonce, one.status.value, one.reasons) for one in lane.unfinished]}")
    signed, final, nonces = await _lanes_told(kernel)
    surplus = set(on_chain) - set(signed) - set(foreign)
    missing = set(final) - set(on_chain)
    if surplus or missing:
        raise Broken(f"only on chain: {surplus}, only in the log: {missing}")
    effects = {name: one for name, one in signed.items() if one.kind is not PayloadKind.CANCEL}
    steps = Counter((one.intent_id, one.step_id) for name, one in effects.items() if on_chain.get(name))
    twice = [one for one, count in (*nonces.items(), *steps.items()) if count > 1]
    if twice:
        raise Broken(f"doubled: {twice}")
    for name, one in signed.items():
        if on_chain.get(name) != final.get(name):
            raise Broken(f"nonce {one.nonce} ended {final.get(name)}, on chain it is {on_chain.get(name)}")
        state = kernel.world.intents.get(one.intent_id)
        if state is None or name not in effects or not on_chain.get(name) or not _swaps(one.step_id):
            continue
        if name not in {fill.transaction_hash for fill in state.fills}:
            raise Broken(f"intent {state.id} is {state.status}, its swap {name} took effect")
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


async def _lanes_told(
    kernel: Kernel,
) -> tuple[dict[str, TransactionSigned], dict[str, bool], Counter[tuple[str, int]]]:
    """All that was ever signed, what became final, and how many steps used each nonce, as the log has it: declared
    bumps and cancels are of the step that they replace.
    """
    signed: dict[str, TransactionSigned] = {}
    final: dict[str, bool] = {}
    nonces: Counter[tuple[str, int]] = Counter()
    owners: dict[tuple[str, int], tuple[IntentId, str]] = {}
    async for recorded, fact in read_facts(kernel.store):
        if isinstance(fact, TransactionSigned):
            signed[fact.hash] = fact
            place, step = (recorded.stream, fact.nonce), (fact.intent_id, fact.step_id)
            nonces[place] += fact.kind is PayloadKind.EFFECT or owners.get(place) != step
            owners[place] = step
        elif isinstance(fact, TransactionFinal):
            final[fact.hash] = fact.ok
    return signed, final, nonces


def _whole(state: IntentState) -> bool:
    """Whether all that was wanted is exchanged, and no more: one fill of a plan that leaves nothing, or several."""
    if state.slices is not None:
        return True  # its slices are looked at one by one
    if state.intent.type is IntentType.REBALANCE and len(state.fills) >= MOST_REBALANCING_FILLS:
        return True  # it stays short of its weights rather than trade for ever
    if state.plan is None or not state.filled:
        return False
    (part,) = state.intent.assets if len(state.intent.assets) == 1 else (None,)
    if part is None or part.amount is None:
        return True
    exact = state.spent if state.intent.type is IntentType.DISPOSE else state.received
    return exact == part.amount


def _swaps(step_id: str) -> bool:
    # Of earlier plans only the names of their steps are left.
    return step_id.endswith(("-swap", "-bundle", "-order"))


async def check_books(kernel: Kernel) -> None:
    """The ledger equals the chain at its final block, and all that is known is what the log folds to."""
    found = await kernel.mismatches()
    if found:
        raise Broken(f"books: {found}")
    await check_fold(kernel)


async def check_fold(kernel: Kernel) -> None:
    """The running state is what its log folds to, part for part."""
    for _ in range(FOLDS_MAX):
        position, live = kernel.world.position, digests(kernel.world)
        folded = await fold(kernel.store)
        if folded.position == position:
            wrong = [name for name, digest in digests(folded).items() if live[name] != digest]
            if wrong:
                raise Broken(f"at {position} the log folds to other {' and '.join(wrong)}")
            return
    raise Broken(f"the log grew {FOLDS_MAX} times while it was folded")


def check_log(data: Path) -> None:
    """The log verifies."""
    report = verify_store(data)
    if not report.ok:
        raise Broken(f"log: {report.first_bad}")
