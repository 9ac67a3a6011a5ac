"""What `sep-signer` signs and what it refuses, request by request, under a clock that the test moves."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.signer import PayloadKind, SignRequest
from sep_hooks.signer_wire import request_json, request_of
from sep_hooks.testing.signer import CALL, CHAIN_ID, CONTRACT, SELECTOR, asked, dearer
from sep_hooks.types import Address, Amount
from sep_native.sign import Keystore
from sep_signer.desk import Account, Desk
from sep_signer.ledger import Ledger
from sep_signer.policy import Reason
from sep_signer.settings import SignerSettings, read_settings

ENGINE, FIRST, SECOND, STRANGER = 1000, 2001, 2002, 3000
TOKEN, SPENDER, FRIEND = (Address("0x" + two * 20) for two in ("33", "44", "55"))
GAS = 200_000 * 10**10

RULES = f"""
engines = [{ENGINE}]
operators = [{FIRST}, {SECOND}]

[accounts.main]
key = "main.json"
password_file = "password"
chains = [{CHAIN_ID}]
max_gas_cost = "{4 * GAS}"
tokens = ["{TOKEN}"]
spenders = ["{SPENDER}"]

[[accounts.main.calls]]
to = "{CONTRACT}"
selector = "{SELECTOR}"
max_value = "7"
recipient = 0
asset = "{TOKEN}"
amount = 1

[accounts.main.max_approval]
"{TOKEN}" = "500"

[accounts.main.daily]
"{TOKEN}" = "100"
native = "{4 * GAS}"
"""


@dataclass
class Bench:
    """A desk with its database, a clock and what it counted."""

    folder: Path
    settings: SignerSettings
    keystore: Keystore
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    counted: list[Reason] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Opens the database again, as a new process does."""
        accounts = {"main": Account("main", self.settings.accounts["main"], self.keystore)}
        self.ledger = Ledger(self.folder / "signer.db")
        self.desk = Desk(self.settings, accounts, self.ledger, lambda: self.now, self.counted.append)

    @property
    def own(self) -> Address:
        """The account's address."""
        return Address(self.keystore.address.lower())

    def do(self, uid: int, verb: str, **more: Any) -> Any:
        """What is answered, or the reason of the refusal."""
        said: dict[str, Any] = self.desk.answer(
            uid, json.dumps({"do": verb, "account": "main", **more}).encode()
        )
        return said["ok"] if "ok" in said else Reason(said["refused"]["reason"])

    def sign(self, request: SignRequest, uid: int = ENGINE) -> Any:
        """As `do`, right after the engine's checks."""
        return self.sign_as_checked(replace(request, checked_at=self.now), uid)

    def sign_as_checked(self, request: SignRequest, uid: int = ENGINE) -> Any:
        """The same, checked when the request says."""
        return self.do(uid, "sign", request=request_json(request))

    def swap(
        self, nonce: int = 0, to: Address | None = None, amount: int = 0, **changes: object
    ) -> SignRequest:
        """A call of the contract that spends `amount` and pays out `to`."""
        return asked(nonce, str(nonce), data=call(to or self.own, amount), **changes)


def call(who: str, amount: int, selector: str = SELECTOR) -> bytes:
    """A function, an address and an amount."""
    return bytes.fromhex(selector[2:]) + int(who, 16).to_bytes(32) + amount.to_bytes(32)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "signer.toml").write_text(RULES)
    Keystore.create(tmp_path / "main.json", b"pw", 2)
    one = Bench(
        tmp_path, read_settings(tmp_path / "signer.toml"), Keystore.open(tmp_path / "main.json", b"pw")
    )
    yield one
    one.ledger.close()


def test_what_the_rules_name_is_signed(bench: Bench) -> None:
    assert "raw" in bench.sign(bench.swap(0, amount=100))
    assert "raw" in bench.sign(asked(1, "a", to=TOKEN, data=call(SPENDER, 500, "0x095ea7b3")))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"chain_id": 1}, Reason.CHAIN),
        ({"max_fee_per_gas": 10**11}, Reason.FEE),
        ({"value": Amount(8)}, Reason.VALUE),
        ({"to": FRIEND}, Reason.CALL),
        ({"data": b""}, Reason.CALL),
        ({"data": CALL[:4] + b"\x00" * 40}, Reason.CALL),
        ({"data": b"\x99" + CALL[1:]}, Reason.CALL),
        ({"data": call(FRIEND, 0)}, Reason.RECIPIENT),
        ({"data": CALL[:4] + b"\xff" * 64}, Reason.RECIPIENT),
        ({"to": TOKEN, "data": call(FRIEND, 1, "0xa9059cbb")}, Reason.RECIPIENT),
        ({"to": TOKEN, "data": call(FRIEND, 1, "0x095ea7b3")}, Reason.APPROVAL),
        ({"to": TOKEN, "data": call(SPENDER, 501, "0x095ea7b3")}, Reason.APPROVAL),
        ({"to": TOKEN, "data": call(SPENDER, 2**256 - 1, "0x095ea7b3")}, Reason.APPROVAL),
        ({"to": TOKEN, "data": call(SPENDER, 1, "0x39509351")}, Reason.CALL),
        ({"to": TOKEN, "value": Amount(1), "data": call(SPENDER, 1, "0x095ea7b3")}, Reason.VALUE),
    ],
)
def test_each_breach_is_refused_counted_and_kept(
    bench: Bench, changes: dict[str, Any], reason: Reason
) -> None:
    assert (
        bench.sign(
            replace(bench.swap(), transaction=asked(**{"data": call(bench.own, 0), **changes}).transaction)
        )
        is reason
    )
    assert bench.counted == [reason]
    assert bench.do(ENGINE, "list_signed") == []
    bench.restart()
    assert bench.do(ENGINE, "status")["refusals"] == {reason.value: 1}


@pytest.mark.parametrize("seconds", [-61, 61, None])
def test_a_check_that_is_old_of_the_future_or_missing_is_refused(bench: Bench, seconds: int | None) -> None:
    moment = None if seconds is None else bench.now + timedelta(seconds=seconds)
    request = replace(bench.swap(), checked_at=moment)
    assert bench.sign_as_checked(request) is Reason.STALE_CHECK
    assert bench.counted == [Reason.STALE_CHECK]
    first = bench.sign(request)
    assert "raw" in first, "after new checks it is signed"
    assert bench.sign_as_checked(request) == first, "what was signed is given again, whenever it was checked"
    bumped = replace(dearer(request, first["hash"]), checked_at=moment)
    assert bench.sign_as_checked(bumped) is Reason.STALE_CHECK
    end = {"to": bench.own, "data": b"", "gas_limit": 21_000}
    cancel = replace(dearer(request, first["hash"], PayloadKind.CANCEL, **end), checked_at=moment)
    assert "raw" in bench.sign_as_checked(cancel), "an end needs no check"


def test_a_cap_holds_over_a_day_and_a_bump_counts_once(bench: Bench) -> None:
    first = bench.sign(bench.swap(0, amount=60))
    assert bench.sign(bench.swap(1, amount=41)) is Reason.SPEND
    bumped = dearer(bench.swap(0, amount=60), first["hash"])
    assert "raw" in bench.sign(bumped)
    assert "raw" in bench.sign(bench.swap(1, amount=40))
    assert bench.sign(bench.swap(2, amount=0, max_fee_per_gas=2 * 10**10)) is Reason.SPEND  # the gas
    bench.now += timedelta(hours=24, seconds=1)
    assert "raw" in bench.sign(bench.swap(2, amount=100))


def test_a_recipient_needs_two_operators_and_a_day(bench: Bench) -> None:
    request = bench.swap(0, FRIEND)
    for uid in (ENGINE, STRANGER):
        assert bench.do(uid, "propose_recipient", address=FRIEND) is Reason.NOT_ALLOWED
    for _ in range(2):
        assert bench.do(FIRST, "propose_recipient", address=FRIEND)["votes"] == 1
    bench.now += timedelta(hours=25)
    assert bench.sign(request) is Reason.RECIPIENT
    bench.do(SECOND, "propose_recipient", address=FRIEND)
    bench.now -= timedelta(hours=2)
    assert bench.sign(request) is Reason.RECIPIENT
    bench.now += timedelta(hours=2)
    bench.restart()
    assert "raw" in bench.sign(request)


def test_the_kill_switch_leaves_cancels_and_outlives_the_process(bench: Bench) -> None:
    first = bench.sign(bench.swap())
    assert bench.do(STRANGER, "kill_switch", engaged=True, reason="x") is Reason.NOT_ALLOWED
    bench.do(ENGINE, "kill_switch", engaged=True, reason="a drill")
    bench.restart()
    assert bench.sign(bench.swap(1)) is Reason.KILL_SWITCH
    bump = dearer(bench.swap(), first["hash"])
    assert bench.sign(bump) is Reason.KILL_SWITCH
    nothing = {"to": bench.own, "data": b"", "gas_limit": 21_000}
    assert "raw" in bench.sign(dearer(bench.swap(), first["hash"], PayloadKind.CANCEL, **nothing))
    assert bench.sign(bench.swap()) == first, "what was signed is told again"
    assert bench.do(ENGINE, "kill_switch", engaged=False, reason="x") is Reason.NOT_ALLOWED
    bench.do(FIRST, "kill_switch", engaged=False, reason="over")
    assert "raw" in bench.sign(bench.swap(1))


def test_one_step_of_one_plan_is_one_call(bench: Bench) -> None:
    bench.sign(bench.swap(0, amount=1))
    again = replace(bench.swap(1, amount=1), step_id="0", plan_digest="plan of 0")
    assert "raw" in bench.sign(again)
    other = replace(bench.swap(2, amount=2), step_id="0", plan_digest="plan of 0")
    assert bench.sign(other) is Reason.PLAN


def test_only_engines_are_signed_for_and_only_known_accounts(bench: Bench) -> None:
    for uid in (FIRST, STRANGER, 0):
        assert bench.sign(bench.swap(), uid) is Reason.NOT_ALLOWED
    assert bench.do(STRANGER, "status") is Reason.NOT_ALLOWED
    assert bench.do(ENGINE, "open", account="other") is Reason.UNKNOWN_ACCOUNT


def test_what_cannot_be_kept_is_not_signed(bench: Bench) -> None:
    other = apsw.Connection(str(bench.folder / "signer.db"))
    other.execute("CREATE TRIGGER full BEFORE INSERT ON signed BEGIN SELECT RAISE(ABORT, 'no room'); END")
    assert bench.sign(bench.swap()) is Reason.DATABASE
    assert bench.do(ENGINE, "list_signed") == []
    other.execute("DROP TRIGGER full")
    other.close()
    assert "raw" in bench.sign(bench.swap())


@given(
    line=st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(
        lambda one: json.dumps({"do": "sign", "account": "main", "request": one}).encode()
    )
)
def test_nonsense_is_refused(nonsense_desk: Bench, line: bytes) -> None:
    assert "refused" in nonsense_desk.desk.answer(ENGINE, line)


@pytest.fixture(scope="module")
def nonsense_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("nonsense")
    (folder / "signer.toml").write_text(RULES)
    Keystore.create(folder / "main.json", b"pw", 2)
    one = Bench(folder, read_settings(folder / "signer.toml"), Keystore.open(folder / "main.json", b"pw"))
    yield one
    one.ledger.close()


_counts = st.integers(0, 2**63 - 1)


@given(
    numbers=st.lists(_counts, min_size=4, max_size=4),
    fees=st.lists(st.integers(0, 2**256 - 1), min_size=3, max_size=3),
    data=st.binary(max_size=100),
    ids=st.tuples(st.uuids(), st.uuids()),
    texts=st.tuples(st.text(), st.text(), st.text()),
    kind=st.sampled_from(PayloadKind),
)
def test_a_request_travels_unchanged(
    numbers: Sequence[int],
    fees: Sequence[int],
    data: bytes,
    ids: tuple[UUID, UUID],
    texts: Sequence[str],
    kind: PayloadKind,
) -> None:
    chain_id, nonce, gas, epoch = numbers
    request = replace(
        asked(
            nonce,
            texts[0],
            chain_id=chain_id,
            value=Amount(fees[0]),
            data=data,
            gas_limit=gas,
            max_fee_per_gas=fees[1],
            max_priority_fee_per_gas=fees[2],
        ),
        epoch=epoch,
        intent_id=ids[0],
        store_id=ids[1],
        plan_digest=texts[1],
        replaces=texts[2],
        kind=kind,
    )
    assert request_of(json.loads(json.dumps(request_json(request)))) == request
