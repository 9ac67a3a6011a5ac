use ruint::aliases::U256;

use super::invariant::invariant;
use super::{StableRule, balancer, curve};
use crate::fixed_point::{
    BALANCE_BITS, complement, div_down, div_up, fits_vault, mul_down, mul_up,
};
use crate::{ASSETS_MAX, AmmError, Quote};

const FEE_DENOMINATOR_CURVE: U256 = U256::from_limbs([10_000_000_000, 0, 0, 0]);
const TOO_LARGE: AmmError = AmmError::AmountTooLarge;

/// A pool of assets of nearly equal value.
///
/// Rates scale a balance to 18 decimals: `balance * rate / 10^18`. For Curve that is `10^(36 - decimals)`, for
/// Balancer the scaling factor, which a rate provider may have multiplied. Balancer's own share token is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StableSwap {
    rule: StableRule,
    balances: Vec<U256>,
    rates: Vec<U256>,
    amplification: u64,
    fee: u64,
    admin_fee: u64,
    scaled: Vec<U256>,
    invariant: U256,
}

/// What one exchange moves, in base units.
struct Exchange {
    amount_in: U256,
    amount_out: U256,
    /// Leaves the balances besides what the trader gets.
    admin_fee: U256,
}

impl StableSwap {
    /// A pool in this state; amplification and fee are in the units of the rule.
    pub fn new(
        rule: StableRule,
        balances: Vec<U256>,
        rates: Vec<U256>,
        amplification: u64,
        fee: u64,
    ) -> Result<Self, AmmError> {
        if balances.len() != rates.len() {
            return Err(AmmError::InvalidState(
                "a stable pool has not one rate for each balance",
            ));
        }
        if !(2..=ASSETS_MAX).contains(&balances.len()) {
            return Err(AmmError::InvalidState(
                "a stable pool does not hold 2 to 8 assets",
            ));
        }
        let too_large = |balance: &U256| balance.bit_len() > BALANCE_BITS;
        if rule == StableRule::Balancer && balances.iter().any(too_large) {
            return Err(AmmError::InvalidState("a balance is above 2^112 - 1"));
        }
        if rates.iter().any(U256::is_zero) {
            return Err(AmmError::InvalidState("a rate is zero"));
        }
        let precision = rule.amplification_precision();
        if amplification < precision || amplification > rule.amplification_max() * precision {
            return Err(AmmError::InvalidState(
                "the amplification is outside the contract's bounds",
            ));
        }
        if fee >= rule.fee_denominator() {
            return Err(AmmError::InvalidState("the fee takes the whole amount"));
        }
        let scaled = balances
            .iter()
            .zip(&rates)
            .map(|(balance, rate)| mul_down(*balance, *rate))
            .collect::<Option<Vec<_>>>()
            .ok_or(AmmError::InvalidState(
                "a balance times its rate passes 256 bits",
            ))?;
        let mut pool = Self {
            rule,
            balances,
            rates,
            amplification,
            fee,
            admin_fee: 0,
            scaled,
            invariant: U256::ZERO,
        };
        pool.invariant =
            invariant(&pool.scaled, pool.total(), rule.precision()).unwrap_or_default();
        Ok(pool)
    }

    /// The pool with the administrator's part of the fee, in parts of 10^10; Curve alone takes it at each exchange.
    pub fn with_admin_fee(mut self, admin_fee: u64) -> Result<Self, AmmError> {
        let allowed = match self.rule {
            StableRule::Curve => self.rule.fee_denominator(),
            StableRule::Balancer => 0,
        };
        if admin_fee > allowed {
            return Err(AmmError::InvalidState(
                "the administrator's part of the fee is more than the rule allows",
            ));
        }
        self.admin_fee = admin_fee;
        Ok(self)
    }

    /// Whose contract it runs.
    pub fn rule(&self) -> StableRule {
        self.rule
    }

    /// Balances in base units, in the order of the pool's assets.
    pub fn balances(&self) -> &[U256] {
        &self.balances
    }

    /// What scales each balance to 18 decimals, with 18 decimals itself.
    pub fn rates(&self) -> &[U256] {
        &self.rates
    }

    /// Balances scaled to 18 decimals.
    pub fn scaled(&self) -> &[U256] {
        &self.scaled
    }

    /// Amplification times the rule's precision.
    pub fn amplification(&self) -> u64 {
        self.amplification
    }

    /// Fee in parts of the rule's denominator.
    pub fn fee(&self) -> u64 {
        self.fee
    }

    /// The administrator's part of the fee, in parts of 10^10.
    pub fn admin_fee(&self) -> u64 {
        self.admin_fee
    }

    /// The invariant D of the scaled balances; 0 where there is none: a balance is missing, or the rounds of the contract
    /// do not settle on these balances, so that it reverts at every swap until they change.
    pub fn invariant(&self) -> U256 {
        self.invariant
    }

    /// What a swap of exactly `amount` takes and gives.
    ///
    /// Curve has no exact output: the input is then the least in its neighbourhood that buys `amount`, and the output
    /// is what that input really buys, at times a few units more.
    pub fn quote(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<Quote, AmmError> {
        self.exchange(asset_in, asset_out, amount, exact_in)
            .map(|exchange| Quote {
                amount_in: exchange.amount_in,
                amount_out: exchange.amount_out,
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
        let exchange = self.exchange(asset_in, asset_out, amount, exact_in)?;
        let mut balances = self.balances.clone();
        balances[asset_in] = balances[asset_in]
            .checked_add(exchange.amount_in)
            .ok_or(TOO_LARGE)?;
        balances[asset_out] = balances[asset_out]
            .checked_sub(exchange.amount_out)
            .and_then(|left| left.checked_sub(exchange.admin_fee))
            .ok_or(TOO_LARGE)?;
        let quote = Quote {
            amount_in: exchange.amount_in,
            amount_out: exchange.amount_out,
            ticks_crossed: 0,
        };
        Ok((quote, self.with_balances(balances)?))
    }

    /// The pool with these balances, as read after an event that moves liquidity.
    pub fn with_balances(&self, balances: Vec<U256>) -> Result<Self, AmmError> {
        Self::new(
            self.rule,
            balances,
            self.rates.clone(),
            self.amplification,
            self.fee,
        )?
        .with_admin_fee(self.admin_fee)
    }

    /// The pool with these rates, as a rate provider updates them.
    pub fn with_rates(&self, rates: Vec<U256>) -> Result<Self, AmmError> {
        Self::new(
            self.rule,
            self.balances.clone(),
            rates,
            self.amplification,
            self.fee,
        )?
        .with_admin_fee(self.admin_fee)
    }

    /// The pool with another amplification, as a ramp moves it.
    pub fn with_amplification(&self, amplification: u64) -> Result<Self, AmmError> {
        Self::new(
            self.rule,
            self.balances.clone(),
            self.rates.clone(),
            amplification,
            self.fee,
        )?
        .with_admin_fee(self.admin_fee)
    }

    /// The pool with another fee.
    pub fn with_fee(&self, fee: u64) -> Result<Self, AmmError> {
        Self::new(
            self.rule,
            self.balances.clone(),
            self.rates.clone(),
            self.amplification,
            fee,
        )?
        .with_admin_fee(self.admin_fee)
    }

    /// The state after the swap that a `TokenExchange` (Curve) or `Swap` (Balancer) event announces.
    ///
    /// Curve's event does not say what the administrator took, so the exchange is computed and must agree.
    pub fn with_swap(
        &self,
        asset_in: usize,
        amount_in: U256,
        asset_out: usize,
        amount_out: U256,
    ) -> Result<Self, AmmError> {
        match self.rule {
            StableRule::Curve => {
                let (quote, next) = self.after(asset_in, asset_out, amount_in, true)?;
                if quote.amount_out == amount_out {
                    Ok(next)
                } else {
                    Err(AmmError::InvalidState(
                        "the exchange that was announced does not follow from this state; read the pool again",
                    ))
                }
            }
            StableRule::Balancer => {
                self.check_assets(asset_in, asset_out)?;
                let mut balances = self.balances.clone();
                balances[asset_in] = balances[asset_in].checked_add(amount_in).ok_or(TOO_LARGE)?;
                balances[asset_out] =
                    balances[asset_out]
                        .checked_sub(amount_out)
                        .ok_or(AmmError::InvalidState(
                            "the swap that was announced takes more than the pool holds; read the pool again",
                        ))?;
                self.with_balances(balances)
            }
        }
    }

    /// Nothing can be swapped.
    fn is_empty(&self) -> bool {
        self.invariant.is_zero()
    }

    /// Amplification times number of assets.
    fn total(&self) -> U256 {
        U256::from(self.amplification) * U256::from(self.balances.len())
    }

    fn check_assets(&self, asset_in: usize, asset_out: usize) -> Result<(), AmmError> {
        if asset_in == asset_out || asset_in.max(asset_out) >= self.balances.len() {
            return Err(AmmError::UNKNOWN_ASSETS);
        }
        Ok(())
    }

    fn exchange(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<Exchange, AmmError> {
        self.check_assets(asset_in, asset_out)?;
        if amount.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        if self.is_empty() {
            return Err(AmmError::InsufficientLiquidity {
                amount_in: U256::ZERO,
                amount_out: U256::ZERO,
            });
        }
        match (self.rule, exact_in) {
            (StableRule::Curve, true) => self.curve_out(asset_in, asset_out, amount),
            (StableRule::Curve, false) => self.curve_in(asset_in, asset_out, amount),
            (StableRule::Balancer, true) => self.balancer_out(asset_in, asset_out, amount),
            (StableRule::Balancer, false) => self.balancer_in(asset_in, asset_out, amount),
        }
        .and_then(|exchange| {
            let fits = self.rule == StableRule::Curve
                || fits_vault(self.balances[asset_in], exchange.amount_in);
            fits.then_some(exchange).ok_or(TOO_LARGE)
        })
    }

    /// No input buys this much.
    fn insufficient(&self, asset_in: usize, asset_out: usize) -> AmmError {
        AmmError::InsufficientLiquidity {
            amount_in: U256::MAX - self.balances[asset_in],
            amount_out: self.balances[asset_out].saturating_sub(U256::ONE),
        }
    }

    fn curve_out(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount_in: U256,
    ) -> Result<Exchange, AmmError> {
        let given = mul_down(amount_in, self.rates[asset_in])
            .and_then(|scaled| scaled.checked_add(self.scaled[asset_in]))
            .ok_or(TOO_LARGE)?;
        let left = curve::balance_of(
            &self.scaled,
            (asset_in, given),
            asset_out,
            self.invariant,
            self.total(),
            self.rule.precision(),
        )
        .ok_or(TOO_LARGE)?;
        let gross = self.scaled[asset_out]
            .checked_sub(left)
            .and_then(|gross| gross.checked_sub(U256::ONE))
            .ok_or(AmmError::AmountTooSmall)?;
        let fee = gross.checked_mul(U256::from(self.fee)).ok_or(TOO_LARGE)? / FEE_DENOMINATOR_CURVE;
        let rate = self.rates[asset_out];
        let admin_fee = fee
            .checked_mul(U256::from(self.admin_fee))
            .ok_or(TOO_LARGE)?
            / FEE_DENOMINATOR_CURVE;
        Ok(Exchange {
            amount_in,
            amount_out: div_down(gross - fee, rate).ok_or(TOO_LARGE)?,
            admin_fee: div_down(admin_fee, rate).ok_or(TOO_LARGE)?,
        })
    }

    /// The least input that buys `wanted`, found around the inverse of the curve.
    fn curve_in(
        &self,
        asset_in: usize,
        asset_out: usize,
        wanted: U256,
    ) -> Result<Exchange, AmmError> {
        let insufficient = || self.insufficient(asset_in, asset_out);
        let estimate = self
            .curve_in_estimate(asset_in, asset_out, wanted)
            .ok_or_else(insufficient)?;
        let buys = |amount_in: U256| match self.curve_out(asset_in, asset_out, amount_in) {
            Ok(exchange) if exchange.amount_out >= wanted => Ok(Some(exchange)),
            Ok(_) | Err(AmmError::AmountTooSmall) => Ok(None),
            Err(error) => Err(error),
        };
        // Double the distance from the estimate until one end buys and the other does not, then halve.
        let mut step = U256::ONE;
        let (mut low, mut high, mut best);
        if let Some(exchange) = buys(estimate)? {
            (low, high, best) = (estimate, estimate, exchange);
            loop {
                low = low.saturating_sub(step);
                if low.is_zero() {
                    break;
                }
                match buys(low)? {
                    Some(exchange) => (high, best) = (low, exchange),
                    None => break,
                }
                step <<= 1usize;
            }
        } else {
            (low, high) = (estimate, estimate);
            best = loop {
                high = high.checked_add(step).ok_or_else(insufficient)?;
                match buys(high) {
                    Ok(Some(exchange)) => break exchange,
                    Ok(None) => low = high,
                    Err(AmmError::AmountTooLarge) => return Err(insufficient()),
                    Err(error) => return Err(error),
                }
                step <<= 1usize;
            };
        }
        while high - low > U256::ONE {
            let middle = low + ((high - low) >> 1usize);
            match buys(middle)? {
                Some(exchange) => (high, best) = (middle, exchange),
                None => low = middle,
            }
        }
        Ok(best)
    }

    /// About the input that buys `wanted`, at least 1; `None` where the pool ends before.
    fn curve_in_estimate(&self, asset_in: usize, asset_out: usize, wanted: U256) -> Option<U256> {
        let net = mul_up(wanted, self.rates[asset_out])?;
        let kept = FEE_DENOMINATOR_CURVE - U256::from(self.fee);
        let gross = net.checked_mul(FEE_DENOMINATOR_CURVE)? / kept;
        let left = self.scaled[asset_out]
            .checked_sub(gross)?
            .checked_sub(U256::ONE)
            .filter(|left| !left.is_zero())?;
        let given = curve::balance_of(
            &self.scaled,
            (asset_out, left),
            asset_in,
            self.invariant,
            self.total(),
            self.rule.precision(),
        )?;
        let scaled = given.saturating_sub(self.scaled[asset_in]);
        div_up(scaled, self.rates[asset_in]).map(|amount| amount.max(U256::ONE))
    }

    fn balancer_out(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount_in: U256,
    ) -> Result<Exchange, AmmError> {
        let fee = mul_up(amount_in, U256::from(self.fee)).ok_or(TOO_LARGE)?;
        let given = mul_down(amount_in - fee, self.rates[asset_in]).ok_or(TOO_LARGE)?;
        let balance = self.scaled[asset_in].checked_add(given).ok_or(TOO_LARGE)?;
        let left = self
            .balancer_balance((asset_in, balance), asset_out)
            .ok_or(TOO_LARGE)?;
        let gained = self.scaled[asset_out]
            .checked_sub(left)
            .and_then(|gained| gained.checked_sub(U256::ONE))
            .ok_or(AmmError::AmountTooSmall)?;
        Ok(Exchange {
            amount_in,
            amount_out: div_down(gained, self.rates[asset_out]).ok_or(TOO_LARGE)?,
            admin_fee: U256::ZERO,
        })
    }

    fn balancer_in(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount_out: U256,
    ) -> Result<Exchange, AmmError> {
        if amount_out > self.balances[asset_out] {
            return Err(self.insufficient(asset_in, asset_out));
        }
        let taken = mul_down(amount_out, self.rates[asset_out]).ok_or(TOO_LARGE)?;
        let balance = self.scaled[asset_out]
            .checked_sub(taken)
            .filter(|left| !left.is_zero())
            .ok_or_else(|| self.insufficient(asset_in, asset_out))?;
        let needed = self
            .balancer_balance((asset_out, balance), asset_in)
            .ok_or_else(|| self.insufficient(asset_in, asset_out))?;
        // The roundings can only leave the old balance above the new one for amounts that are next to nothing.
        let given = needed
            .checked_sub(self.scaled[asset_in])
            .and_then(|given| given.checked_add(U256::ONE))
            .ok_or(AmmError::AmountTooSmall)?;
        let before_fee = div_up(given, self.rates[asset_in]).ok_or(TOO_LARGE)?;
        let amount_in = div_up(before_fee, complement(U256::from(self.fee))).ok_or(TOO_LARGE)?;
        Ok(Exchange {
            amount_in,
            amount_out,
            admin_fee: U256::ZERO,
        })
    }

    fn balancer_balance(&self, (changed, balance): (usize, U256), wanted: usize) -> Option<U256> {
        let mut balances = [U256::ZERO; ASSETS_MAX];
        let balances = &mut balances[..self.scaled.len()];
        balances.copy_from_slice(&self.scaled);
        balances[changed] = balance;
        balancer::balance_of(
            balances,
            wanted,
            self.invariant,
            self.total(),
            self.rule.precision(),
        )
    }
}
