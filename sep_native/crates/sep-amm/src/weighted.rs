use ruint::aliases::U256;

use crate::fixed_point::{
    BALANCE_BITS, ONE, complement, div_down, div_up, fits_vault, mul_down, mul_up, pow_up,
};
use crate::{ASSETS_MAX, AmmError, Quote};

/// A weight is at least one hundredth.
const WEIGHT_MIN: u64 = 10_000_000_000_000_000;
/// A swap moves three tenths of a balance at most.
const SWAP_RATIO_MAX: U256 = U256::from_limbs([300_000_000_000_000_000, 0, 0, 0]);
const UNIT: u64 = 1_000_000_000_000_000_000;
const TOO_LARGE: AmmError = AmmError::AmountTooLarge;
/// A side without a balance buys and sells nothing.
const EMPTY: AmmError = AmmError::InsufficientLiquidity {
    amount_in: U256::ZERO,
    amount_out: U256::ZERO,
};

/// A pool whose product of balances, each to the power of its weight, never falls (Balancer V2).
///
/// Scaling factors, weights and fee have 18 decimals. Powers of 1, 2 and 4 go without a logarithm, as in every
/// pool whose factory was deployed since 2022.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightedProduct {
    balances: Vec<U256>,
    scaling: Vec<U256>,
    weights: Vec<u64>,
    fee: u64,
}

/// The two sides of a swap, balances scaled to 18 decimals.
struct Sides {
    balance_in: U256,
    balance_out: U256,
    scaling_in: U256,
    scaling_out: U256,
    weight_in: U256,
    weight_out: U256,
}

impl WeightedProduct {
    /// A pool in this state; the weights add up to one.
    pub fn new(
        balances: Vec<U256>,
        scaling: Vec<U256>,
        weights: Vec<u64>,
        fee: u64,
    ) -> Result<Self, AmmError> {
        if balances.len() != scaling.len() || balances.len() != weights.len() {
            return Err(AmmError::InvalidState(
                "a weighted pool has not one scaling factor and one weight for each balance",
            ));
        }
        if !(2..=ASSETS_MAX).contains(&balances.len()) {
            return Err(AmmError::InvalidState(
                "a weighted pool does not hold 2 to 8 assets",
            ));
        }
        if balances
            .iter()
            .any(|balance| balance.bit_len() > BALANCE_BITS)
        {
            return Err(AmmError::InvalidState("a balance is above 2^112 - 1"));
        }
        // 18 decimals and none is the widest distance: 10^18 times 10^18.
        if scaling
            .iter()
            .any(|factor| *factor < ONE || *factor > ONE * ONE)
        {
            return Err(AmmError::InvalidState(
                "a scaling factor is not between 10^18 and 10^36",
            ));
        }
        if weights.iter().any(|weight| *weight < WEIGHT_MIN) {
            return Err(AmmError::InvalidState("a weight is below one hundredth"));
        }
        if weights
            .iter()
            .map(|weight| u128::from(*weight))
            .sum::<u128>()
            != u128::from(UNIT)
        {
            return Err(AmmError::InvalidState("the weights do not add up to one"));
        }
        if fee >= UNIT {
            return Err(AmmError::InvalidState("the fee takes the whole amount"));
        }
        Ok(Self {
            balances,
            scaling,
            weights,
            fee,
        })
    }

    /// Balances in base units, in the order of the pool's assets.
    pub fn balances(&self) -> &[U256] {
        &self.balances
    }

    /// What scales each balance to 18 decimals, with 18 decimals itself.
    pub fn scaling(&self) -> &[U256] {
        &self.scaling
    }

    /// Weights with 18 decimals.
    pub fn weights(&self) -> &[u64] {
        &self.weights
    }

    /// Fee on the amount in, with 18 decimals.
    pub fn fee(&self) -> u64 {
        self.fee
    }

    /// What a swap of exactly `amount` takes and gives.
    pub fn quote(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<Quote, AmmError> {
        let sides = self.sides(asset_in, asset_out)?;
        if amount.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        let (amount_in, amount_out) = if exact_in {
            (amount, self.amount_out(&sides, amount)?)
        } else {
            (self.amount_in(&sides, amount)?, amount)
        };
        if !fits_vault(self.balances[asset_in], amount_in) {
            return Err(TOO_LARGE);
        }
        Ok(Quote {
            amount_in,
            amount_out,
            ticks_crossed: 0,
        })
    }

    /// The swap and the pool after it.
    pub fn after(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<(Quote, Self), AmmError> {
        let quote = self.quote(asset_in, asset_out, amount, exact_in)?;
        let next = self.with_swap(asset_in, quote.amount_in, asset_out, quote.amount_out)?;
        Ok((quote, next))
    }

    /// The state after the swap that the vault's `Swap` event announces.
    pub fn with_swap(
        &self,
        asset_in: usize,
        amount_in: U256,
        asset_out: usize,
        amount_out: U256,
    ) -> Result<Self, AmmError> {
        self.check_assets(asset_in, asset_out)?;
        let mut balances = self.balances.clone();
        balances[asset_in] = balances[asset_in]
            .checked_add(amount_in)
            .filter(|balance| balance.bit_len() <= BALANCE_BITS)
            .ok_or(TOO_LARGE)?;
        balances[asset_out] = balances[asset_out].checked_sub(amount_out).ok_or(
            AmmError::InvalidState(
                "the swap that was announced takes more than the pool holds; read the pool again",
            ),
        )?;
        self.with_balances(balances)
    }

    /// The pool with these balances, as a `PoolBalanceChanged` event leads to.
    pub fn with_balances(&self, balances: Vec<U256>) -> Result<Self, AmmError> {
        Self::new(
            balances,
            self.scaling.clone(),
            self.weights.clone(),
            self.fee,
        )
    }

    /// The pool with another fee, as a `SwapFeePercentageChanged` event announces.
    pub fn with_fee(&self, fee: u64) -> Result<Self, AmmError> {
        Self::new(
            self.balances.clone(),
            self.scaling.clone(),
            self.weights.clone(),
            fee,
        )
    }

    fn check_assets(&self, asset_in: usize, asset_out: usize) -> Result<(), AmmError> {
        if asset_in == asset_out || asset_in.max(asset_out) >= self.balances.len() {
            return Err(AmmError::UNKNOWN_ASSETS);
        }
        Ok(())
    }

    fn sides(&self, asset_in: usize, asset_out: usize) -> Result<Sides, AmmError> {
        self.check_assets(asset_in, asset_out)?;
        let scaled = |at: usize| mul_down(self.balances[at], self.scaling[at]).ok_or(TOO_LARGE);
        Ok(Sides {
            balance_in: scaled(asset_in)?,
            balance_out: scaled(asset_out)?,
            scaling_in: self.scaling[asset_in],
            scaling_out: self.scaling[asset_out],
            weight_in: U256::from(self.weights[asset_in]),
            weight_out: U256::from(self.weights[asset_out]),
        })
    }

    fn amount_out(&self, sides: &Sides, amount_in: U256) -> Result<U256, AmmError> {
        let fee = mul_up(amount_in, U256::from(self.fee)).ok_or(TOO_LARGE)?;
        let given = mul_down(amount_in - fee, sides.scaling_in).ok_or(TOO_LARGE)?;
        if given > mul_down(sides.balance_in, SWAP_RATIO_MAX).ok_or(TOO_LARGE)? {
            return Err(self.most_in(sides));
        }
        Self::scaled_out(sides, given)
            .and_then(|gained| div_down(gained, sides.scaling_out))
            .ok_or(EMPTY)
    }

    fn amount_in(&self, sides: &Sides, amount_out: U256) -> Result<U256, AmmError> {
        let taken = mul_down(amount_out, sides.scaling_out).ok_or(TOO_LARGE)?;
        if taken > mul_down(sides.balance_out, SWAP_RATIO_MAX).ok_or(TOO_LARGE)? {
            return Err(self.most_out(sides));
        }
        Self::scaled_in(sides, taken)
            .and_then(|given| div_up(given, sides.scaling_in))
            .and_then(|given| div_up(given, complement(U256::from(self.fee))))
            .ok_or(EMPTY)
    }

    /// Output for a scaled input after the fee; `None` where there is no input balance.
    fn scaled_out(sides: &Sides, given: U256) -> Option<U256> {
        let base = div_up(sides.balance_in, sides.balance_in.checked_add(given)?)?;
        let power = pow_up(base, div_down(sides.weight_in, sides.weight_out)?)?;
        mul_down(sides.balance_out, complement(power))
    }

    /// Input before the fee for a scaled output; `None` where there is no output balance.
    fn scaled_in(sides: &Sides, taken: U256) -> Option<U256> {
        let base = div_up(sides.balance_out, sides.balance_out.checked_sub(taken)?)?;
        let power = pow_up(base, div_up(sides.weight_out, sides.weight_in)?)?;
        mul_up(sides.balance_in, power.checked_sub(ONE)?)
    }

    /// The most that one swap of an exact input may move.
    fn most_in(&self, sides: &Sides) -> AmmError {
        let amount_in = mul_down(sides.balance_in, SWAP_RATIO_MAX)
            .and_then(|given| div_down(given, sides.scaling_in))
            .and_then(|given| div_down(given, complement(U256::from(self.fee))))
            .unwrap_or_default();
        // What this input leaves after the fee is within the limit, so this does not come back here.
        let amount_out = self.amount_out(sides, amount_in).unwrap_or_default();
        AmmError::InsufficientLiquidity {
            amount_in,
            amount_out,
        }
    }

    /// The most that one swap of an exact output may move.
    fn most_out(&self, sides: &Sides) -> AmmError {
        let amount_out = mul_down(sides.balance_out, SWAP_RATIO_MAX)
            .and_then(|taken| div_down(taken, sides.scaling_out))
            .unwrap_or_default();
        let amount_in = self.amount_in(sides, amount_out).unwrap_or_default();
        AmmError::InsufficientLiquidity {
            amount_in,
            amount_out,
        }
    }
}
