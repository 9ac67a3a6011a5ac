use std::sync::{Arc, OnceLock};

use ruint::aliases::{U256, U512};
use sep_amm::{AmmError, ConcentratedLiquidity, ConstantProduct, FEE_DENOMINATOR, Quote};
use sha2::{Digest, Sha256};

use crate::value::Wide;

/// The state of a market, by family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarketState {
    /// Two reserves whose product never falls.
    ConstantProduct(ConstantProduct),
    /// Liquidity between ticks.
    Concentrated(ConcentratedLiquidity),
}

/// A market of the network.
#[derive(Clone, Debug)]
pub struct Market {
    pub(crate) id: Arc<str>,
    pub(crate) assets: [usize; 2],
    pub(crate) state: MarketState,
    pub(crate) gas: u64,
    /// Natural logarithm of what a vanishing amount buys after fees: first for second, second for first.
    pub(crate) log_rates: [f64; 2],
    digest: OnceLock<[u8; 32]>,
}

impl MarketState {
    /// What a swap of exactly `amount` takes and gives.
    pub fn quote(
        &self,
        zero_for_one: bool,
        amount: U256,
        exact_in: bool,
    ) -> Result<Quote, AmmError> {
        match self {
            Self::ConstantProduct(pool) => pool.quote(zero_for_one, amount, exact_in),
            Self::Concentrated(pool) => pool.quote(zero_for_one, amount, exact_in),
        }
    }

    /// Fee on the amount in, parts per million.
    pub fn fee_ppm(&self) -> u32 {
        match self {
            Self::ConstantProduct(pool) => pool.fee_ppm(),
            Self::Concentrated(pool) => pool.fee_ppm(),
        }
    }

    /// Price of the first asset in the second before fees and at no size: numerator and denominator.
    fn price(&self) -> (U512, U512) {
        match self {
            Self::ConstantProduct(pool) => {
                (U512::from(pool.reserve1()), U512::from(pool.reserve0()))
            }
            Self::Concentrated(pool) => {
                let root = pool.sqrt_price_x96();
                (root.widening_mul(root), U512::ONE << 192usize)
            }
        }
    }

    /// Output for input at no size, before fees.
    pub(crate) fn marginal(&self, zero_for_one: bool) -> (Wide, Wide) {
        let (second, first) = self.price();
        let (numerator, denominator) = if zero_for_one {
            (second, first)
        } else {
            (first, second)
        };
        (Wide::from(numerator), Wide::from(denominator))
    }

    fn log_rates(&self) -> [f64; 2] {
        let (second, first) = self.price();
        let price = f64::from(second).ln() - f64::from(first).ln();
        let kept = (f64::from(FEE_DENOMINATOR - self.fee_ppm()) / f64::from(FEE_DENOMINATOR)).ln();
        if price.is_finite() {
            [price + kept, kept - price]
        } else {
            // A pool without reserves buys nothing.
            [f64::NEG_INFINITY; 2]
        }
    }

    fn absorb(&self, hash: &mut Sha256) {
        match self {
            Self::ConstantProduct(pool) => {
                hash.update([1]);
                hash.update(pool.reserve0().to_be_bytes::<32>());
                hash.update(pool.reserve1().to_be_bytes::<32>());
                hash.update(pool.fee_ppm().to_be_bytes());
            }
            Self::Concentrated(pool) => {
                let (low, high) = pool.table().loaded();
                hash.update([2]);
                hash.update(pool.sqrt_price_x96().to_be_bytes::<32>());
                hash.update(pool.tick().to_be_bytes());
                hash.update(pool.liquidity().to_be_bytes());
                hash.update(pool.fee_ppm().to_be_bytes());
                hash.update(pool.table().spacing().to_be_bytes());
                hash.update(low.to_be_bytes());
                hash.update(high.to_be_bytes());
                for tick in pool.table().ticks() {
                    hash.update(tick.index.to_be_bytes());
                    hash.update(tick.liquidity_net.to_be_bytes());
                    hash.update(tick.liquidity_gross.to_be_bytes());
                }
            }
        }
    }
}

impl Market {
    pub(crate) fn new(id: Arc<str>, assets: [usize; 2], state: MarketState, gas: u64) -> Self {
        let log_rates = state.log_rates();
        Self {
            id,
            assets,
            state,
            gas,
            log_rates,
            digest: OnceLock::new(),
        }
    }

    /// The market's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The state it was given last.
    pub fn state(&self) -> &MarketState {
        &self.state
    }

    /// Gas that a swap through it costs.
    pub fn gas(&self) -> u64 {
        self.gas
    }

    /// SHA-256 of the market's canonical form; kept, since a state never changes in place.
    pub(crate) fn digest(&self, names: [&str; 2]) -> [u8; 32] {
        *self.digest.get_or_init(|| {
            let mut hash = Sha256::new();
            for text in [&*self.id, names[0], names[1]] {
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text.as_bytes());
            }
            hash.update(self.gas.to_be_bytes());
            self.state.absorb(&mut hash);
            hash.finalize().into()
        })
    }
}
