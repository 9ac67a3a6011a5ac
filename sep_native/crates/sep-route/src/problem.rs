use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ruint::aliases::U256;

use crate::RouteError;

/// A worth or a price: numerator and denominator.
pub type Fraction = (U256, U256);

/// What is to be made as good as possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Utility {
    /// The most of `want` for exactly these amounts of one asset or of a basket.
    ExactIn {
        /// What is given: asset and amount in base units.
        spend: Vec<(String, U256)>,
        /// What is bought.
        want: String,
    },
    /// Exactly `amount` of `want` for the least worth of the funding assets, alone or mixed.
    ExactOut {
        /// What is bought.
        want: String,
        /// How much of it.
        amount: U256,
        /// What may be spent, and the worth of a base unit of each in a common measure.
        funding: Vec<(String, Fraction)>,
    },
    /// Holdings turned into shares of the whole at reference prices, with the least loss of worth.
    Rebalance {
        /// What is held: asset and amount in base units.
        holdings: Vec<(String, U256)>,
        /// What is to be held: asset, its weight, and the worth of a base unit in a common measure.
        targets: Vec<Target>,
    },
    /// The most of `want` for nothing: what the snapshot's own contradictions pay.
    Arbitrage {
        /// What is earned.
        want: String,
    },
}

/// A share of the whole that is to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The asset.
    pub asset: String,
    /// Its share, in proportion to the other weights; 0 where all of it is to be sold.
    pub weight: u64,
    /// Worth of a base unit.
    pub price: Fraction,
}

/// Whether loops through markets that contradict each other belong to a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arbitrage {
    /// No loops: assets are put in an order, and each market is used in one direction.
    #[default]
    Exclude,
    /// Loops are kept; the plan needs one atomic bundle.
    Include,
}

/// What a plan may cost and use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most legs a plan may have.
    pub max_legs: usize,
    /// The most markets that any part of the flow may pass one after another; without a limit by default.
    pub max_hops: usize,
    /// Time after which the best answer so far is returned.
    pub time: Option<Duration>,
    /// Whether loops are kept.
    pub arbitrage: Arbitrage,
    /// Markets that must not be used.
    pub exclude: BTreeSet<String>,
    /// Worth of a unit of gas: in base units of the wanted asset, or in the measure of the reference values.
    pub gas_price: Fraction,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_legs: usize::MAX,
            max_hops: usize::MAX,
            time: None,
            arbitrage: Arbitrage::Exclude,
            exclude: BTreeSet::new(),
            gas_price: (U256::ZERO, U256::ONE),
        }
    }
}

/// What is wanted, within which limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    utility: Utility,
    limits: Limits,
}

impl Problem {
    /// A problem, unless it contradicts itself.
    pub fn new(utility: Utility, limits: Limits) -> Result<Self, RouteError> {
        match utility.fault().or_else(|| limits.fault()) {
            Some(fault) => Err(RouteError::Invalid(fault)),
            None => Ok(Self { utility, limits }),
        }
    }

    /// What is to be made as good as possible.
    pub fn utility(&self) -> &Utility {
        &self.utility
    }

    /// Whether a plan's legs are swaps for exact inputs; else for exact outputs.
    pub(crate) fn exact_in(&self) -> bool {
        !matches!(self.utility, Utility::ExactOut { .. })
    }

    /// What a plan may cost and use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Worth of an amount of gas, rounded up.
    pub(crate) fn gas_worth(&self, gas: u64) -> U256 {
        let (above, below) = self.limits.gas_price;
        above
            .checked_mul(U256::from(gas))
            .map_or(U256::MAX, |product| product.div_ceil(below))
    }

    /// Worth of a unit of gas as a real number.
    pub(crate) fn gas_price(&self) -> f64 {
        real(self.limits.gas_price)
    }
}

/// A fraction as a real number.
pub(crate) fn real((above, below): Fraction) -> f64 {
    f64::from(above) / f64::from(below)
}

fn is_positive((above, below): Fraction) -> bool {
    !above.is_zero() && !below.is_zero()
}

fn are_distinct<'a>(names: impl Iterator<Item = &'a String>) -> bool {
    let mut seen = BTreeSet::new();
    names.into_iter().all(|name| seen.insert(name))
}

impl Utility {
    fn fault(&self) -> Option<&'static str> {
        match self {
            Self::ExactIn { spend, want } => {
                if spend.is_empty() || spend.iter().any(|(_, amount)| amount.is_zero()) {
                    Some("the amount is zero")
                } else if spend.iter().any(|(asset, _)| asset == want) {
                    Some("the wanted asset is among those that are spent")
                } else if !are_distinct(spend.iter().map(|(asset, _)| asset)) {
                    Some("an asset is spent twice")
                } else {
                    None
                }
            }
            Self::ExactOut {
                want,
                amount,
                funding,
            } => {
                if amount.is_zero() {
                    Some("the amount is zero")
                } else if funding.is_empty() {
                    Some("no funding asset is given")
                } else if funding.iter().any(|(asset, _)| asset == want) {
                    Some("the wanted asset is among the funding assets")
                } else if !are_distinct(funding.iter().map(|(asset, _)| asset)) {
                    Some("a funding asset is given twice")
                } else if !funding.iter().all(|(_, worth)| is_positive(*worth)) {
                    Some("a reference value is not above zero")
                } else {
                    None
                }
            }
            Self::Rebalance { holdings, targets } => {
                let priced: BTreeMap<_, _> = targets
                    .iter()
                    .map(|target| (&target.asset, target))
                    .collect();
                if holdings.iter().all(|(_, amount)| amount.is_zero()) {
                    Some("nothing is held")
                } else if targets.iter().all(|target| target.weight == 0) {
                    Some("no target has a weight")
                } else if !are_distinct(holdings.iter().map(|(asset, _)| asset))
                    || priced.len() != targets.len()
                {
                    Some("an asset is named twice")
                } else if !targets.iter().all(|target| is_positive(target.price)) {
                    Some("a reference value is not above zero")
                } else if holdings
                    .iter()
                    .any(|(asset, _)| !priced.contains_key(asset))
                {
                    Some(
                        "each asset that is held needs a target, with a weight of 0 where it is to be sold",
                    )
                } else {
                    None
                }
            }
            Self::Arbitrage { .. } => None,
        }
    }
}

impl Limits {
    fn fault(&self) -> Option<&'static str> {
        if self.max_legs == 0 {
            Some("a plan of no legs trades nothing")
        } else if self.max_hops == 0 {
            Some("a plan of no hops trades nothing")
        } else if self.gas_price.1.is_zero() {
            Some("the price of gas has a denominator of zero")
        } else {
            None
        }
    }
}
