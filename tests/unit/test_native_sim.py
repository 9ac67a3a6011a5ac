"""The simulated chain's Python face, raw."""

import json
import pickle
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sep_native.sim import TIMEOUT_CODE, SimChain, SimRpcError, default_genesis


def ask(chain: SimChain, method: str, *params: object) -> object:
    return json.loads(chain.rpc(method, json.dumps(params)))


def test_errors_carry_code_message_and_data() -> None:
    chain = SimChain(default_genesis(1))
    with pytest.raises(SimRpcError) as caught:
        chain.rpc("eth_nonsense")
    assert (caught.value.code, caught.value.data) == (-32601, None)
    assert str(caught.value) == "the method eth_nonsense does not exist/is not available (code -32601)"
    token = json.loads(default_genesis(1))["tokens"][0]["address"]
    transfer = "0xa9059cbb" + "11".rjust(64, "0") + "1".rjust(64, "0")
    with pytest.raises(SimRpcError, match="transfer amount exceeds balance") as caught:
        ask(chain, "eth_call", {"to": token, "data": transfer}, "latest")
    assert caught.value.code == 3
    assert caught.value.data is not None
    assert caught.value.data.startswith("0x08c379a0")
    ask(
        chain,
        "sim_setFaults",
        {"rules": [{"method": "eth_chainId", "kind": "drop", "taken": True, "at": [1]}]},
    )
    with pytest.raises(SimRpcError) as caught:
        chain.rpc("eth_chainId")
    assert caught.value.code == TIMEOUT_CODE


def test_bodies_are_answered_in_their_shape() -> None:
    chain = SimChain(default_genesis(1))
    one = json.loads(chain.rpc_batch(b'{"id": "a", "method": "eth_chainId"}'))
    assert one == {"id": "a", "jsonrpc": "2.0", "result": "0x7a69"}
    many = json.loads(
        chain.rpc_batch(b'[{"id": 1, "method": "eth_blockNumber", "params": []}, {"id": 2}, 3]')
    )
    assert [("result" in answer, answer["id"]) for answer in many] == [(True, 1), (False, 2), (False, None)]
    assert json.loads(chain.rpc_batch(b"\xff"))["error"]["code"] == -32700
    assert json.loads(chain.rpc_batch(b"[]"))["error"]["code"] == -32600


def test_a_genesis_that_is_none_is_refused_by_name() -> None:
    for text in ("", "{}", "[]", default_genesis(1).replace('"chain_id":31337', '"chain_id":0')):
        with pytest.raises(ValueError, match="genesis: "):
            SimChain(text)


def test_a_handle_is_not_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(SimChain(default_genesis(1)))


def quote(chain: SimChain, genesis: dict[str, object], names: list[int]) -> int:
    """What 3 WETH bring in USDC over pools of the demonstration, by its router."""
    from eth_abi.abi import encode
    from eth_utils.crypto import keccak

    pools = genesis["pools"]
    tokens = genesis["tokens"]
    assert isinstance(pools, list)
    assert isinstance(tokens, list)
    arguments = encode(
        ["address[]", "address", "uint256"],
        [[pools[place]["address"] for place in names], tokens[0]["address"], 3 * 10**18],
    )
    data = "0x" + (keccak(text="quoteExactIn(address[],address,uint256)")[:4] + arguments).hex()
    answer = ask(chain, "eth_call", {"to": genesis["router"], "data": data}, "latest")
    assert isinstance(answer, str)
    return int(answer, 16)


def test_now_the_direct_way_wins_and_now_the_one_over_two_pools() -> None:
    winners = set()
    for seed in range(12):
        genesis = json.loads(default_genesis(seed))
        chain = SimChain(default_genesis(seed))
        paths = {"v2": [0], "v3": [1], "over DAI": [3, 2]}
        quotes = {name: quote(chain, genesis, places) for name, places in paths.items()}
        assert all(2_900 * 3 * 10**6 < amount < 3_100 * 3 * 10**6 for amount in quotes.values())
        winners.add(max(quotes, key=lambda name: quotes[name]))
    assert {"v3", "over DAI"} <= winners


@given(seed=st.integers(0, 2**64 - 1), calls=st.integers(20, 60), chance=st.integers(100_000, 900_000))
@settings(max_examples=25)
def test_faults_of_one_method_do_not_depend_on_others(seed: int, calls: int, chance: int) -> None:
    def outcomes(*, noise: bool) -> list[bool]:
        chain = SimChain(default_genesis(1))
        rules = [
            {"method": method, "kind": "drop", "taken": False, "probability_ppm": chance}
            for method in ("eth_chainId", "eth_gasPrice")
        ]
        ask(chain, "sim_setFaults", {"seed": seed, "rules": rules})
        dropped = []
        for _ in range(calls):
            if noise:
                with suppress(SimRpcError):
                    chain.rpc("eth_gasPrice")
            try:
                chain.rpc("eth_chainId")
                dropped.append(False)
            except SimRpcError:
                dropped.append(True)
        return dropped

    assert outcomes(noise=False) == outcomes(noise=True)
