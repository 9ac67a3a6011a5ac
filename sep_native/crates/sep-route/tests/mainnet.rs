//! Real pools: 17 Uniswap V3 and 2 Uniswap V2 of Ethereum, where the data lies beside the repository.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod support;

use std::path::Path;

use sep_amm::{ConcentratedLiquidity, ConstantProduct, Tick, TickTable, U256, tick_at_sqrt_price};
use sep_route::{Limits, MarketState, Network, Problem, Utility};
use serde_json::Value;
use support::{net, solved};

fn number(value: &Value) -> U256 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        other => other.to_string().parse().unwrap(),
    }
}

fn state(protocol: &str, state: &Value) -> MarketState {
    if protocol == "UniswapV2State" {
        let pool =
            ConstantProduct::new(number(&state["reserve0"]), number(&state["reserve1"]), 3000)
                .unwrap();
        return MarketState::ConstantProduct(pool);
    }
    let fee = match state["fee"].as_str().unwrap() {
        "Lowest" => 100,
        "Low" => 500,
        "MediumLow" => 2500,
        "Medium" => 3000,
        "High" => 10_000,
        other => panic!("the fee {other} is not known"),
    };
    let table = &state["ticks"];
    let ticks = table["ticks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tick| {
            let index = i32::try_from(tick["index"].as_i64().unwrap()).unwrap();
            Tick::from_net(
                index,
                tick["net_liquidity"].as_str().unwrap().parse().unwrap(),
            )
        })
        .collect();
    let spacing = i32::try_from(table["tick_spacing"].as_i64().unwrap()).unwrap();
    let price = number(&state["sqrt_price"]);
    let pool = ConcentratedLiquidity::new(
        price,
        tick_at_sqrt_price(price).unwrap(),
        u128::try_from(number(&state["liquidity"])).unwrap(),
        fee,
        TickTable::new(spacing, ticks, None).unwrap(),
    );
    MarketState::Concentrated(pool.unwrap())
}

/// Whole numbers of more than 64 bits as text, so that none is rounded.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(at) = rest.find("liquidity\": ") {
        let begin = at + "liquidity\": ".len();
        let end = begin
            + rest[begin..]
                .find(|letter: char| !letter.is_ascii_digit() && letter != '-')
                .unwrap();
        for piece in [&rest[..begin], "\"", &rest[begin..end], "\""] {
            quoted.push_str(piece);
        }
        rest = &rest[end..];
    }
    quoted + rest
}

fn mainnet() -> Option<Network> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../../shared/data/pools/ethereum-mainnet-pools.json");
    let text = std::fs::read_to_string(path).ok()?;
    let pools: Vec<Value> = serde_json::from_str(&quoted(&text)).unwrap();
    let mut network = Network::new();
    for (at, pool) in pools.iter().enumerate() {
        let names: Vec<&str> = pool["tokens"]
            .as_array()
            .unwrap()
            .iter()
            .map(|token| token["symbol"].as_str().unwrap())
            .collect();
        let market = state(
            pool["state"]["protocol"].as_str().unwrap(),
            &pool["state"]["state"],
        );
        network
            .set(&format!("pool{at:02}"), &names, market, 120_000)
            .unwrap();
    }
    Some(network)
}

#[test]
fn real_pools_from_a_hundredth_to_ten_thousand_ether() {
    let Some(network) = mainnet() else {
        println!("SKIPPED: the mainnet pools are not beside the repository");
        return;
    };
    let assets: std::collections::BTreeSet<String> = network
        .markets()
        .flat_map(|market| {
            network
                .assets_of(market)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    let mut solved_count = 0;
    for want in assets.iter().filter(|asset| *asset != "WETH") {
        for exponent in 0..=6u32 {
            // 0.01 to 10,000 WETH.
            let amount = U256::from(10u128.pow(16 + exponent));
            for max_legs in [usize::MAX, 8, 2] {
                let limits = Limits {
                    max_legs,
                    ..Limits::default()
                };
                let utility = Utility::ExactIn {
                    spend: vec![("WETH".into(), amount)],
                    want: want.clone(),
                };
                let problem = Problem::new(utility, limits).unwrap();
                let Ok(solution) = network.solve(&problem) else {
                    continue;
                };
                if let Err(e) = solution.verify(&network) {
                    println!(
                        "{want} {exponent} {max_legs} {e} {:?} {:?} {:?} {:?}",
                        solution.legs, solution.prices, solution.method, solution.order
                    );
                }
                solved_count += 1;
                let ours = net(&solution, want);
                if let Some(path) = &solution.best_path {
                    assert!(
                        ours >= f64::from(path.amount_out),
                        "{want} {exponent} {max_legs}"
                    );
                }
                for chunks in [20, 256] {
                    if let Some((bought, _)) = network.greedy(&problem, chunks) {
                        assert!(
                            ours >= f64::from(bought) * (1.0 - 1e-7) - 2.0,
                            "{want} {exponent} {max_legs} {chunks}: {ours} {bought}"
                        );
                    }
                }
                if max_legs == usize::MAX
                    && solution.inputs.iter().all(|(_, spent)| *spent == amount)
                {
                    let units = 10.0 / solution.bound;
                    assert!(
                        solution.gap < 1e-6 + units,
                        "{want} {exponent}: {:e}",
                        solution.gap
                    );
                }
            }
        }
    }
    assert!(solved_count > 20, "{solved_count}");
    let solution = solved(
        &network,
        &Problem::new(
            Utility::ExactIn {
                spend: vec![("WETH".into(), U256::from(10u128.pow(19)))],
                want: "USDC".into(),
            },
            Limits::default(),
        )
        .unwrap(),
    );
    println!(
        "10 WETH: {} USDC in {} legs, gap {:e}",
        solution.output("USDC"),
        solution.legs.len(),
        solution.gap
    );
}
