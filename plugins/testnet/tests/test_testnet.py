"""The helpers do what they say, and a test leaves nothing behind."""

import itertools

import pytest
from eth_account import Account
from sep_testnet import Testnet
from sep_testnet.errors import NodeRejected, TestnetError, TransactionReverted

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = pytest.mark.anvil


def head(testnet: Testnet) -> tuple[object, ...]:
    block = testnet.block()
    return block["hash"], block["number"], testnet.rpc.call("txpool_status")


@pytest.mark.parametrize("attempt", [1, 2])
def test_each_test_finds_the_same_chain(testnet: Testnet, attempt: int) -> None:
    assert testnet.block()["hash"] == testnet.deployment.head_hash
    testnet.mint(testnet.deployment.usdc, testnet.accounts[1].address, attempt)
    testnet.set_automine(False)
    testnet.submit(testnet.accounts[1].address, testnet.accounts[2].address, value=1)


def everything_at_once(testnet: Testnet) -> None:
    user = testnet.accounts[1].address
    testnet.mint(testnet.deployment.weth, user, 10**20)
    testnet.advance_time(86_400)
    testnet.finalize()
    testnet.mine(3)
    testnet.reorg(2)
    testnet.set_base_fee(10**11)
    testnet.set_ether(user, 7 * 10**18)
    testnet.rpc.call("anvil_autoImpersonateAccount", True)
    testnet.set_automine(False)
    testnet.submit(user, user, value=1)


def test_a_revert_undoes_chain_pool_clock_fee_and_mining(testnet: Testnet) -> None:
    before = head(testnet)
    following = set()
    for _ in range(2):
        with testnet.isolated():
            everything_at_once(testnet)
        assert head(testnet) == before
        with testnet.isolated():
            testnet.mint(testnet.deployment.usdc, testnet.accounts[1].address, 5)
            following.add(testnet.block()["hash"])
            assert int(str(testnet.block()["baseFeePerGas"]), 16) == 10**9
    assert len(following) == 1
    with pytest.raises(NodeRejected):
        testnet.submit("0x" + "11" * 20, "0x" + "22" * 20)


def test_a_snapshot_serves_once(testnet: Testnet) -> None:
    snapshot = testnet.snapshot()
    testnet.revert(snapshot)
    with pytest.raises(TestnetError, match="is gone"):
        testnet.revert(snapshot)
    testnet.set_automine(True)


def test_money_from_nothing(testnet: Testnet) -> None:
    user = testnet.accounts[3].address
    for token, amount in itertools.product(testnet.deployment.tokens.values(), (1, 10**24)):
        before = testnet.balance_of(token, user)
        testnet.mint(token, user, amount)
        assert testnet.balance_of(token, user) == before + amount
    testnet.set_ether(user, 12345)
    assert testnet.ether_of(user) == 12345


def test_keys_belong_to_the_accounts(testnet: Testnet) -> None:
    assert len(testnet.accounts) == 10
    for account in testnet.accounts:
        assert Account.from_key(account.private_key).address == account.address
    assert testnet.accounts[0].address == testnet.deployment.deployer


def test_a_transaction_waits_for_a_block_and_can_be_dropped(testnet: Testnet) -> None:
    sender, receiver = testnet.accounts[1].address, testnet.accounts[2].address
    before = testnet.ether_of(receiver)
    testnet.set_automine(False)
    kept = testnet.submit(sender, receiver, value=1)
    dropped = testnet.submit(sender, receiver, value=1)
    assert testnet.rpc.call("eth_getTransactionReceipt", kept) is None
    testnet.drop(dropped)
    testnet.mine()
    assert testnet.receipt(kept)["status"] == "0x1"
    assert testnet.rpc.call("eth_getTransactionByHash", dropped) is None
    assert testnet.ether_of(receiver) == before + 1


def test_a_reorganisation_takes_a_transaction_out_and_can_put_one_in(testnet: Testnet) -> None:
    sender, receiver = testnet.accounts[1], testnet.accounts[2].address
    transaction = {
        "chainId": testnet.chain_id,
        "nonce": 0,
        "to": receiver,
        "value": 5,
        "gas": 21000,
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 10**9,
        "type": 2,
    }
    signed = Account.sign_transaction(transaction, sender.private_key).raw_transaction.to_0x_hex()
    before = testnet.ether_of(receiver)
    taken_out = testnet.rpc.text("eth_sendRawTransaction", signed)
    testnet.receipt(taken_out)
    testnet.mine(2)
    removed = testnet.block()
    testnet.reorg(3)
    assert testnet.block()["hash"] != removed["hash"]
    assert testnet.rpc.call("eth_getTransactionReceipt", taken_out) is None
    assert testnet.ether_of(receiver) == before
    testnet.reorg(1, [(signed, 0)])
    assert testnet.receipt(taken_out)["status"] == "0x1"
    assert testnet.ether_of(receiver) == before + 5


def test_finality_follows_on_demand(testnet: Testnet) -> None:
    testnet.mine()
    wanted = testnet.block()
    testnet.finalize()
    final = testnet.block("finalized")
    assert int(str(final["number"]), 16) >= int(str(wanted["number"]), 16)


def test_a_revert_is_told(testnet: Testnet) -> None:
    poor = testnet.accounts[4].address
    with pytest.raises(TransactionReverted):
        testnet.execute(poor, testnet.deployment.usdc, "transfer(address,uint256)", poor, 1)


def test_any_address_can_be_impersonated_for_a_while(testnet: Testnet) -> None:
    pair = testnet.deployment.v2_pairs[0].address
    testnet.set_ether(pair, 10**19)
    with testnet.impersonated(pair):
        testnet.send(pair, testnet.accounts[1].address, value=1)
    with pytest.raises(NodeRejected):
        testnet.send(pair, testnet.accounts[1].address, value=1)
