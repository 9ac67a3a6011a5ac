use ruint::aliases::U256;

use crate::math::{mul_div, mul_div_up};
use crate::{AmmError, Quote};

const PARTS: u32 = 1_000_000;

/// What a lane takes, gives and promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneTerms {
    /// Output for input after fees: numerator and denominator.
    pub rate: (U256, U256),
    /// Taken off the input first, in base units.
    pub fixed_fee: U256,
    /// Then taken off the rest, rounded up.
    pub fee_ppm: u32,
    /// The most that goes in, in base units.
    pub capacity: U256,
    /// How much later the output is expected to arrive.
    pub delay_seconds: u32,
}

/// A way from its first asset to its second at a fixed rate: a bridge, a wrapper, a redemption. It has no way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    terms: LaneTerms,
}

impl Lane {
    /// A lane on these terms.
    pub fn new(terms: LaneTerms) -> Result<Self, AmmError> {
        if terms.rate.0.is_zero() || terms.rate.1.is_zero() {
            return Err(AmmError::InvalidState(
                "the rate of the lane is zero or infinite",
            ));
        }
        if terms.fee_ppm >= PARTS {
            return Err(AmmError::InvalidState(
                "the fee is not below 1,000,000 parts per million",
            ));
        }
        Ok(Self { terms })
    }

    /// Its terms.
    pub fn terms(&self) -> &LaneTerms {
        &self.terms
    }

    /// The lane with room for this much input.
    #[must_use]
    pub fn with_capacity(mut self, capacity: U256) -> Self {
        self.terms.capacity = capacity;
        self
    }

    /// What a transfer of exactly `amount` takes and gives; exact out is the least input that gives `amount`, and
    /// may give a little more.
    pub fn quote(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<Quote, AmmError> {
        if asset_in == asset_out || asset_in.max(asset_out) > 1 {
            return Err(AmmError::UNKNOWN_ASSETS);
        }
        if amount.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        if asset_in == 1 {
            return Err(AmmError::InsufficientLiquidity {
                amount_in: U256::ZERO,
                amount_out: U256::ZERO,
            });
        }
        let amount_in = if exact_in {
            Some(amount)
        } else {
            self.amount_in(amount)
        };
        let amount_in = amount_in
            .filter(|amount_in| *amount_in <= self.terms.capacity)
            .ok_or_else(|| self.insufficient())?;
        let amount_out = self
            .amount_out(amount_in)?
            .filter(|amount_out| !amount_out.is_zero())
            .ok_or(AmmError::AmountTooSmall)?;
        Ok(Quote {
            amount_in,
            amount_out,
            ticks_crossed: 0,
        })
    }

    /// The transfer and the lane with what is left of its capacity.
    pub fn after(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<(Quote, Self), AmmError> {
        let quote = self.quote(asset_in, asset_out, amount, exact_in)?;
        Ok((
            quote,
            self.with_capacity(self.terms.capacity - quote.amount_in),
        ))
    }

    /// The output; nothing where the fixed fee takes it all.
    fn amount_out(&self, amount_in: U256) -> Result<Option<U256>, AmmError> {
        let Some(rest) = amount_in.checked_sub(self.terms.fixed_fee) else {
            return Ok(None);
        };
        let kept = U256::from(PARTS - self.terms.fee_ppm);
        mul_div(rest, kept, U256::from(PARTS))
            .and_then(|net| mul_div(net, self.terms.rate.0, self.terms.rate.1))
            .map(Some)
            .ok_or(AmmError::AmountTooLarge)
    }

    /// The least input for an output.
    fn amount_in(&self, amount_out: U256) -> Option<U256> {
        let net = mul_div_up(amount_out, self.terms.rate.1, self.terms.rate.0)?;
        mul_div_up(
            net,
            U256::from(PARTS),
            U256::from(PARTS - self.terms.fee_ppm),
        )?
        .checked_add(self.terms.fixed_fee)
    }

    fn insufficient(&self) -> AmmError {
        AmmError::InsufficientLiquidity {
            amount_in: self.terms.capacity,
            amount_out: self
                .amount_out(self.terms.capacity)
                .ok()
                .flatten()
                .unwrap_or_default(),
        }
    }
}
