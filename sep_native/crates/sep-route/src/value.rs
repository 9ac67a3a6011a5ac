use std::cmp::Ordering;

use ruint::Uint;
use ruint::aliases::U256;

/// Room for the price of the longest path and its fees without a rounding.
pub type Wide = Uint<3072, 48>;

/// A ratio of whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// What is above the line.
    pub numerator: Wide,
    /// What is below the line.
    pub denominator: Wide,
}

impl Ratio {
    /// One to one.
    pub const ONE: Self = Self {
        numerator: Wide::ONE,
        denominator: Wide::ONE,
    };

    /// The same ratio in its lowest terms.
    pub(crate) fn reduced(self) -> Self {
        let common = self.numerator.gcd(self.denominator);
        if common.is_zero() {
            return self;
        }
        Self {
            numerator: self.numerator / common,
            denominator: self.denominator / common,
        }
    }

    /// The ratio times another; the factors of a path fit by the limit on its hops.
    pub(crate) fn times(self, numerator: &Wide, denominator: &Wide) -> Self {
        Self {
            numerator: self.numerator * *numerator,
            denominator: self.denominator * denominator,
        }
    }
}

/// Compares two amounts at their reference values, each `numerator / denominator` a unit.
pub(crate) fn compare(a: (U256, (U256, U256)), b: (U256, (U256, U256))) -> Ordering {
    let cross = |(amount, (numerator, _)): (U256, (U256, U256)), denominator: U256| {
        Wide::from(amount) * Wide::from(numerator) * Wide::from(denominator)
    };
    cross(a, b.1.1).cmp(&cross(b, a.1.1))
}
