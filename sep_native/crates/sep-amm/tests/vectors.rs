//! Amounts equal those of independent references in big integers, to the last unit.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::str::FromStr;

use sep_amm::{AmmError, Quote, StableRule, StableSwap, U256, WeightedProduct};

fn number<T: FromStr>(text: &str) -> T {
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("not a number: {text}"))
}

fn list<T: FromStr>(text: &str) -> Vec<T> {
    text.split_whitespace().map(number).collect()
}

/// What a line asks and answers.
struct Case<'a> {
    fields: Vec<&'a str>,
    asset_in: usize,
    asset_out: usize,
    amount: U256,
    exact_in: bool,
    /// The other amount, or nothing where the contract reverts.
    other: Option<U256>,
}

fn cases(text: &str) -> impl Iterator<Item = Case<'_>> {
    text.lines().map(|line| {
        let fields: Vec<&str> = line.split(';').map(str::trim).collect();
        Case {
            asset_in: number(fields[7]),
            asset_out: number(fields[8]),
            amount: number(fields[9]),
            exact_in: fields[10] == "1",
            other: (fields[11] != "reverts").then(|| number(fields[11])),
            fields,
        }
    })
}

impl Case<'_> {
    fn check(&self, quote: Result<Quote, AmmError>) {
        match (self.other, quote) {
            (None, answer) => {
                assert!(answer.is_err(), "{:?}: {answer:?}", self.fields);
            }
            (Some(other), Ok(quote)) => {
                let (given, found) = if self.exact_in {
                    (quote.amount_in, quote.amount_out)
                } else {
                    (quote.amount_out, quote.amount_in)
                };
                assert!(given >= self.amount, "{:?}", self.fields);
                assert_eq!(found, other, "{:?}", self.fields);
            }
            (Some(_), Err(error)) => panic!("{:?}: {error}", self.fields),
        }
    }
}

/// The quote of a stable pool; a pool whose invariant does not settle reverts at every swap.
fn stable(rule: StableRule, case: &Case<'_>) -> Result<Quote, AmmError> {
    let fields = &case.fields;
    StableSwap::new(
        rule,
        list(fields[1]),
        list(fields[2]),
        number(fields[4]),
        number(fields[5]),
    )?
    .with_admin_fee(number(fields[6]))?
    .quote(case.asset_in, case.asset_out, case.amount, case.exact_in)
}

#[test]
fn curve_pools_of_2_to_8_coins() {
    for case in cases(include_str!("vectors/curve.txt")) {
        case.check(stable(StableRule::Curve, &case));
    }
}

/// Numbers of an implementation that others wrote, drawn once.
#[test]
fn curve_pools_as_others_compute_them() {
    for case in cases(include_str!("vectors/curve_other.txt")) {
        case.check(stable(StableRule::Curve, &case));
    }
}

#[test]
fn balancer_stable_pools_of_2_to_5_tokens() {
    for case in cases(include_str!("vectors/balancer.txt")) {
        case.check(stable(StableRule::Balancer, &case));
    }
}

#[test]
fn weighted_pools_of_2_to_8_tokens() {
    for case in cases(include_str!("vectors/weighted.txt")) {
        let fields = &case.fields;
        let pool = WeightedProduct::new(
            list(fields[1]),
            list(fields[2]),
            list(fields[3]),
            number(fields[5]),
        )
        .unwrap();
        case.check(pool.quote(case.asset_in, case.asset_out, case.amount, case.exact_in));
    }
}
