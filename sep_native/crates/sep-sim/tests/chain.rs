//! Properties of the simulated chain that need no signature.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use alloy_primitives::{Address, U256, hex};
use alloy_sol_types::{SolCall, sol};
use proptest::prelude::*;
use sep_sim::{Chain, Genesis, default_genesis};
use serde_json::{Value, json};

sol! {
    function approve(address spender, uint256 value) external returns (bool);
    function balanceOf(address owner) external view returns (uint256);
    function getReserves() external view returns (uint112 reserve0, uint112 reserve1, uint32 last);
    function swapExactIn(address[] pools, address assetIn, uint256 amountIn, uint256 minimumOut, address recipient, uint256 deadline) external returns (uint256);
    function swapExactOut(address[] pools, address assetIn, uint256 amountOut, uint256 maximumIn, address recipient, uint256 deadline) external returns (uint256);
}

const OWNER: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";

fn chain(seed: u64) -> Chain {
    Chain::new(default_genesis(seed)).unwrap()
}

fn ask(chain: &mut Chain, method: &str, params: &Value) -> Value {
    serde_json::from_slice(&chain.rpc(method, &params.to_string()).unwrap()).unwrap()
}

fn document(seed: u64) -> Value {
    serde_json::from_str(&default_genesis(seed).to_json().unwrap()).unwrap()
}

fn address(value: &Value) -> Address {
    value.as_str().unwrap().parse().unwrap()
}

fn call(to: Address, data: &[u8]) -> Value {
    json!({"from": OWNER, "to": to.to_string().to_lowercase(), "data": hex::encode_prefixed(data)})
}

fn simulated(chain: &mut Chain, calls: &[Value]) -> Vec<Value> {
    let body = json!([{"blockStateCalls": [{"calls": calls}]}, "latest"]);
    ask(chain, "eth_simulateV1", &body)[0]["calls"]
        .as_array()
        .unwrap()
        .clone()
}

fn word(result: &Value, place: usize) -> U256 {
    let data = hex::decode(result["returnData"].as_str().unwrap()).unwrap();
    U256::from_be_slice(&data[32 * place..32 * place + 32])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is swapped, every pool holds at least what it owes, and a round trip never gains.
    #[test]
    fn pools_stay_solvent(seed in any::<u64>(), swaps in prop::collection::vec((0_usize..5, any::<bool>(), 1_u64..1_000_000_000, any::<bool>()), 1..25)) {
        let genesis = document(seed);
        let router = address(&genesis["router"]);
        let pools = genesis["pools"].as_array().unwrap();
        let mut chain = chain(seed);
        let mut calls: Vec<Value> = genesis["tokens"].as_array().unwrap().iter()
            .map(|token| call(address(&token["address"]), &approveCall { spender: router, value: U256::MAX }.abi_encode()))
            .collect();
        let approvals = calls.len();
        for (place, first, size, exact_in) in &swaps {
            let pool = &pools[*place];
            let asset = address(&pool[if *first { "token0" } else { "token1" }]);
            let (amount, limit) = (U256::from(*size) * U256::from(1_000), U256::MAX);
            let data = if *exact_in {
                swapExactInCall {
                    pools: vec![address(&pool["address"])], assetIn: asset, amountIn: amount, minimumOut: U256::ZERO,
                    recipient: OWNER.parse().unwrap(), deadline: U256::MAX,
                }.abi_encode()
            } else {
                swapExactOutCall {
                    pools: vec![address(&pool["address"])], assetIn: asset, amountOut: amount, maximumIn: limit,
                    recipient: OWNER.parse().unwrap(), deadline: U256::MAX,
                }.abi_encode()
            };
            calls.push(call(router, &data));
        }
        let swapped = calls.len();
        for pool in pools {
            for token in ["token0", "token1"] {
                let data = balanceOfCall { owner: address(&pool["address"]) }.abi_encode();
                calls.push(call(address(&pool[token]), &data));
            }
            calls.push(call(address(&pool["address"]), &getReservesCall {}.abi_encode()));
        }
        let results = simulated(&mut chain, &calls);
        prop_assert!(results[..approvals].iter().all(|result| result["status"] == "0x1"));
        for result in &results[approvals..swapped] {
            // A swap that its pool cannot serve reverts with a reason; nothing else fails.
            prop_assert!(result["status"] == "0x1" || result["error"]["message"].as_str().unwrap().len() > 20, "{}", result);
        }
        for (place, pool) in pools.iter().enumerate() {
            let checks = &results[swapped + 3 * place..swapped + 3 * place + 3];
            if pool["family"] == "constant_product" {
                prop_assert_eq!(word(&checks[0], 0), word(&checks[2], 0));
                prop_assert_eq!(word(&checks[1], 0), word(&checks[2], 1));
            } else {
                prop_assert_eq!(&checks[2]["status"], "0x0");
            }
        }
    }

    /// Calls of any shape are answered, never a panic, and reads leave the chain as it was.
    #[test]
    fn any_body_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..200), method in "(eth|sim|net)_[a-zA-Z]{1,24}", params in "\\[(\"0x[0-9a-f]{0,8}\"|\\{\\}|[0-9]{1,20}|null|true)?(,\"latest\")?\\]") {
        let mut chain = chain(1);
        let before = chain.rpc("eth_getBlockByNumber", "[\"latest\"]").unwrap();
        prop_assert!(serde_json::from_slice::<Value>(&chain.rpc_body(&bytes)).is_ok());
        let _ = chain.rpc(&method, &params);
        prop_assert_eq!(chain.rpc("eth_getBlockByNumber", "[\"0x0\"]").unwrap(), before);
    }

    /// Known methods bear odd parameters.
    #[test]
    fn known_methods_bear_odd_parameters(method in prop::sample::select(METHODS.to_vec()), params in odd_parameters()) {
        let mut chain = chain(1);
        let _ = chain.rpc(method, &params.to_string());
        prop_assert!(chain.rpc("eth_blockNumber", "").is_ok());
    }

    /// Noise, nudges and reorganisations are the same on every run of one seed.
    #[test]
    fn the_same_calls_give_the_same_chain(seed in any::<u64>(), steps in prop::collection::vec((0_u8..4, 1_u64..4, 0_usize..5), 1..12)) {
        let heads: Vec<Value> = (0..2).map(|_| {
            let genesis = document(seed);
            let mut text = genesis.clone();
            text["noise"] = json!({"max_bps": 40});
            let mut chain = Chain::new(Genesis::parse(&text.to_string()).unwrap()).unwrap();
            for (kind, count, place) in &steps {
                match kind {
                    0 => drop(ask(&mut chain, "sim_mine", &json!([count]))),
                    1 => drop(chain.rpc("sim_reorg", &json!([count, {"blocks": count + 1}]).to_string())),
                    2 => {
                        let pool = &genesis["pools"][*place]["address"];
                        drop(ask(&mut chain, "sim_nudge", &json!([{"pool": pool, "bps": count * 10, "up": count % 2 == 0}])));
                    }
                    _ => drop(ask(&mut chain, "sim_setBalance", &json!([{"address": OWNER, "amount": count}]))),
                }
            }
            ask(&mut chain, "eth_getBlockByNumber", &json!(["latest"]))
        }).collect();
        prop_assert_eq!(&heads[0], &heads[1]);
    }
}

const METHODS: [&str; 28] = [
    "eth_getBlockByNumber",
    "eth_getBlockByHash",
    "eth_getLogs",
    "eth_call",
    "eth_estimateGas",
    "eth_simulateV1",
    "eth_getTransactionCount",
    "eth_getBalance",
    "eth_getCode",
    "eth_feeHistory",
    "eth_gasPrice",
    "eth_syncing",
    "eth_getTransactionReceipt",
    "eth_getTransactionByHash",
    "eth_sendRawTransaction",
    "sim_setAutomine",
    "sim_setFinality",
    "sim_setLeastBaseFee",
    "sim_setFaults",
    "sim_reorg",
    "sim_dropTransaction",
    "sim_pendingTransactions",
    "sim_mintToken",
    "sim_setBalance",
    "sim_nudge",
    "sim_setPrice",
    "sim_counters",
    "sim_genesis",
];

fn odd_parameters() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        Just(json!(OWNER)),
        Just(document(1)["pools"][0]["address"].clone()),
        Just(document(1)["tokens"][0]["address"].clone()),
        Just(json!("latest")),
        "0x[0-9a-f]{0,70}".prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "from",
        "to",
        "data",
        "value",
        "gas",
        "blockHash",
        "fromBlock",
        "toBlock",
        "address",
        "topics",
        "pool",
        "bps",
        "token",
        "amount",
        "amount0",
        "amount1",
        "blockStateCalls",
        "calls",
        "rules",
        "blocks",
        "hold",
        "force",
        "time",
        "blockOverrides",
        "stateOverrides",
        "balance",
    ]);
    let value = leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys.clone(), inner), 0..5).prop_map(|fields| Value::Object(
                fields
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()
            )),
        ]
    });
    prop::collection::vec(value, 0..4).prop_map(Value::from)
}

#[test]
fn genesis_documents_are_checked() {
    let altered = |pointer: &str, value: Value| {
        let mut text = document(1);
        *text.pointer_mut(pointer).unwrap() = value;
        Genesis::parse(&text.to_string()).and_then(Chain::new)
    };
    assert!(altered("/seed", json!(2)).is_ok());
    for (pointer, value) in [
        ("/chain_id", json!(0)),
        ("/timestamp", json!(u64::MAX)),
        ("/block_interval_seconds", json!(0)),
        ("/gas_limit", json!(20_999)),
        ("/base_fee", json!(U256::MAX.to_string())),
        ("/base_fee", json!("-1")),
        ("/base_fee", json!(1.5)),
        ("/router", json!("0x12")),
        ("/pools/0/token0", json!(OWNER)),
        ("/pools/0/address", document(1)["router"].clone()),
        ("/pools/1/fee_ppm", json!(1_000_000)),
        ("/pools/1/positions/0/lower", json!(5)),
        ("/pools/1/sqrt_price_x96", json!("0")),
        ("/accounts/0/address", document(1)["router"].clone()),
    ] {
        let refused = altered(pointer, value).map(|_| pointer).unwrap_err();
        assert!(refused.to_string().starts_with("genesis: "), "{pointer}");
    }
}
