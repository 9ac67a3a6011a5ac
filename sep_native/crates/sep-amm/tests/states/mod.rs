//! Random states of each family.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use sep_amm::{
    Ladder, Lane, LaneTerms, Level, OrderBook, Sampled, StableRule, StableSwap, U256,
    WeightedProduct,
};

pub(crate) const UNIT: u64 = 1_000_000_000_000_000_000;
const DECIMALS: [u32; 3] = [6, 8, 18];

prop_compose! {
    fn any_stable(rule: StableRule)(
        base in -1f64..9.0,
        parts in prop::collection::vec((-1f64..1.0, prop::sample::select(&DECIMALS[..])), 2..8),
        amplification in prop::sample::select(&[2u64, 10, 100, 200, 2000, 5000][..]),
        fee in prop::sample::select(&[1u64, 4, 40, 300][..]),
        admin_half: bool,
    ) -> StableSwap {
        let rates = parts.iter().map(|(_, decimals)| U256::from(10u128.pow(36 - decimals))).collect();
        let balances = parts.iter()
            .map(|(part, decimals)| U256::from(10f64.powf(base + part + f64::from(*decimals)))).collect();
        let amplification = amplification * rule.amplification_precision();
        let fee = fee * (rule.fee_denominator() / 10_000);
        let admin_fee = if admin_half && rule == StableRule::Curve { rule.fee_denominator() / 2 } else { 0 };
        StableSwap::new(rule, balances, rates, amplification, fee).and_then(|pool| pool.with_admin_fee(admin_fee)).unwrap()
    }
}

/// A stable pool of a few units to a milliard of 2 to 8 assets, apart by a factor of up to 100.
pub(crate) fn stable(rule: StableRule) -> impl Strategy<Value = StableSwap> {
    any_stable(rule).prop_filter("the invariant does not settle", |pool| {
        !pool.invariant().is_zero()
    })
}

prop_compose! {
    pub(crate) fn weighted()(
        shares in prop::collection::vec((1u64..20, 0f64..9.0, prop::sample::select(&DECIMALS[..])), 2..8),
        fee in prop::sample::select(&[1u64, 10, 30, 100][..]),
        even: bool,
    ) -> WeightedProduct {
        let share = |share: u64| if even { 1 } else { share };
        let total: u64 = shares.iter().map(|entry| share(entry.0)).sum();
        let mut weights: Vec<u64> = shares.iter().map(|entry| (UNIT / total * share(entry.0)).max(UNIT / 100)).collect();
        let others: u64 = weights.iter().sum::<u64>();
        let largest = weights.iter().copied().max().unwrap();
        let at = weights.iter().position(|weight| *weight == largest).unwrap();
        weights[at] = largest + UNIT - others;
        let balances = shares.iter()
            .map(|(_, size, decimals)| U256::from(10f64.powf(size + f64::from(*decimals)))).collect();
        let scaling = shares.iter().map(|(_, _, decimals)| U256::from(10u128.pow(36 - decimals))).collect();
        WeightedProduct::new(balances, scaling, weights, fee * (UNIT / 10_000)).unwrap()
    }
}

prop_compose! {
    pub(crate) fn book()(
        middle in 2_000u64..1_000_000,
        bids in prop::collection::vec((1u64..40, 1u64..10_000), 1..30),
        asks in prop::collection::vec((1u64..40, 1u64..10_000), 1..30),
        lot in 1u64..10_000_000, tick in 1u64..10_000, fee in 0u32..5000,
        least in prop_oneof![Just(0u64), 1u64..1 << 50],
    ) -> OrderBook {
        let mut price = middle;
        let asks = asks.iter().map(|(gap, size)| { price += gap; Level { price, size: *size } }).collect();
        let mut price = middle;
        let bids = bids.iter().map(|(gap, size)| { price -= gap; Level { price, size: *size } }).collect();
        OrderBook::new(bids, asks, U256::from(lot), U256::from(tick), fee, U256::from(least)).unwrap()
    }
}

prop_compose! {
    pub(crate) fn lane()(
        numerator in 1u128..1 << 90, denominator in 1u128..1 << 90, fee_ppm in 0u32..100_000,
        fixed in 0u64..1 << 40, capacity in 1u128..1 << 100,
    ) -> Lane {
        Lane::new(LaneTerms {
            rate: (U256::from(numerator), U256::from(denominator)), fixed_fee: U256::from(fixed), fee_ppm,
            capacity: U256::from(capacity), delay_seconds: 60,
        }).unwrap()
    }
}

prop_compose! {
    /// A venue that gives less and less for more, as far as it was asked.
    pub(crate) fn sampled()(
        mut steps in prop::collection::vec((1u64..1 << 40, 0u64..1 << 20), 1..30),
    ) -> Sampled {
        steps.sort_by_key(|step| std::cmp::Reverse(step.1));
        let mut at = (U256::ZERO, U256::ZERO);
        let samples = steps.iter().map(|(more, rate)| {
            at = (at.0 + U256::from(*more), at.1 + U256::from((u128::from(*more) * u128::from(*rate)) >> 18));
            at
        }).collect();
        Sampled::new(2, vec![Ladder { asset_in: 0, asset_out: 1, samples }]).unwrap()
    }
}

/// Amounts of 1 to 120 bits, each length as likely.
pub(crate) fn amount() -> impl Strategy<Value = U256> {
    (1u32..120, any::<u128>())
        .prop_map(|(bits, value)| U256::from(value >> (128 - bits)).max(U256::ONE))
}
