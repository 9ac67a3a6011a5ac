use std::collections::BTreeSet;

use ruint::aliases::U256;

use crate::RouteError;

/// The longest path that a problem may ask for.
pub const HOPS_MAX: usize = 8;

/// What is to be bought, with what, within which limits.
#[derive(Clone, Debug)]
pub struct PathProblem {
    want: String,
    amount: U256,
    exact_in: bool,
    funding: Vec<String>,
    values: Vec<(U256, U256)>,
    max_hops: usize,
    exclude: BTreeSet<String>,
}

impl PathProblem {
    /// Exact in spends `amount` of the first funding asset for the most of `want`; exact out buys `amount` of
    /// `want` with the least of one funding asset. Several are compared by `values`: for each the worth of one
    /// unit in a common measure, as numerator and denominator.
    pub fn new(
        want: String,
        amount: U256,
        exact_in: bool,
        funding: Vec<String>,
        values: Vec<(U256, U256)>,
        max_hops: usize,
        exclude: BTreeSet<String>,
    ) -> Result<Self, RouteError> {
        let problem = Self {
            want,
            amount,
            exact_in,
            funding,
            values,
            max_hops,
            exclude,
        };
        match problem.fault() {
            Some(fault) => Err(RouteError::Invalid(fault)),
            None => Ok(problem),
        }
    }

    fn fault(&self) -> Option<&'static str> {
        let distinct: BTreeSet<&String> = self.funding.iter().collect();
        if self.amount.is_zero() {
            Some("the amount is zero")
        } else if self.funding.is_empty() {
            Some("no funding asset is given")
        } else if distinct.len() != self.funding.len() {
            Some("a funding asset is given twice")
        } else if distinct.contains(&self.want) {
            Some("the wanted asset is among the funding assets")
        } else if self.exact_in && self.funding.len() != 1 {
            Some("an exact amount in is of one funding asset")
        } else if self.funding.len() > 1 && self.values.len() != self.funding.len() {
            Some("several funding assets need a reference value each")
        } else if !self.values.is_empty() && self.values.len() != self.funding.len() {
            Some("reference values are given for each funding asset or for none")
        } else if self
            .values
            .iter()
            .any(|(above, below)| above.is_zero() || below.is_zero())
        {
            Some("a reference value is not above zero")
        } else if !(1..=HOPS_MAX).contains(&self.max_hops) {
            Some("the hops of a path are limited to 1 to 8")
        } else {
            None
        }
    }

    /// The asset to buy.
    pub fn want(&self) -> &str {
        &self.want
    }

    /// Amount in base units of the funding asset (exact in) or of the wanted one (exact out).
    pub fn amount(&self) -> U256 {
        self.amount
    }

    /// Whether the amount is what is spent.
    pub fn exact_in(&self) -> bool {
        self.exact_in
    }

    /// The assets that may be spent, one of them.
    pub fn funding(&self) -> &[String] {
        &self.funding
    }

    /// Worth of one unit of each funding asset; empty where there is nothing to compare.
    pub fn values(&self) -> &[(U256, U256)] {
        &self.values
    }

    /// The most markets that a path may use.
    pub fn max_hops(&self) -> usize {
        self.max_hops
    }

    /// Markets that must not be used.
    pub fn exclude(&self) -> &BTreeSet<String> {
        &self.exclude
    }

    pub(crate) fn value(&self, funding: usize) -> (U256, U256) {
        self.values
            .get(funding)
            .copied()
            .unwrap_or((U256::ONE, U256::ONE))
    }
}
