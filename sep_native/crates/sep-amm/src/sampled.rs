use ruint::aliases::U256;

use crate::math::{mul_div, mul_div_up};
use crate::{ASSETS_MAX, AmmError, Quote};

/// What a venue answered for growing amounts of one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// The asset that goes in.
    pub asset_in: usize,
    /// The asset that comes out.
    pub asset_out: usize,
    /// Amounts in and out, in base units, the amount in growing.
    pub samples: Vec<(U256, U256)>,
}

/// A market of which nothing is known but quotes at a ladder of sizes.
///
/// Between two samples, and from nothing to the first, amounts lie on the straight line: at a sample that is what the
/// venue said, between them no more than any venue gives whose price worsens with size. A venue may still differ, so
/// a plan asks the venue itself for the exact amount of its leg. Beyond the last sample nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampled {
    asset_count: usize,
    ladders: Vec<Ladder>,
}

impl Sampled {
    /// A market of this many assets with these ladders, one a direction at most.
    pub fn new(asset_count: usize, ladders: Vec<Ladder>) -> Result<Self, AmmError> {
        if !(2..=ASSETS_MAX).contains(&asset_count) {
            return Err(AmmError::InvalidState(
                "a sampled market does not have 2 to 8 assets",
            ));
        }
        for (at, ladder) in ladders.iter().enumerate() {
            if ladder.asset_in == ladder.asset_out
                || ladder.asset_in.max(ladder.asset_out) >= asset_count
            {
                return Err(AmmError::UNKNOWN_ASSETS);
            }
            if ladders[..at].iter().any(|other| {
                other.asset_in == ladder.asset_in && other.asset_out == ladder.asset_out
            }) {
                return Err(AmmError::InvalidState("a direction has two ladders"));
            }
            let mut before = (U256::ZERO, U256::ZERO);
            for sample in &ladder.samples {
                if sample.0 <= before.0 {
                    return Err(AmmError::InvalidState(
                        "the amounts in of a ladder do not grow from above zero",
                    ));
                }
                if sample.1 < before.1 {
                    return Err(AmmError::InvalidState(
                        "the venue answered less for a larger amount",
                    ));
                }
                before = *sample;
            }
        }
        Ok(Self {
            asset_count,
            ladders,
        })
    }

    /// How many assets it has.
    pub fn asset_count(&self) -> usize {
        self.asset_count
    }

    /// What the venue answered.
    pub fn ladders(&self) -> &[Ladder] {
        &self.ladders
    }

    /// What a swap of exactly `amount` is expected to take and give; exact out is the least input that gives
    /// `amount`, and may give more.
    pub fn quote(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<Quote, AmmError> {
        let samples = self.samples(asset_in, asset_out)?;
        if amount.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        let (most_in, most_out) = samples.last().copied().unwrap_or_default();
        if amount > if exact_in { most_in } else { most_out } {
            return Err(AmmError::InsufficientLiquidity {
                amount_in: most_in,
                amount_out: most_out,
            });
        }
        let amount_in = if exact_in {
            amount
        } else {
            input(samples, amount).ok_or(AmmError::AmountTooLarge)?
        };
        let amount_out = output(samples, amount_in, false).ok_or(AmmError::AmountTooLarge)?;
        if amount_out.is_zero() {
            return Err(AmmError::AmountTooSmall);
        }
        Ok(Quote {
            amount_in,
            amount_out,
            ticks_crossed: 0,
        })
    }

    /// The swap and what is left of its ladder; the other directions stay as they were sampled.
    pub fn after(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<(Quote, Self), AmmError> {
        let quote = self.quote(asset_in, asset_out, amount, exact_in)?;
        let samples = self.samples(asset_in, asset_out)?;
        let given = output(samples, quote.amount_in, true).ok_or(AmmError::AmountTooLarge)?;
        let rest = samples
            .iter()
            .filter(|sample| sample.0 > quote.amount_in)
            .map(|sample| (sample.0 - quote.amount_in, sample.1.saturating_sub(given)))
            .collect();
        let next = self.with_ladder(Ladder {
            asset_in,
            asset_out,
            samples: rest,
        })?;
        Ok((quote, next))
    }

    /// The market with a new ladder for one direction.
    pub fn with_ladder(&self, ladder: Ladder) -> Result<Self, AmmError> {
        let is_other = |other: &&Ladder| {
            (other.asset_in, other.asset_out) != (ladder.asset_in, ladder.asset_out)
        };
        let mut ladders: Vec<_> = self.ladders.iter().filter(is_other).cloned().collect();
        ladders.push(ladder);
        Self::new(self.asset_count, ladders)
    }

    fn samples(&self, asset_in: usize, asset_out: usize) -> Result<&[(U256, U256)], AmmError> {
        if asset_in == asset_out || asset_in.max(asset_out) >= self.asset_count {
            return Err(AmmError::UNKNOWN_ASSETS);
        }
        Ok(self
            .ladders
            .iter()
            .find(|ladder| ladder.asset_in == asset_in && ladder.asset_out == asset_out)
            .map_or(&[], |ladder| &ladder.samples))
    }
}

/// The sample before the one at `at`, or nothing for nothing.
fn before(samples: &[(U256, U256)], at: usize) -> (U256, U256) {
    at.checked_sub(1)
        .map_or_else(Default::default, |last| samples[last])
}

/// What this input, at most the last sample's, gives on the straight lines.
fn output(samples: &[(U256, U256)], amount_in: U256, round_up: bool) -> Option<U256> {
    let at = samples.partition_point(|sample| sample.0 < amount_in);
    let (from, to) = (before(samples, at), samples.get(at)?);
    let rounded = if round_up { mul_div_up } else { mul_div };
    rounded(amount_in - from.0, to.1 - from.1, to.0 - from.0).map(|part| from.1 + part)
}

/// The least input that gives this output, at most the last sample's.
fn input(samples: &[(U256, U256)], amount_out: U256) -> Option<U256> {
    let at = samples.partition_point(|sample| sample.1 < amount_out);
    let (from, to) = (before(samples, at), samples.get(at)?);
    mul_div_up(amount_out - from.1, to.0 - from.0, to.1 - from.1).map(|part| from.0 + part)
}
