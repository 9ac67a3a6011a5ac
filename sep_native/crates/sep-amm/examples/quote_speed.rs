//! Nanoseconds for a quote of each family without the crossing into Python, and for what a solver asks, as one JSON
//! line. Each figure is the best mean of several rounds.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::too_many_lines,
    missing_docs
)]

use std::hint::black_box;
use std::time::Instant;

use sep_amm::real::{
    Ramp, RealConcentrated, RealConstantProduct, RealLane, RealMarket, RealOrderBook, RealSampled,
    RealStableSwap, RealWeightedProduct,
};
use sep_amm::{
    ConcentratedLiquidity, ConstantProduct, Ladder, Lane, LaneTerms, Level, OrderBook, Sampled,
    StableRule, StableSwap, U256, WeightedProduct,
};

fn nanoseconds(mut work: impl FnMut()) -> u128 {
    let rounds: u32 = 5_000;
    let mut best = u128::MAX;
    for _ in 0..9 {
        let start = Instant::now();
        for _ in 0..rounds {
            work();
        }
        best = best.min(start.elapsed().as_nanos() / u128::from(rounds));
    }
    best
}

fn wide(value: u128) -> U256 {
    U256::from(value)
}

fn concentrated() -> ConcentratedLiquidity {
    let mut pool = ConcentratedLiquidity::initialized(U256::ONE << 96, 3000, 60)
        .unwrap()
        .with_liquidity(-887_220, 887_220, 10i128.pow(20))
        .unwrap();
    for step in 1..=40 {
        pool = pool
            .with_liquidity(-60 * step, 60 * step, 10i128.pow(19))
            .unwrap();
    }
    pool
}

fn stable(rule: StableRule, count: usize, fee: u64) -> StableSwap {
    let million = wide(10u128.pow(24));
    let balances = (1..=count).map(|at| million + million * U256::from(at) / U256::from(10));
    let rates = vec![wide(10u128.pow(18)); count];
    let amplification = 200 * rule.amplification_precision();
    StableSwap::new(rule, balances.collect(), rates, amplification, fee).unwrap()
}

fn weighted(weights: &[u64]) -> WeightedProduct {
    let unit = 10u64.pow(18);
    let one = wide(10u128.pow(18));
    WeightedProduct::new(
        vec![wide(10u128.pow(24)); weights.len()],
        vec![one; weights.len()],
        weights.iter().map(|weight| unit / 100 * weight).collect(),
        3 * 10u64.pow(15),
    )
    .unwrap()
}

fn book(levels: u64) -> OrderBook {
    let side = |sign: bool| {
        (1..=levels)
            .map(|at| Level {
                price: if sign { 300_000 + at } else { 300_000 - at },
                size: 100,
            })
            .collect()
    };
    OrderBook::new(
        side(false),
        side(true),
        wide(10u128.pow(14)),
        wide(1),
        500,
        U256::ZERO,
    )
    .unwrap()
}

fn sampled() -> Sampled {
    let samples = (1..=32u128).map(|at| {
        (
            wide(at * 10u128.pow(18)),
            wide(at * 10u128.pow(18) - at * at * 10u128.pow(15)),
        )
    });
    Sampled::new(
        2,
        vec![Ladder {
            asset_in: 0,
            asset_out: 1,
            samples: samples.collect(),
        }],
    )
    .unwrap()
}

fn response(real: &dyn RealMarket, depth: f64) -> u128 {
    let price = real.log_rate(0, 1) - depth;
    nanoseconds(|| {
        black_box(real.respond(0, 1, black_box(price), Ramp::of(1e-4)));
    })
}

fn main() {
    let product =
        ConstantProduct::new(wide(10u128.pow(23)), wide(3 * 10u128.pow(14)), 3000).unwrap();
    let pool = concentrated();
    let (small, large) = (wide(10u128.pow(16)), wide(15u128 * 10u128.pow(18)));
    let far = wide(60u128 * 10u128.pow(18));
    let crossed = |amount| pool.quote(true, amount, true).unwrap().ticks_crossed;
    let (crossed, crossed_far) = (crossed(large), crossed(far));
    let curve = [2, 4, 8].map(|count| stable(StableRule::Curve, count, 4_000_000));
    let balancer = [2, 4].map(|count| stable(StableRule::Balancer, count, 10u64.pow(14)));
    let equal = weighted(&[50, 50]);
    let odd = weighted(&[60, 25, 15]);
    let levels = book(1000);
    let ladder = sampled();
    let lane = Lane::new(LaneTerms {
        rate: (wide(999), wide(1000)),
        fixed_fee: wide(10u128.pow(15)),
        fee_ppm: 400,
        capacity: wide(10u128.pow(24)),
        delay_seconds: 60,
    })
    .unwrap();
    let thousand = wide(10u128.pow(21));
    let figures: Vec<(&str, u128)> = vec![
        (
            "v2_ns",
            nanoseconds(|| {
                black_box(product.quote(true, black_box(small), true)).unwrap();
            }),
        ),
        (
            "v2_exact_out_ns",
            nanoseconds(|| {
                black_box(product.quote(true, black_box(wide(1_000_000_000)), false)).unwrap();
            }),
        ),
        (
            "v3_in_range_ns",
            nanoseconds(|| {
                black_box(pool.quote(true, black_box(small), true)).unwrap();
            }),
        ),
        (
            "v3_in_range_exact_out_ns",
            nanoseconds(|| {
                black_box(pool.quote(true, black_box(small), false)).unwrap();
            }),
        ),
        (
            "v3_ticks_ns",
            nanoseconds(|| {
                black_box(pool.quote(true, black_box(large), true)).unwrap();
            }),
        ),
        (
            "v3_ticks_up_ns",
            nanoseconds(|| {
                black_box(pool.quote(false, black_box(large), true)).unwrap();
            }),
        ),
        (
            "v3_ticks_exact_out_ns",
            nanoseconds(|| {
                black_box(pool.quote(true, black_box(large), false)).unwrap();
            }),
        ),
        (
            "v3_far_ns",
            nanoseconds(|| {
                black_box(pool.quote(true, black_box(far), true)).unwrap();
            }),
        ),
        (
            "v3_first_quote_ns",
            nanoseconds(|| {
                let fresh = pool.with_liquidity(-60, 60, 1).unwrap();
                black_box(fresh.quote(true, black_box(large), true)).unwrap();
            }),
        ),
        (
            "curve_2_ns",
            nanoseconds(|| {
                black_box(curve[0].quote(0, 1, black_box(thousand), true)).unwrap();
            }),
        ),
        (
            "curve_2_exact_out_ns",
            nanoseconds(|| {
                black_box(curve[0].quote(0, 1, black_box(thousand), false)).unwrap();
            }),
        ),
        (
            "curve_4_ns",
            nanoseconds(|| {
                black_box(curve[1].quote(0, 1, black_box(thousand), true)).unwrap();
            }),
        ),
        (
            "curve_8_ns",
            nanoseconds(|| {
                black_box(curve[2].quote(0, 1, black_box(thousand), true)).unwrap();
            }),
        ),
        (
            "curve_2_after_ns",
            nanoseconds(|| {
                black_box(curve[0].after(0, 1, black_box(thousand), true)).unwrap();
            }),
        ),
        (
            "balancer_stable_2_ns",
            nanoseconds(|| {
                black_box(balancer[0].quote(0, 1, black_box(thousand), true)).unwrap();
            }),
        ),
        (
            "balancer_stable_4_ns",
            nanoseconds(|| {
                black_box(balancer[1].quote(0, 1, black_box(thousand), true)).unwrap();
            }),
        ),
        (
            "weighted_equal_ns",
            nanoseconds(|| {
                black_box(equal.quote(0, 1, black_box(thousand), true)).unwrap();
            }),
        ),
        (
            "weighted_power_ns",
            nanoseconds(|| {
                black_box(odd.quote(0, 1, black_box(thousand), true)).unwrap();
            }),
        ),
        (
            "weighted_power_exact_out_ns",
            nanoseconds(|| {
                black_box(odd.quote(0, 1, black_box(thousand), false)).unwrap();
            }),
        ),
        (
            "book_1000_levels_ns",
            nanoseconds(|| {
                black_box(levels.quote(1, 0, black_box(wide(15_000_000_000)), true)).unwrap();
            }),
        ),
        (
            "lane_ns",
            nanoseconds(|| {
                black_box(lane.quote(0, 1, black_box(thousand), true)).unwrap();
            }),
        ),
        (
            "sampled_ns",
            nanoseconds(|| {
                black_box(ladder.quote(0, 1, black_box(large), true)).unwrap();
            }),
        ),
        (
            "real_product_ns",
            response(&RealConstantProduct::from(&product), 0.01),
        ),
        (
            "real_concentrated_ns",
            response(&RealConcentrated::from(&pool), 0.1),
        ),
        (
            "real_concentrated_build_ns",
            nanoseconds(|| {
                black_box(RealConcentrated::from(black_box(&pool)));
            }),
        ),
        (
            "real_stable_build_ns",
            nanoseconds(|| {
                black_box(RealStableSwap::from(black_box(&curve[0])));
            }),
        ),
        (
            "real_stable_near_ns",
            response(&RealStableSwap::from(&curve[0]), 1e-4),
        ),
        (
            "real_stable_far_ns",
            response(&RealStableSwap::from(&curve[0]), 0.1),
        ),
        (
            "real_weighted_ns",
            response(&RealWeightedProduct::new(&odd, true), 0.01),
        ),
        (
            "real_book_ns",
            response(&RealOrderBook::from(&levels), 5e-4),
        ),
        ("real_lane_ns", response(&RealLane::from(&lane), 5e-5)),
        (
            "real_sampled_ns",
            response(&RealSampled::from(&ladder), 0.02),
        ),
    ];
    let fields: Vec<String> = figures
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    println!(
        "{{\"bench\":\"quote_speed\",{},\"ticks_crossed\":{crossed},\"ticks_crossed_far\":{crossed_far},\"ticks\":{}}}",
        fields.join(","),
        pool.table().ticks().len()
    );
}
