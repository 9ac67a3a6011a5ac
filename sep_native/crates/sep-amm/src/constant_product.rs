use ruint::aliases::U256;

use crate::{AmmError, FEE_DENOMINATOR, Quote};

/// Reserves are stored as 112-bit numbers by the contracts of this family.
pub const RESERVE_MAX: U256 = U256::from_limbs([u64::MAX, (1 << 48) - 1, 0, 0]);

/// A pool of two reserves whose product never falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConstantProduct {
    reserve0: U256,
    reserve1: U256,
    fee_ppm: u32,
}

impl ConstantProduct {
    /// A pool with these reserves; `fee_ppm` is 3000 where the contract says 997 of 1000.
    pub fn new(reserve0: U256, reserve1: U256, fee_ppm: u32) -> Result<Self, AmmError> {
        if reserve0 > RESERVE_MAX || reserve1 > RESERVE_MAX {
            return Err(AmmError::InvalidState("a reserve is above 2^112 - 1"));
        }
        if fee_ppm >= FEE_DENOMINATOR {
            return Err(AmmError::InvalidState(
                "the fee is not below 1,000,000 parts per million",
            ));
        }
        Ok(Self {
            reserve0,
            reserve1,
            fee_ppm,
        })
    }

    /// Reserve of the first asset, in base units.
    pub fn reserve0(&self) -> U256 {
        self.reserve0
    }

    /// Reserve of the second asset, in base units.
    pub fn reserve1(&self) -> U256 {
        self.reserve1
    }

    /// Fee on the amount in, parts per million.
    pub fn fee_ppm(&self) -> u32 {
        self.fee_ppm
    }

    /// The state that a `Sync` event announces.
    pub fn with_sync(&self, reserve0: U256, reserve1: U256) -> Result<Self, AmmError> {
        Self::new(reserve0, reserve1, self.fee_ppm)
    }

    /// What a swap of exactly `amount` takes and gives.
    pub fn quote(
        &self,
        zero_for_one: bool,
        amount: U256,
        exact_in: bool,
    ) -> Result<Quote, AmmError> {
        if amount.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        let (reserve_in, reserve_out) = self.oriented(zero_for_one);
        if reserve_in.is_zero() || reserve_out.is_zero() {
            return Err(AmmError::InsufficientLiquidity {
                amount_in: U256::ZERO,
                amount_out: U256::ZERO,
            });
        }
        let (amount_in, amount_out) = if exact_in {
            (amount, self.amount_out(reserve_in, reserve_out, amount)?)
        } else {
            (self.amount_in(reserve_in, reserve_out, amount)?, amount)
        };
        Ok(Quote {
            amount_in,
            amount_out,
            ticks_crossed: 0,
        })
    }

    /// The swap and the pool after it.
    pub fn after(
        &self,
        zero_for_one: bool,
        amount: U256,
        exact_in: bool,
    ) -> Result<(Quote, Self), AmmError> {
        let quote = self.quote(zero_for_one, amount, exact_in)?;
        let (reserve_in, reserve_out) = self.oriented(zero_for_one);
        let (new_in, new_out) = (reserve_in + quote.amount_in, reserve_out - quote.amount_out);
        let (reserve0, reserve1) = if zero_for_one {
            (new_in, new_out)
        } else {
            (new_out, new_in)
        };
        Ok((
            quote,
            Self {
                reserve0,
                reserve1,
                fee_ppm: self.fee_ppm,
            },
        ))
    }

    fn oriented(&self, zero_for_one: bool) -> (U256, U256) {
        if zero_for_one {
            (self.reserve0, self.reserve1)
        } else {
            (self.reserve1, self.reserve0)
        }
    }

    fn kept_ppm(&self) -> U256 {
        U256::from(FEE_DENOMINATOR - self.fee_ppm)
    }

    // No product below passes 2 * 112 + 20 bits, since amounts and reserves are held to 112.
    fn amount_out(
        &self,
        reserve_in: U256,
        reserve_out: U256,
        amount_in: U256,
    ) -> Result<U256, AmmError> {
        if amount_in > RESERVE_MAX - reserve_in {
            return Err(AmmError::AmountTooLarge);
        }
        let after_fee = amount_in * self.kept_ppm();
        Ok(after_fee * reserve_out / (reserve_in * U256::from(FEE_DENOMINATOR) + after_fee))
    }

    fn amount_in(
        &self,
        reserve_in: U256,
        reserve_out: U256,
        amount_out: U256,
    ) -> Result<U256, AmmError> {
        if amount_out >= reserve_out {
            return Err(AmmError::InsufficientLiquidity {
                amount_in: RESERVE_MAX - reserve_in,
                amount_out: reserve_out - U256::ONE,
            });
        }
        let numerator = reserve_in * amount_out * U256::from(FEE_DENOMINATOR);
        let denominator = (reserve_out - amount_out) * self.kept_ppm();
        let amount_in = numerator / denominator + U256::ONE;
        if amount_in > RESERVE_MAX - reserve_in {
            return Err(AmmError::AmountTooLarge);
        }
        Ok(amount_in)
    }
}
