"""Signers and endpoints that do not tell the truth: nothing of it is recorded or sent, and the worker works on."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sep_hooks.errors import Permanent
from sep_hooks.signer import SignedEntry, SignRequest
from sep_hooks.store import InvalidEvent, StoreBusy, StoreFailed
from sep_hooks.types import (
    MAX_AMOUNT,
    Address,
    Amount,
    Receipt,
    SignedTransaction,
    SwapFill,
    Transaction,
    erc20,
)
from sep_native.sign import Keystore, Transaction1559

from sep_core.events.facts import Transfer
from sep_core.execution import ExecutionCommand, RecordReceipt, RecordSigned
from sep_core.execution.errors import SignatureMismatch
from sep_core.execution.native import read_signed
from sep_core.execution.reading import MOST_TRANSFERS, ReceiptReader, own_transfers
from sep_core.execution.signature import check_signature

from .test_execution_worker import (
    CHAIN,
    FIRST_NONCE,
    OWNER,
    PAID,
    POOL,
    WANTED,
    Durable,
    ListDesk,
    RememberingSigner,
    SmallChain,
    check,
    go_on,
    make_plan,
    open_world,
    start,
)

pytestmark = pytest.mark.anyio

KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
STRANGER = Address("0x" + "99" * 20)


class Liar(RememberingSigner):
    """Signs properly, and says something else."""

    def __init__(self, how: str, *, in_list: bool = False) -> None:
        super().__init__()
        self.how, self.in_list = how, in_list

    def twisted(self, signed: SignedTransaction) -> SignedTransaction:
        match self.how:
            case "hash":
                return replace(signed, hash="0x" + "ab" * 32)
            case "junk":
                return replace(signed, raw=b"\x02junk")
            case "recipient":
                raw = signed.raw.replace(POOL.encode(), STRANGER.encode())
                return SignedTransaction(raw, signed.hash)
        return signed

    async def sign(self, request: SignRequest) -> SignedTransaction:
        made = await super().sign(request)
        return made if self.in_list else self.twisted(made)

    async def list_signed(self) -> Sequence[SignedEntry]:
        honest = await super().list_signed()
        return [replace(one, signed=self.twisted(one.signed)) for one in honest] if self.in_list else honest


@pytest.mark.parametrize("how", ["hash", "junk", "recipient"])
async def test_bytes_that_were_not_asked_for_are_neither_recorded_nor_sent(how: str) -> None:
    durable = await open_world("a")
    durable.signer = Liar(how)
    worker, _ = start(durable)
    await go_on(durable, worker, rounds=3)
    assert not durable.hashes()
    assert not durable.chain.sent
    assert "not what was asked for" in worker.blocked
    assert worker.may_have_signed(make_plan("a")[0]), "the signer may hold the true bytes"

    durable.signer = honest(durable)
    worker, _ = start(durable)
    await go_on(durable, worker)
    check(durable, ["a"])


@pytest.mark.parametrize("how", ["hash", "junk", "recipient"])
async def test_what_a_signer_remembers_is_read_before_it_is_taken_over(how: str) -> None:
    durable = await open_world("a")
    durable.signer = Liar(how, in_list=True)

    class DiesBeforeItsRecord(ListDesk):
        async def record(self, command: ExecutionCommand) -> None:
            if isinstance(command, RecordSigned):
                raise StoreFailed("the disk is full")
            await super().record(command)

    worker, _ = start(durable)
    worker._desk = worker._preparation._desk = DiesBeforeItsRecord(durable)
    with pytest.raises(StoreFailed):
        await worker.turn()
    assert durable.signer.entries
    worker, _ = start(durable)
    await go_on(durable, worker, rounds=3)
    assert not durable.hashes()
    assert not durable.chain.sent
    assert "not what was asked for" in worker.blocked


def honest(durable: Durable) -> RememberingSigner:
    signer = RememberingSigner()
    signer.entries = durable.signer.entries
    return signer


async def test_a_signer_that_fails_may_have_signed_and_is_asked_again() -> None:
    class Broken(Permanent):
        """The session with the device is lost."""

    class Failing(RememberingSigner):
        broken = True

        async def sign(self, request: SignRequest) -> SignedTransaction:
            made = await super().sign(request)
            if self.broken:
                raise Broken("session lost")
            return made

    durable = await open_world("a")
    signer = durable.signer = Failing()
    worker, _ = start(durable)
    await worker.turn()
    assert "session lost" in worker.blocked
    assert worker.may_have_signed(make_plan("a")[0])
    assert not durable.chain.sent
    signer.broken = False
    await go_on(durable, worker)
    check(durable, ["a"])


@pytest.mark.parametrize(("gas_used", "price"), [(90_000, 2**127), (2**50, 10**9)])
async def test_a_receipt_above_what_was_signed_is_refused_and_the_others_are_not(
    gas_used: int, price: int
) -> None:
    class Lying(SmallChain):
        lies = True

        def _receipt(self, wanted: str) -> Receipt | None:
            told = super()._receipt(wanted)
            first = durable.signer.entries[FIRST_NONCE][0].signed.hash
            if told is None or not self.lies or wanted != first:
                return told
            return replace(told, gas_used=gas_used, effective_gas_price=price)

    durable = await open_world("a")
    chain = durable.chain = Lying()
    worker, desk = start(durable)
    await go_on(durable, worker, rounds=4)
    lane = desk.lane()
    assert lane is not None
    assert [entry.nonce for entry in lane.unfinished] == [FIRST_NONCE]
    assert "an endpoint is wrong; nothing was recorded" in worker.blocked
    chain.lies = False
    await go_on(durable, worker, rounds=3)
    check(durable, ["a"])
    assert not worker.blocked


async def test_an_observation_that_the_log_refuses_blocks_the_lane_alone() -> None:
    class Refusing(ListDesk):
        refuses: Permanent | StoreBusy | None = InvalidEvent("an event takes too many bytes")

        async def record(self, command: ExecutionCommand) -> None:
            if isinstance(command, RecordReceipt) and self.refuses is not None:
                raise self.refuses
            await super().record(command)

    durable = await open_world("a")
    worker, _ = start(durable)
    desk = Refusing(durable)
    worker._desk = worker._preparation._desk = worker._watch._desk = desk
    assert worker._sending is not None
    worker._sending._desk = desk
    await go_on(durable, worker, rounds=3)
    assert "too many bytes" in worker.blocked
    desk.refuses = StoreBusy("the queue is full")
    await go_on(durable, worker, rounds=1)
    assert "queue is full" in worker.blocked
    desk.refuses = None
    await go_on(durable, worker)
    check(durable, ["a"])
    desk.refuses = StoreFailed("the disk is full")
    durable.plans.update([make_plan("b")])
    with pytest.raises(StoreFailed):
        await go_on(durable, worker)


def test_signed_bytes_are_read_by_the_native_core(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("keys") / "key.json"
    keystore = Keystore.import_key(path, KEY, b"for tests", scrypt_log_n=2)
    owner = Address(keystore.address.lower())
    asked = Transaction(31337, 4, POOL, Amount(2**200), b"data", 21_000, 30, 2)
    made = keystore.sign_transaction(Transaction1559(31337, 4, POOL, 2**200, b"data", 21_000, 30, 2))
    signed = SignedTransaction(made.raw, "0x" + made.hash.hex())
    check_signature(read_signed, owner, "s", asked, signed)
    for other in (
        replace(asked, chain_id=1),
        replace(asked, nonce=5),
        replace(asked, to=STRANGER),
        replace(asked, value=Amount(1)),
        replace(asked, data=b""),
        replace(asked, gas_limit=21_001),
        replace(asked, max_fee_per_gas=31),
        replace(asked, max_priority_fee_per_gas=3),
    ):
        with pytest.raises(SignatureMismatch, match="another transaction"):
            check_signature(read_signed, owner, "s", other, signed)
    with pytest.raises(SignatureMismatch, match="signed by"):
        check_signature(read_signed, STRANGER, "s", asked, signed)
    for wrong in (replace(signed, raw=signed.raw + b"\0"), replace(signed, raw=b"")):
        with pytest.raises(SignatureMismatch, match="cannot be read"):
            check_signature(read_signed, owner, "s", asked, wrong)
    with pytest.raises(SignatureMismatch, match="their hash"):
        check_signature(read_signed, owner, "s", asked, replace(signed, hash=signed.hash.upper()))


@pytest.mark.parametrize(
    "said",
    [
        ["junk"],
        None,
        7,
        [SwapFill(make_plan("a")[1].legs[0].market, PAID, 1.5, WANTED, Amount(1), 0)],  # type: ignore[arg-type]
        [SwapFill(make_plan("a")[1].legs[0].market, PAID, Amount(-1), WANTED, Amount(1), 0)],
        [SwapFill(make_plan("a")[1].legs[0].market, PAID, Amount(2**256), WANTED, Amount(1), 0)],
        [SwapFill(make_plan("a")[1].legs[0].market, PAID, Amount(1), WANTED, Amount(1), 2**60)],
        [SwapFill(make_plan("a")[1].legs[0].market, WANTED, Amount(1), PAID, Amount(1), 0)],
        [SwapFill(make_plan("a")[1].legs[0].market, PAID, Amount(1), WANTED, Amount(1), 0)] * 5_000,
    ],
)
def test_passes_that_cannot_be_are_dropped(said: object) -> None:
    _, plan = make_plan("a")
    step = plan.steps[1]
    reader = ReceiptReader(CHAIN, lambda *_: said)  # type: ignore[arg-type]
    assert reader.passes(step, ()) == ()
    good = [SwapFill(plan.legs[0].market, PAID, Amount(1), WANTED, Amount(2), 3)]
    assert ReceiptReader(CHAIN, lambda *_: good).passes(step, ()) == tuple(good)


def test_a_strangers_transfers_are_no_business_of_the_log() -> None:
    ours = Transfer(PAID, OWNER, POOL, Amount(5), 0)
    others = [Transfer(PAID, POOL, STRANGER, Amount(7), number) for number in range(1, 3_000)]
    idle = [Transfer(PAID, OWNER, OWNER, Amount(7), 3_000), Transfer(PAID, POOL, OWNER, Amount(0), 3_001)]
    assert own_transfers([ours, *others, *idle], OWNER, None) == (ours,)


def test_thousands_of_transfers_to_us_are_taken_together_and_what_was_traded_stays() -> None:
    step = make_plan("a")[1].steps[1]
    junk = [
        Transfer(erc20(1, f"0x{number:040x}"), STRANGER, OWNER, Amount(1), number) for number in range(2_000)
    ]
    drops = [Transfer(WANTED, POOL, OWNER, Amount(2), number) for number in range(2_000, 3_000)]
    paid = Transfer(PAID, OWNER, POOL, Amount(9), 3_000)
    kept = own_transfers([*junk, *drops, paid], OWNER, step)
    assert len(kept) == MOST_TRANSFERS
    assert paid in kept
    assert [one.amount for one in kept if one.asset == WANTED] == [2_000]
    assert [one.ordinal for one in kept] == sorted(one.ordinal for one in kept)


def test_a_token_whose_amounts_sum_to_no_amount_says_nothing() -> None:
    absurd = [Transfer(WANTED, POOL, OWNER, Amount(MAX_AMOUNT), number) for number in range(2)]
    paid = Transfer(PAID, OWNER, POOL, Amount(9), 2)
    assert own_transfers([*absurd, paid], OWNER, None) == (paid,)
