//! Numbers drawn from a seed (SplitMix64): the same seed draws the same numbers everywhere.

use serde::{Deserialize, Serialize};

/// A generator whose whole state is one number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Random(u64);

impl Random {
    /// A generator for a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, not including, `below`; 0 where `below` is 0.
    pub fn below(&mut self, below: u64) -> u64 {
        let product = u128::from(self.next_u64()) * u128::from(below);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A number of an inclusive range; `low` where the range is empty.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }
}
