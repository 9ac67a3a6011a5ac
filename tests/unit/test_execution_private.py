"""What an attack could earn by goes through its relay alone: held, dropped or leaked, it is one effect or none."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
from sep_hooks.errors import RpcUnavailable
from sep_hooks.relay import PrivateTransaction
from sep_hooks.signer import PayloadKind
from sep_hooks.types import (
    Amount,
    AnswerKind,
    AssetId,
    BroadcastAnswer,
    ChainUpdate,
    FeeSuggestion,
    Plan,
    SandwichBound,
    erc20,
)

from sep_core.events.codec import encode
from sep_core.events.facts import TransactionLeaked, TransactionPublished, TransactionSigned
from sep_core.events.registry import decode_fact, encode_fact, fact_type
from sep_core.execution import EntryStatus, reconcile, sending
from sep_core.execution.doubt import DoubtReason
from sep_core.execution.lane import NonceEntry
from sep_core.execution.privacy import attack_pays
from sep_core.telemetry.crashpoints import armed

from .test_execution_worker import (
    FIRST_NONCE,
    PAID,
    WANTED,
    Crash,
    Durable,
    ListDesk,
    SmallChain,
    check,
    go_on,
    make_plan,
    nothing_leaves_undurable,
    open_world,
    start,
)

pytestmark = pytest.mark.anyio

GWEI = 10**9
WRAPPED = "0x" + "cc" * 20
FEES = FeeSuggestion(10 * GWEI, 12 * GWEI, 30 * GWEI, GWEI)
SWAP_NONCE = FIRST_NONCE + 1


@dataclass
class Relay:
    """A relay and the builder behind it. It holds what it is given, and `build` puts it before the next block."""

    durable: Durable
    name: str = "dark"
    most_blocks: int = 3
    accepts: bool = True
    works: bool = True
    held: dict[str, PrivateTransaction] = field(default_factory=dict)
    given: list[PrivateTransaction] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    forgets: bool = True

    async def send(self, transaction: PrivateTransaction) -> BroadcastAnswer:
        assert transaction.hash in self.durable.hashes(), "I2: bytes left before their event"
        self.given.append(transaction)
        if not self.accepts:
            return BroadcastAnswer(self.name, AnswerKind.AMBIGUOUS, "no answer")
        self.held[transaction.hash] = transaction
        return BroadcastAnswer(self.name, AnswerKind.ACCEPTED, "")

    async def withdraw(self, transaction_hash: str) -> None:
        self.withdrawn.append(transaction_hash)
        if not self.forgets:
            raise RpcUnavailable("the relay does not answer")
        self.held.pop(transaction_hash, None)

    def build(self, _: int, chain: SmallChain) -> ChainUpdate | None:
        """What is held for the next block joins it unseen; nobody looks between this and the block."""
        number = chain.tip.number + 1
        for one in self.held.values() if self.works else ():
            nonce = next(
                entry.request.transaction.nonce
                for entries in self.durable.signer.entries.values()
                for entry in entries
                if entry.signed.hash == one.hash
            )
            if one.next_block <= number <= one.last_block and nonce >= chain.count(chain.tip.number):
                chain.pool[nonce] = (one.hash, one.raw)
        return None


def swap_hashes(durable: Durable) -> set[str]:
    """What was ever signed at the swap's nonce, cancels aside."""
    return {
        one.hash
        for one in durable.told()
        if isinstance(one, TransactionSigned) and one.nonce == SWAP_NONCE and one.kind != PayloadKind.CANCEL
    }


def entry_of(desk: ListDesk, nonce: int = SWAP_NONCE) -> NonceEntry:
    lane = desk.lane()
    assert lane is not None
    return lane.entries[nonce]


async def test_the_exchange_goes_through_the_relay_alone_and_allowances_do_not() -> None:
    durable = await open_world("a")
    relay = Relay(durable)
    worker, desk = start(durable, relay=relay)
    await go_on(durable, worker, relay.build)
    check(durable, ["a"])
    assert len(durable.chain.sent) >= 2
    assert not swap_hashes(durable) & set(durable.chain.sent)
    assert {one.hash for one in relay.given} == swap_hashes(durable)
    assert all(one.last_block - one.next_block == relay.most_blocks - 1 for one in relay.given)
    assert [entry_of(desk, FIRST_NONCE + at).relay for at in range(3)] == ["", "dark", ""]
    (_, held, _) = reconcile(desk.state, make_plan("a")[0]) if desk.state else ()
    assert "for relay dark alone" in held.held[1]


async def test_a_relay_that_keeps_silent_gets_the_same_bytes_for_later_blocks() -> None:
    durable = await open_world("a")
    relay = Relay(durable, accepts=False)
    worker, desk = start(durable, relay=relay)
    await go_on(durable, worker, relay.build, rounds=8)
    assert entry_of(desk).status is EntryStatus.IN_DOUBT
    assert len({one.hash for one in relay.given}) == 1
    assert len({one.last_block for one in relay.given}) == len(relay.given) > 1
    relay.accepts = True
    await go_on(durable, worker, relay.build, rounds=12)
    check(durable, ["a"])
    assert not swap_hashes(durable) & set(durable.chain.sent)


async def test_one_at_a_time_waits_at_the_relay() -> None:
    durable = await open_world("a", "b")
    relay = Relay(durable, works=False)
    worker, _ = start(durable, relay=relay)
    await go_on(durable, worker, relay.build, rounds=2)
    assert "waits at relay dark" in worker.blocked
    assert len(ListDesk(durable).durable.started) == 1
    relay.works = True
    await go_on(durable, worker, relay.build, rounds=30)
    check(durable, ["a", "b"])


@pytest.mark.parametrize("forgets", [True, False])
async def test_a_cancel_goes_everywhere_and_is_told_to_the_relay(forgets: bool) -> None:
    """Nothing is learnt from it, and only a used nonce ends what a relay may still hold, whether it hears or not."""
    durable = await open_world("a")
    relay = Relay(durable, works=False, forgets=forgets)
    worker, desk = start(durable, relay=relay)
    await go_on(durable, worker, relay.build, rounds=3)
    durable.ends.add(make_plan("a")[0])
    await go_on(durable, worker, relay.build, rounds=30)
    entry = entry_of(desk)
    assert entry.status is EntryStatus.CANCELLED
    assert entry.landed in durable.chain.sent
    assert not swap_hashes(durable) & set(durable.chain.sent)
    assert set(relay.withdrawn) == swap_hashes(durable)
    assert durable.chain.swaps().get("a", 0) == 0


@pytest.mark.parametrize("other", [None, "light"])
async def test_without_its_relay_nothing_is_sent_anywhere(other: str | None) -> None:
    durable = await open_world("a")
    relay = Relay(durable, accepts=False)
    worker, _ = start(durable, relay=relay)
    await go_on(durable, worker, relay.build, rounds=2)
    strange = Relay(durable, name=other) if other else None
    worker, desk = start(durable, relay=strange)
    await go_on(durable, worker, rounds=40)
    entry = entry_of(desk)
    assert DoubtReason.RELAY_GONE in entry.reasons
    assert len(entry.payloads) == 1, "no bump that could not be sent either"
    assert not swap_hashes(durable) & set(durable.chain.sent)
    assert strange is None or not strange.given
    (_, report, _) = reconcile(desk.state, make_plan("a")[0]) if desk.state else ()
    assert "put relay dark back" in report.next_step
    relay.accepts = True
    worker, _ = start(durable, relay=relay)
    await go_on(durable, worker, relay.build, rounds=12)
    check(durable, ["a"])


async def test_a_leak_is_recorded_once_and_changes_nothing_else() -> None:
    durable = await open_world("a")
    relay = Relay(durable)
    worker, _ = start(durable, relay=relay)

    def leaks(number: int, chain: SmallChain) -> ChainUpdate | None:
        relay.build(number, chain)
        return chain.update(()) if number < 4 else None

    await go_on(durable, worker, leaks)
    check(durable, ["a"])
    (leak,) = [one for one in durable.told() if isinstance(one, TransactionLeaked)]
    assert leak == TransactionLeaked(SWAP_NONCE, *swap_hashes(durable))


async def test_planted_public_sending_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of this file sees bytes that went to everybody."""
    monkeypatch.setattr(sending, "_is_secret", lambda entry, last: False)
    durable = await open_world("a")
    relay = Relay(durable)
    worker, _ = start(durable, relay=relay)
    await go_on(durable, worker, relay.build)
    assert swap_hashes(durable) <= set(durable.chain.sent)


async def test_what_its_relay_leaves_goes_to_all_where_its_intent_allows_it() -> None:
    """Not before its patience is over four times; recorded first; the same bytes, and one effect."""
    durable = await open_world("a", "b")
    durable.open_to_all.add(make_plan("a")[0])
    nothing_leaves_undurable(durable)
    relay = Relay(durable, works=False)
    worker, desk = start(durable, relay=relay)
    await go_on(durable, worker, relay.build, rounds=3)
    (swap,) = swap_hashes(durable)
    assert swap not in durable.chain.sent, "not at once"

    def build(number: int, chain: SmallChain) -> ChainUpdate | None:
        relay.works = swap in chain.sent  # for the other intent's sake
        return relay.build(number, chain)

    await go_on(durable, worker, build, rounds=60)
    published = [one for one in durable.told() if isinstance(one, TransactionPublished)]
    assert [one.hash for one in published] == [swap]
    assert "brought it into no block" in published[0].reason
    assert swap in durable.chain.sent
    assert entry_of(desk).status is EntryStatus.FINAL
    assert entry_of(desk).landed == swap
    (_, held, _) = reconcile(desk.state, make_plan("a")[0]) if desk.state else ()
    assert any("goes to every endpoint: the intent allows it" in line for line in held.held)
    check(durable, ["a", "b"])
    secret = {one.hash for one in relay.given} - {swap}
    assert secret
    assert not secret & set(durable.chain.sent), "what another intent does not allow stays where it was"


async def test_without_its_relay_what_may_be_public_is() -> None:
    durable = await open_world("a")
    durable.open_to_all.add(make_plan("a")[0])
    relay = Relay(durable, accepts=False)
    worker, _ = start(durable, relay=relay)
    await go_on(durable, worker, relay.build, rounds=2)
    worker, _ = start(durable)
    await go_on(durable, worker, rounds=8)
    check(durable, ["a"])
    (published,) = [one for one in durable.told() if isinstance(one, TransactionPublished)]
    assert published.reason == "relay dark left the configuration"


def test_signatures_of_the_first_release_went_to_everybody() -> None:
    fact = TransactionSigned(3, make_plan("a")[0], "s", "0x1", "sealed", 1, Amount(2), Amount(3), "0xa")
    old = {name: value for name, value in encode_fact(fact).items() if name != "relay"}
    assert fact_type(fact) == ("TransactionSigned", 2)
    assert decode_fact("TransactionSigned", 1, encode(old)) == fact


type Story = Callable[[Durable, Relay], Awaitable[None]]


async def settles(durable: Durable, relay: Relay) -> None:
    """The relay does nothing at first."""

    def build(number: int, chain: SmallChain) -> ChainUpdate | None:
        relay.works = number > 2
        return relay.build(number, chain)

    worker, _ = start(durable, relay=relay)
    await go_on(durable, worker, build)


async def cancelled(durable: Durable, relay: Relay) -> None:
    """The relay never does anything, and the end is asked for."""
    relay.works = False
    durable.ends.add(make_plan("a")[0])
    worker, _ = start(durable, relay=relay)
    await go_on(durable, worker, relay.build, rounds=30)


async def left(durable: Durable, relay: Relay) -> None:
    """The relay does not answer, then leaves the configuration, then comes back."""
    relay.accepts = False
    worker, _ = start(durable, relay=relay)
    await go_on(durable, worker, relay.build, rounds=2)
    worker, _ = start(durable)
    await go_on(durable, worker, rounds=8)
    relay.accepts = True
    worker, _ = start(durable, relay=relay)
    await go_on(durable, worker, relay.build, rounds=12)


async def published(durable: Durable, relay: Relay) -> None:
    """The relay does nothing, and the intent allows that all see it in the end."""
    relay.works = False
    durable.open_to_all.add(make_plan("a")[0])
    worker, _ = start(durable, relay=relay)
    await go_on(durable, worker, relay.build, rounds=40)


PASSED = {
    published: {"execution.publish.record"},
    settles: {"execution.send.relay", "execution.watch.waiting"},
    cancelled: {"execution.send.withdraw", "execution.send.broadcast"},
    left: {"execution.send.relay_gone"},
}


# A death before an await leaves its coroutine behind, as the end of a process does.
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:coroutine .* was never awaited:RuntimeWarning",
)
@pytest.mark.parametrize("story", PASSED)
async def test_no_crash_point_shows_it_to_the_public_loses_or_doubles_it(story: Story) -> None:
    async def life(die_at: int) -> list[str]:
        durable = await open_world("a")
        relay = Relay(durable)
        nothing_leaves_undurable(durable)
        passed: list[str] = []

        def visitor(name: str) -> None:
            passed.append(name)
            if len(passed) == die_at:
                raise Crash(name)

        try:
            with armed(visitor):
                await story(durable, relay)
        except Crash:
            await story(durable, relay)
        if story is cancelled:
            assert durable.chain.swaps().get("a", 0) == 0
            lane = ListDesk(durable).lane()
            assert lane is not None
            assert not lane.unfinished
        else:
            check(durable, ["a"])
        told = any(isinstance(one, TransactionPublished) for one in durable.told())
        assert told == (story is published)
        assert told or not swap_hashes(durable) & set(durable.chain.sent)
        return passed

    points = await life(0)
    assert {f"{name}.before" for name in PASSED[story]} <= set(points)
    for die_at in range(1, len(points) + 1):
        await life(die_at)


def bounded(amount: int, asset: AssetId, *, price: tuple[int, int] = (1, 1)) -> Plan:
    _, plan = make_plan("a")
    spent, received = price
    return replace(
        plan,
        sandwich=SandwichBound(asset, Amount(amount), 200_000),
        marginal=(Amount(received), Amount(spent)),
    )


def test_an_attack_pays_where_it_takes_more_than_its_gas() -> None:
    """200,000 gas at 10 gwei: 2e15 wei."""
    native, gas = erc20(1, WRAPPED), 200_000 * 10 * GWEI
    _, plan = make_plan("a")
    assert attack_pays(plan, WRAPPED, FEES), "no bound is known"
    assert not attack_pays(bounded(0, WANTED), WRAPPED, FEES)
    assert attack_pays(bounded(1, WANTED), WRAPPED, FEES), "its worth is not known"
    assert not attack_pays(bounded(gas, native), WRAPPED, FEES)
    assert attack_pays(bounded(gas + 1, native), WRAPPED, FEES)
    pays = replace(plan.spends[0], asset=native)
    gets = replace(plan.receives[0], asset=native)
    for asset, flows, price in (
        (WANTED, {"spends": (pays,)}, (5, 2)),  # 2 of what comes cost 5 wei
        (PAID, {"receives": (gets,)}, (2, 5)),
    ):
        at = bounded(gas * 2 // 5, asset, price=price)
        assert not attack_pays(replace(at, **flows), WRAPPED, FEES)
        more = bounded(gas * 2 // 5 + 1, asset, price=price)
        assert attack_pays(replace(more, **flows), WRAPPED, FEES)
