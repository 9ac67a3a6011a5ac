use alloy_primitives::{Address, U256};
use sep_amm::{AmmError, ConcentratedLiquidity, ConstantProduct, Quote, SwapLimit};

/// A market contract's storage.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) address: Address,
    pub(crate) token0: Address,
    pub(crate) token1: Address,
    pub(crate) curve: Curve,
}

/// The mathematics of a pool, with its state.
#[derive(Debug, Clone)]
pub(crate) enum Curve {
    Product(ConstantProduct),
    Concentrated(ConcentratedLiquidity),
}

impl Pool {
    /// Whether a swap of `asset_in` goes from the first asset to the second; None where it is neither.
    pub(crate) fn direction(&self, asset_in: Address) -> Option<bool> {
        if asset_in == self.token0 {
            Some(true)
        } else if asset_in == self.token1 {
            Some(false)
        } else {
            None
        }
    }

    /// In and out assets of a swap.
    pub(crate) fn assets(&self, zero_for_one: bool) -> (Address, Address) {
        if zero_for_one {
            (self.token0, self.token1)
        } else {
            (self.token1, self.token0)
        }
    }

    pub(crate) fn fee_ppm(&self) -> u32 {
        match &self.curve {
            Curve::Product(curve) => curve.fee_ppm(),
            Curve::Concentrated(curve) => curve.fee_ppm(),
        }
    }

    pub(crate) fn after(
        &self,
        zero_for_one: bool,
        amount: U256,
        exact_in: bool,
    ) -> Result<(Quote, Curve), AmmError> {
        match &self.curve {
            Curve::Product(curve) => curve
                .after(zero_for_one, amount, exact_in)
                .map(|(quote, next)| (quote, Curve::Product(next))),
            Curve::Concentrated(curve) => curve
                .after(zero_for_one, amount, exact_in)
                .map(|(quote, next)| (quote, Curve::Concentrated(next))),
        }
    }

    /// Square root of the price of the first asset in the second, times 2^96.
    pub(crate) fn sqrt_price(&self) -> U256 {
        match &self.curve {
            Curve::Product(curve) => {
                crate::market::sqrt_price_of(curve.reserve0(), curve.reserve1())
            }
            Curve::Concentrated(curve) => curve.sqrt_price_x96(),
        }
    }

    /// The swap that brings the price to `target` (constant product: near it, fees aside); None where it is there.
    pub(crate) fn towards(&self, target: U256) -> Option<(bool, Quote, Curve)> {
        let now = self.sqrt_price();
        let zero_for_one = target < now;
        if target == now || target.is_zero() {
            return None;
        }
        let moved = match &self.curve {
            Curve::Product(curve) => {
                let (reserve0, reserve1) = (curve.reserve0(), curve.reserve1());
                let (held, wanted) =
                    crate::market::reserves_at(reserve0, reserve1, target, zero_for_one);
                let amount = wanted
                    .checked_sub(held)
                    .filter(|amount| !amount.is_zero())?;
                self.after(zero_for_one, amount, true)
            }
            Curve::Concentrated(curve) => curve
                .after_within(
                    zero_for_one,
                    U256::ONE << 200,
                    true,
                    SwapLimit::SqrtPrice(target),
                )
                .map(|(quote, next)| (quote, Curve::Concentrated(next))),
        };
        moved
            .ok()
            .filter(|(quote, _)| !quote.amount_in.is_zero())
            .map(|(quote, next)| (zero_for_one, quote, next))
    }
}
