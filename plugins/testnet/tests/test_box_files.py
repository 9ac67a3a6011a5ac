"""A configuration for several chains refers to nothing that it does not define."""

import json
import tomllib
from dataclasses import fields, replace

from eth_account import Account
from sep_testnet.box import BoxChain
from sep_testnet.box_files import configuration, example_intent, new_key
from sep_testnet.deployment import BalancerPool, Deployment, StablePool, V2Pair, V3Pool

POOL = V3Pool("0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20, 500, 10)
PAIR = V2Pair("0x" + "44" * 20, "0x" + "22" * 20, "0x" + "33" * 20)
TOKENS = ("0x" + "22" * 20, "0x" + "33" * 20)
BALANCER = BalancerPool("0x" + "55" * 20, "0x" + "55" * 32, "weighted", TOKENS)
STABLE = StablePool("0x" + "66" * 20, TOKENS)
NAMES = [field.name for field in fields(Deployment) if field.type is str]
MAINNET = Deployment(
    chain_id=1,
    v3_pools=(POOL,),
    v2_pairs=(PAIR,),
    balancer_pools=(BALANCER,),
    stable_pools=(STABLE,),
    head_number=7,
    **{name: f"0x{number:040x}" for number, name in enumerate(NAMES, 1)},
)
CHAINS = [
    BoxChain("ethereum", "http://127.0.0.1:1001", 1, MAINNET),
    BoxChain("base", "http://127.0.0.1:1002", 2, replace(MAINNET, chain_id=8453)),
]


def test_every_reference_is_defined() -> None:
    config = tomllib.loads(configuration(CHAINS, "0x" + "99" * 20))
    assert set(config["chains"]) == {"ethereum", "base"}
    for section in ("venues", "accounts", "assets"):
        assert {table["chain"] for table in config[section].values()} == {"ethereum", "base"}
    for account in config["accounts"].values():
        for symbol in account["funding"]:
            assert config["assets"][symbol]["chain"] == account["chain"]
    assert config["risk"]["limits"]["numeraire"] in config["assets"]
    assert config["strategies"]["quickstart"]["account"] in config["accounts"]


def test_a_deployment_survives_json() -> None:
    assert Deployment.from_json(MAINNET.to_json()) == MAINNET


def test_the_example_asks_for_a_tenth_of_an_ether_on_the_first_chain() -> None:
    body = json.loads(example_intent(MAINNET))
    assert body["id"] == "a3a2e9a8-1b3c-4d5e-8f6a-7b8c9d0e1f2a"
    assert body["assets"] == [
        {
            "asset": {"symbol": "WETH", "address": MAINNET.weth, "decimals": 18, "chain_id": 1},
            "amount": "100000000000000000",
            "percentage": 1.0,
        }
    ]


def test_each_key_is_new_and_opens_with_its_password_alone() -> None:
    first, second = new_key(), new_key()
    assert first.address != second.address
    assert Account.from_key(Account.decrypt(first.keystore, first.password)).address == first.address
