use std::collections::BTreeMap;

use alloy_primitives::{Address, U256, address, keccak256};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use crate::{
    Genesis,
    genesis::{Amount, GenesisAccount, GenesisPool, GenesisToken, Noise, Position},
    market::{geometric_mean, sqrt_price_of},
};

/// Addresses of the keys that every local test chain publishes.
const KNOWN_ACCOUNTS: [Address; 3] = [
    address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
    address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"),
    address!("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
];

/// The address of a named contract of the demonstration; the same for every seed.
fn named(name: &str) -> Address {
    Address::from_slice(&keccak256(format!("sep-sim/demo/{name}").as_bytes())[12..])
}

struct Coin {
    address: Address,
    unit: U256,
}

impl Coin {
    fn new(symbol: &str, decimals: u8) -> Self {
        Self {
            address: named(symbol),
            unit: U256::from(10).pow(U256::from(decimals)),
        }
    }

    fn parts(&self, units: u64, per_million: u64) -> U256 {
        self.unit * U256::from(units) * U256::from(per_million) / U256::from(1_000_000)
    }
}

/// A market of two coins near 3000 USDC per WETH: four tokens, five pools, prices seeded up to 0.6 % apart, so that now
/// the direct pool and now the way over a second one is best.
pub fn default_genesis(seed: u64) -> Genesis {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut price =
        |usual: u64| usual * 1_000_000 + usual * (random.next_u64() % 12_001) - usual * 6_000;
    let weth = Coin::new("WETH", 18);
    let usdc = Coin::new("USDC", 6);
    let dai = Coin::new("DAI", 18);
    let wbtc = Coin::new("WBTC", 8);
    let pools = vec![
        product(
            "v2-weth-usdc",
            (&weth, weth.parts(1_000, 1_000_000)),
            (&usdc, usdc.parts(1_000, price(3_000))),
        ),
        concentrated(
            "v3-weth-usdc",
            500,
            10,
            (&weth, weth.parts(300, 1_000_000)),
            (&usdc, usdc.parts(300, price(3_000))),
        ),
        concentrated(
            "v3-dai-usdc",
            100,
            1,
            (&dai, dai.parts(1_000_000, 1_000_000)),
            (&usdc, usdc.parts(1_000_000, 1_000_000)),
        ),
        product(
            "v2-weth-dai",
            (&weth, weth.parts(8_000, 1_000_000)),
            (&dai, dai.parts(8_000, price(3_000))),
        ),
        concentrated(
            "v3-wbtc-weth",
            3_000,
            60,
            (&wbtc, wbtc.parts(50, 1_000_000)),
            (&weth, weth.parts(50, price(20))),
        ),
    ];
    let holdings = |weth_units: u64, usdc_units: u64| -> BTreeMap<Address, Amount> {
        [
            (weth.address, weth.parts(weth_units, 1_000_000)),
            (usdc.address, usdc.parts(usdc_units, 1_000_000)),
            (dai.address, dai.parts(usdc_units, 1_000_000)),
            (wbtc.address, wbtc.parts(2, 1_000_000)),
        ]
        .map(|(token, amount)| (token, Amount(amount)))
        .into()
    };
    let account = |address| GenesisAccount {
        address,
        balance: U256::from(1_000) * weth.unit,
        tokens: holdings(50, 300_000),
    };
    let token = |symbol: &str, decimals| GenesisToken {
        address: named(symbol),
        symbol: symbol.to_owned(),
        decimals,
        wrapped_native: symbol == "WETH",
        // One token of the demonstration behaves as the best-known awkward one does.
        approval_reset: symbol == "USDC",
    };
    Genesis {
        chain_id: 31_337,
        seed,
        timestamp: 1_700_000_000,
        block_interval_seconds: 1,
        base_fee: U256::from(1_000_000_000),
        gas_limit: 30_000_000,
        finality_depth: 4,
        safe_depth: 2,
        suggested_tip: U256::from(1_000_000_000),
        automine: false,
        router: named("router"),
        accounts: KNOWN_ACCOUNTS.into_iter().map(account).collect(),
        tokens: vec![
            token("WETH", 18),
            token("USDC", 6),
            token("DAI", 18),
            token("WBTC", 8),
        ],
        pools,
        noise: None::<Noise>,
    }
}

type Side<'a> = (&'a Coin, U256);

/// Pools order their assets by address.
fn sorted<'a>(a: Side<'a>, b: Side<'a>) -> (Side<'a>, Side<'a>) {
    if a.0.address < b.0.address {
        (a, b)
    } else {
        (b, a)
    }
}

fn product(name: &str, a: Side<'_>, b: Side<'_>) -> GenesisPool {
    let (first, second) = sorted(a, b);
    GenesisPool::ConstantProduct {
        address: named(name),
        token0: first.0.address,
        token1: second.0.address,
        fee_ppm: 3_000,
        reserve0: first.1,
        reserve1: second.1,
    }
}

/// A wide position with the depth of these reserves, and a narrow one ten times as deep.
fn concentrated(
    name: &str,
    fee_ppm: u32,
    tick_spacing: i32,
    a: Side<'_>,
    b: Side<'_>,
) -> GenesisPool {
    let (first, second) = sorted(a, b);
    let sqrt_price_x96 = sqrt_price_of(first.1, second.1);
    let liquidity = geometric_mean(first.1, second.1);
    let tick = sep_amm::tick_at_sqrt_price(sqrt_price_x96).unwrap_or_default();
    let middle = tick.div_euclid(tick_spacing) * tick_spacing;
    let edge = 887_272 / tick_spacing * tick_spacing;
    let positions = vec![
        Position {
            lower: -edge,
            upper: edge,
            liquidity,
        },
        Position {
            lower: middle - 20 * tick_spacing,
            upper: middle + 20 * tick_spacing,
            liquidity: liquidity * U256::from(10),
        },
    ];
    GenesisPool::ConcentratedLiquidity {
        address: named(name),
        token0: first.0.address,
        token1: second.0.address,
        fee_ppm,
        tick_spacing,
        sqrt_price_x96,
        positions,
    }
}
