//! Nanoseconds for a quote without the crossing into Python, as one JSON line.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::hint::black_box;
use std::time::Instant;

use sep_amm::{ConcentratedLiquidity, ConstantProduct, TickTable, U256};

fn nanoseconds(mut work: impl FnMut()) -> u128 {
    let rounds: u32 = 20_000;
    let mut best = u128::MAX;
    for _ in 0..7 {
        let start = Instant::now();
        for _ in 0..rounds {
            work();
        }
        best = best.min(start.elapsed().as_nanos() / u128::from(rounds));
    }
    best
}

fn main() {
    let product = ConstantProduct::new(
        U256::from(10u128.pow(23)),
        U256::from(3 * 10u128.pow(14)),
        3000,
    )
    .unwrap();
    let mut pool = ConcentratedLiquidity::initialized(U256::ONE << 96, 3000, 60).unwrap();
    pool = pool
        .with_liquidity(-887_220, 887_220, 10i128.pow(20))
        .unwrap();
    for step in 0..40 {
        pool = pool
            .with_liquidity(-60 * (step + 1), 60 * (step + 1), 10i128.pow(19))
            .unwrap();
    }
    let table: &TickTable = pool.table();
    let (small, large) = (
        U256::from(10u128.pow(16)),
        U256::from(15u128 * 10u128.pow(18)),
    );
    let crossed = pool.quote(true, large, true).unwrap().ticks_crossed;
    let v2 = nanoseconds(|| {
        black_box(black_box(&product).quote(true, black_box(small), true)).unwrap();
    });
    let v2_out = nanoseconds(|| {
        black_box(black_box(&product).quote(true, black_box(U256::from(10u64.pow(9))), false))
            .unwrap();
    });
    let v3 = nanoseconds(|| {
        black_box(black_box(&pool).quote(true, black_box(small), true)).unwrap();
    });
    let v3_crossing = nanoseconds(|| {
        black_box(black_box(&pool).quote(true, black_box(large), true)).unwrap();
    });
    println!(
        "{{\"bench\":\"quote_rust\",\"v2_ns\":{v2},\"v2_exact_out_ns\":{v2_out},\"v3_in_range_ns\":{v3},\
         \"v3_crossing_ns\":{v3_crossing},\"ticks_crossed\":{crossed},\"ticks\":{}}}",
        table.ticks().len()
    );
}
