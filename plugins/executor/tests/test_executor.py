"""The contract on a real node: all or nothing, its owner alone, nothing left behind, whoever is on the other side."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from sep_executor import EXECUTE, contract
from sep_hooks.types import address
from sep_testnet import Testnet, TestnetError
from sep_testnet.encoding import Argument, checksum_address, encode_call
from sep_testnet.errors import NodeRejected, TransactionReverted
from sep_testnet.rpc import Json

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = pytest.mark.anvil

FOREVER = 2**40
REST = 2**256 - 1
ETHER = 10**18
DOLLAR = 10**6
V3_SWAP = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
V2_SWAP = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
HOSTILE_SWAP = "swap(address,uint256,address,uint256,address)"

type Receipt = dict[str, Json]


@cache
def compiled(name: str) -> bytes:
    from vyper import compile_code

    source = (Path(__file__).parent / "contracts" / f"{name}.vy").read_text()
    return bytes.fromhex(compile_code(source, output_formats=["bytecode"])["bytecode"][2:])


@dataclass(frozen=True, slots=True)
class Trade:
    """One call: which token it spends, how much, and the call's bytes around that amount."""

    target: str
    token: str
    amount: int
    parts: Sequence[bytes]
    spender: str = ""


@dataclass
class Owner:
    """Acts for one account that owns an executor."""

    testnet: Testnet
    who: str
    executor: str = field(init=False)

    def __post_init__(self) -> None:
        code = contract().creation(address(self.who.lower()))
        receipt = self.testnet.send(self.testnet.accounts[9].address, None, code)
        self.executor = checksum_address(str(receipt["contractAddress"]))

    def fund(self, token: str, amount: int) -> None:
        self.testnet.mint(token, self.who, amount)
        self.testnet.execute(self.who, token, "approve(address,uint256)", self.executor, amount)

    def deploy(self, name: str) -> str:
        receipt = self.testnet.send(self.testnet.accounts[9].address, None, compiled(name))
        return checksum_address(str(receipt["contractAddress"]))

    def left(self, *tokens: str) -> list[int]:
        return [self.testnet.balance_of(token, self.executor) for token in tokens]

    def allowance(self, token: str, spender: str, of: str = "") -> int:
        (amount,) = self.testnet.read(
            token, "allowance(address,address)", ("uint256",), of or self.executor, spender
        )
        return int(str(amount))

    def data(
        self,
        takes: dict[str, int],
        trades: Sequence[Trade],
        least: dict[str, int],
        *,
        others: Sequence[str] = (),
        deadline: int = FOREVER,
        order: bool = True,
    ) -> bytes:
        named = dict.fromkeys([*takes, *least, *others, *(trade.token for trade in trades)])
        tokens = sorted(named, key=lambda token: int(token, 16), reverse=not order)
        rows, calls = [], []
        for one in trades:
            places = [sum(map(len, one.parts[:n])) + 32 * (n - 1) for n in range(1, len(one.parts))]
            data = bytes(32).join(one.parts)
            first, second = (*places, 0, 0)[:2]
            rows.append(
                (
                    one.target,
                    one.spender or one.target,
                    tokens.index(one.token),
                    one.amount,
                    first,
                    second,
                )
            )
            calls.append(data)
        taken, wanted = ([flows.get(token, 0) for token in tokens] for flows in (takes, least))
        return encode_call(EXECUTE, tokens, taken, wanted, rows, calls, deadline)

    def run(self, data: bytes, *, sender: str = "") -> Receipt:
        return self.testnet.send(sender or self.who, self.executor, data)

    def why(self, data: bytes, *, sender: str = "") -> str:
        """The reason for which the call would revert now."""
        call: dict[str, Json] = {
            "from": sender or self.who,
            "to": self.executor,
            "data": "0x" + data.hex(),
        }
        try:
            self.testnet.rpc.call("eth_call", call, "latest")
        except NodeRejected as error:
            return str(error)
        raise AssertionError("the call goes through")


@pytest.fixture
def owner(testnet: Testnet) -> Owner:
    return Owner(testnet, testnet.accounts[4].address)


def v3_sale(owner: Owner, sold: str, bought: str, fee: int, amount: int, *, rest: bool = False) -> Trade:
    """A sale in the V3 router, with room for the amount where it is what is left."""
    router = owner.testnet.deployment.swap_router_02
    marked = 0x5EED_5EED_5EED if rest else amount
    data = encode_call(V3_SWAP, (sold, bought, fee, owner.executor, marked, 0, 0))
    parts = data.split(marked.to_bytes(32)) if rest else [data]
    return Trade(router, sold, REST if rest else amount, parts)


def v2_sale(owner: Owner, sold: str, bought: str, amount: int) -> Trade:
    router = owner.testnet.deployment.v2_router
    return Trade(
        router, sold, amount, [encode_call(V2_SWAP, amount, 0, [sold, bought], owner.executor, FOREVER)]
    )


def quoted(owner: Owner, sold: str, bought: str, fee: int, amount: int) -> int:
    signature = "quoteExactInputSingle((address,address,uint256,uint24,uint160))"
    returns = ("uint256", "uint160", "uint32", "uint256")
    answer = owner.testnet.read(
        owner.testnet.deployment.quoter_v2, signature, returns, (sold, bought, amount, fee, 0)
    )
    return int(str(answer[0]))


def two_ways(owner: Owner, amount: int) -> tuple[list[Trade], int]:
    """Ether for dollars in a V3 pool and a V2 pair, and what that brings."""
    place = owner.testnet.deployment
    (amounts,) = owner.testnet.read(
        place.v2_router, "getAmountsOut(uint256,address[])", ("uint256[]",), amount, [place.weth, place.usdc]
    )
    assert isinstance(amounts, tuple)
    trades = [
        v3_sale(owner, place.weth, place.usdc, 500, amount),
        v2_sale(owner, place.weth, place.usdc, amount),
    ]
    return trades, quoted(owner, place.weth, place.usdc, 500, amount) + int(amounts[1])


def test_a_split_brings_the_sum_of_its_parts_and_leaves_nothing(owner: Owner) -> None:
    place = owner.testnet.deployment
    owner.fund(place.weth, 3 * ETHER)
    trades, promised = two_ways(owner, ETHER)
    receipt = owner.run(owner.data({place.weth: 3 * ETHER}, trades, {place.usdc: promised}))
    assert owner.testnet.balance_of(place.usdc, owner.who) == promised
    assert owner.testnet.balance_of(place.weth, owner.who) == ETHER, "what was not spent goes back"
    assert owner.left(place.weth, place.usdc) == [0, 0]
    for spender in (place.swap_router_02, place.v2_router):
        assert owner.allowance(place.weth, spender) == 0
    assert owner.allowance(place.weth, owner.executor, of=owner.who) == 0
    print(f"gas of a split over two venues: {int(str(receipt['gasUsed']), 16)}")


def test_a_chain_spends_all_that_came_before_whatever_that_is(owner: Owner) -> None:
    place = owner.testnet.deployment
    owner.fund(place.weth, ETHER)
    dollars = quoted(owner, place.weth, place.usdc, 500, ETHER)
    dai = quoted(owner, place.usdc, place.dai, 100, dollars)
    trades = [
        v3_sale(owner, place.weth, place.usdc, 500, ETHER),
        v3_sale(owner, place.usdc, place.dai, 100, 0, rest=True),
    ]
    owner.run(owner.data({place.weth: ETHER}, trades, {place.dai: dai}))
    assert owner.testnet.balance_of(place.dai, owner.who) == dai
    assert owner.left(place.weth, place.usdc, place.dai) == [0, 0, 0]


def test_an_amount_may_stand_twice_in_a_call(owner: Owner) -> None:
    place = owner.testnet.deployment
    venue = owner.deploy("hostile_venue")
    owner.testnet.mint(place.usdc, venue, 10**30)
    owner.fund(place.weth, 12_345)
    mark = 0x5EED_5EED_5EED
    swap = encode_call(HOSTILE_SWAP, place.weth, mark, place.usdc, mark, owner.executor)
    trade = Trade(venue, place.weth, REST, swap.split(mark.to_bytes(32)))
    assert len(trade.parts) == 3
    owner.run(owner.data({place.weth: 12_345}, [trade], {place.usdc: 12_345}))
    assert owner.testnet.balance_of(place.usdc, owner.who) == 12_345


def test_one_unit_too_little_undoes_all(owner: Owner) -> None:
    place = owner.testnet.deployment
    owner.fund(place.weth, 2 * ETHER)
    trades, promised = two_ways(owner, ETHER)
    data = owner.data({place.weth: 2 * ETHER}, trades, {place.usdc: promised + 1})
    assert "too little came" in owner.why(data)
    with pytest.raises(TransactionReverted):
        owner.run(data)
    assert owner.testnet.balance_of(place.weth, owner.who) == 2 * ETHER
    assert owner.testnet.balance_of(place.usdc, owner.who) == 0
    assert owner.allowance(place.weth, owner.executor, of=owner.who) == 2 * ETHER


@pytest.mark.parametrize("place_of_failure", [0, 1, 2])
def test_one_failing_leg_undoes_the_others(owner: Owner, place_of_failure: int) -> None:
    place = owner.testnet.deployment
    venue = owner.deploy("hostile_venue")
    owner.fund(place.weth, 2 * ETHER)
    trades, _ = two_ways(owner, ETHER)
    trades.insert(place_of_failure, Trade(venue, place.weth, 0, [encode_call("fail()")]))
    data = owner.data({place.weth: 2 * ETHER}, trades, {place.usdc: 1})
    assert "no trade today" in owner.why(data), "the venue's own words reach the reader"
    with pytest.raises(TransactionReverted):
        owner.run(data)
    assert owner.testnet.balance_of(place.weth, owner.who) == 2 * ETHER
    assert owner.left(place.weth, place.usdc) == [0, 0]


def test_it_serves_its_owner_alone(owner: Owner) -> None:
    place = owner.testnet.deployment
    stranger = owner.testnet.accounts[5].address
    owner.fund(place.weth, 2 * ETHER)
    trades, _ = two_ways(owner, ETHER)
    for data in (
        owner.data({place.weth: 2 * ETHER}, trades, {place.usdc: 1}),
        owner.data({}, [], {}),
        encode_call("sweep(address)", place.weth),
    ):
        assert "not the owner" in owner.why(data, sender=stranger)
    assert owner.testnet.balance_of(place.weth, owner.who) == 2 * ETHER


def test_a_deadline_that_has_passed_is_refused(owner: Owner) -> None:
    place = owner.testnet.deployment
    owner.fund(place.weth, 2 * ETHER)
    trades, promised = two_ways(owner, ETHER)
    now = int(str(owner.testnet.block()["timestamp"]), 16)
    data = owner.data({place.weth: 2 * ETHER}, trades, {place.usdc: promised}, deadline=now + 2)
    owner.testnet.advance_time(10)
    assert "too late" in owner.why(data)


def test_a_venue_that_pays_somebody_else_fails_the_minimum(owner: Owner) -> None:
    place = owner.testnet.deployment
    venue, stranger = owner.deploy("hostile_venue"), owner.testnet.accounts[5].address
    owner.fund(place.weth, ETHER)
    owner.testnet.mint(place.usdc, venue, 5_000 * DOLLAR)

    def paid_to(recipient: str) -> bytes:
        call = encode_call(HOSTILE_SWAP, place.weth, ETHER, place.usdc, 5_000 * DOLLAR, recipient)
        trade = Trade(venue, place.weth, ETHER, [call])
        return owner.data({place.weth: ETHER}, [trade], {place.usdc: 5_000 * DOLLAR})

    assert "too little came" in owner.why(paid_to(stranger))
    owner.run(paid_to(owner.executor))
    assert owner.testnet.balance_of(place.usdc, owner.who) == 5_000 * DOLLAR


def test_a_venue_that_takes_and_gives_nothing_gets_nothing(owner: Owner) -> None:
    place = owner.testnet.deployment
    venue = owner.deploy("hostile_venue")
    owner.fund(place.weth, ETHER)
    trade = Trade(venue, place.weth, ETHER, [encode_call("take_only(address,uint256)", place.weth, ETHER)])
    assert "too little came" in owner.why(owner.data({place.weth: ETHER}, [trade], {place.usdc: 1}))


def test_an_allowance_that_a_venue_leaves_unused_is_taken_back(owner: Owner) -> None:
    place = owner.testnet.deployment
    venue = owner.deploy("hostile_venue")
    owner.fund(place.weth, 2 * ETHER)
    owner.testnet.mint(place.weth, owner.executor, 7)  # something to steal
    trade = Trade(venue, place.weth, ETHER, [encode_call("take_nothing(address)", place.weth)])
    owner.run(owner.data({place.weth: 2 * ETHER}, [trade], {place.weth: 2 * ETHER}))
    (seen,) = owner.testnet.read(venue, "seen(uint256)", ("uint256",), 0)
    assert seen == ETHER, "exactly what the trade spends was allowed"
    assert owner.allowance(place.weth, venue) == 0
    steal = encode_call("steal(address,address,uint256)", place.weth, owner.executor, 1)
    with pytest.raises(TransactionReverted):
        owner.testnet.send(owner.testnet.accounts[5].address, venue, steal)


def test_what_strangers_sent_takes_no_part_and_is_swept_to_the_owner(owner: Owner) -> None:
    place = owner.testnet.deployment
    owner.testnet.mint(place.usdc, owner.executor, 77)
    owner.testnet.mint(place.weth, owner.executor, 5)
    owner.fund(place.weth, ETHER)
    dollars = quoted(owner, place.weth, place.usdc, 500, ETHER)
    dai = quoted(owner, place.usdc, place.dai, 100, dollars)
    trades = [
        v3_sale(owner, place.weth, place.usdc, 500, ETHER),
        v3_sale(owner, place.usdc, place.dai, 100, 0, rest=True),
    ]
    owner.run(owner.data({place.weth: ETHER}, trades, {place.dai: dai}))
    assert owner.testnet.balance_of(place.dai, owner.who) == dai
    assert owner.left(place.weth, place.usdc) == [5, 77]
    greedy = v3_sale(owner, place.usdc, place.weth, 500, 50)
    assert "took what lay here" in owner.why(owner.data({}, [greedy], {}, others=[place.weth]))
    owner.run(encode_call("sweep(address)", place.usdc))
    assert owner.left(place.usdc) == [0]
    assert owner.testnet.balance_of(place.usdc, owner.who) == 77


@pytest.mark.parametrize("again", ["execute", "sweep"])
def test_nobody_enters_twice(owner: Owner, again: str) -> None:
    """Neither a venue nor a token in the middle of a transfer, even where the owner's own executor is told to."""
    place = owner.testnet.deployment
    venue, token = owner.deploy("hostile_venue"), owner.deploy("odd_token")
    inner = owner.data({}, [], {}) if again == "execute" else encode_call("sweep(address)", place.weth)
    owner.fund(place.weth, ETHER)
    entering = encode_call("enter(address,bytes)", owner.executor, inner)
    trade = Trade(venue, place.weth, 0, [entering])
    with pytest.raises(NodeRejected):
        owner.testnet.rpc.call("eth_call", call(owner, owner.data({}, [trade], {})), "latest")
    mint = encode_call("mint(address,uint256)", owner.who, 100)
    owner.testnet.send(owner.who, token, mint)
    owner.testnet.execute(owner.who, token, "approve(address,uint256)", owner.executor, 100)
    data = owner.data({token: 100}, [], {token: 100})
    owner.run(data)  # it goes through while the token behaves
    owner.testnet.execute(owner.who, token, "approve(address,uint256)", owner.executor, 100)
    owner.testnet.execute(owner.who, token, "arm(address,bytes)", owner.executor, inner)
    assert owner.why(data)


def test_the_lock_holds_where_the_owner_itself_is_made_to_enter(owner: Owner) -> None:
    """An executor whose owner is a contract: the caller is right, so the lock alone refuses."""
    holder, token = owner.deploy("hostile_venue"), owner.deploy("odd_token")
    receipt = owner.testnet.send(owner.who, None, contract().creation(address(holder.lower())))
    theirs = checksum_address(str(receipt["contractAddress"]))
    again = encode_call("enter(address,bytes)", theirs, owner.data({}, [], {}))
    owner.testnet.send(owner.who, holder, again)
    sweep = encode_call("enter(address,bytes)", theirs, encode_call("sweep(address)", token))
    owner.testnet.execute(owner.who, token, "mint(address,uint256)", theirs, 5)
    owner.testnet.send(owner.who, holder, sweep)
    assert owner.testnet.balance_of(token, holder) == 5
    owner.testnet.execute(owner.who, token, "arm(address,bytes)", holder, again)
    with pytest.raises(TransactionReverted):
        owner.testnet.send(owner.who, holder, sweep)


@pytest.mark.parametrize(
    "signature",
    [
        "transfer(address,uint256)",
        "approve(address,uint256)",
        "increaseAllowance(address,uint256)",
        "burnFrom(address,uint256)",
        "transferFrom(address,address,uint256)",
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
    ],
)
def test_functions_of_tokens_are_refused_on_any_target(owner: Owner, signature: str) -> None:
    place = owner.testnet.deployment
    stranger = owner.testnet.accounts[5].address
    by_length: dict[int, list[Argument]] = {2: [stranger, 1], 3: [owner.who, stranger, 1]}
    arguments = by_length.get(signature.count(",") + 1, [stranger, stranger, 1, 1, 1, bytes(32), bytes(32)])
    owner.fund(place.usdc, 1_000 * DOLLAR)
    hidden = Trade(place.usdc, place.weth, 0, [encode_call(signature, *arguments)])
    assert "a token's function" in owner.why(owner.data({}, [hidden], {}))
    named = Trade(place.usdc, place.usdc, 0, [encode_call("decimals()")])
    assert "target is a token" in owner.why(owner.data({}, [named], {}))


def test_broken_calls_are_refused(owner: Owner) -> None:
    place = owner.testnet.deployment
    stranger = owner.testnet.accounts[5].address
    owner.fund(place.weth, ETHER)

    def why(target: str, parts: Sequence[bytes], amount: int = 0) -> str:
        return owner.why(owner.data({}, [Trade(target, place.weth, amount, parts)], {}))

    for target in (stranger, owner.executor, owner.who):
        assert "no venue" in why(target, [b"\x01\x02\x03\x04"])
    assert "no function" in why(place.swap_router_02, [b"\x01\x02\x03"])
    assert "nothing to spend" in why(place.swap_router_02, [b"\x01\x02\x03\x04", b""], REST)
    assert "out of order" in owner.why(owner.data({place.weth: 1}, [], {place.usdc: 1}, order=False))
    uneven = encode_call(EXECUTE, [place.weth], [], [0], [], [], FOREVER)
    assert "lengths differ" in owner.why(uneven)


def test_tokens_that_answer_false_or_keep_a_part_undo_all(owner: Owner) -> None:
    token = owner.deploy("odd_token")
    owner.testnet.execute(owner.who, token, "mint(address,uint256)", owner.who, 1_000)
    owner.testnet.execute(owner.who, token, "approve(address,uint256)", owner.executor, 1_000)
    data = owner.data({token: 1_000}, [], {token: 1_000})
    owner.testnet.execute(owner.who, token, "set_answer(bool)", False)
    assert "take refused" in owner.why(data)
    owner.testnet.execute(owner.who, token, "set_answer(bool)", True)
    owner.testnet.execute(owner.who, token, "set_tax(bool)", True)
    assert "too little came" in owner.why(data)
    assert owner.testnet.balance_of(token, owner.who) == 1_000


def test_the_factory_puts_it_where_its_owner_expects_it(testnet: Testnet) -> None:
    from sep_executor.contract import FACTORY

    who = address(testnet.accounts[4].address.lower())
    made = contract()
    testnet.send(testnet.accounts[7].address, FACTORY, made.deployment(who))
    code = bytes.fromhex(testnet.rpc.text("eth_getCode", made.address(who), "latest")[2:])
    assert made.is_of(who, code)
    assert not made.is_of(address(testnet.accounts[5].address.lower()), code)
    (named,) = testnet.read(made.address(who), "owner()", ("address",))
    assert str(named).lower() == who
    with pytest.raises(TestnetError):
        testnet.send(testnet.accounts[6].address, FACTORY, made.deployment(who))


def call(owner: Owner, data: bytes) -> dict[str, Json]:
    return {"from": owner.who, "to": owner.executor, "data": "0x" + data.hex()}
