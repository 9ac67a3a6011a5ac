use std::sync::{Arc, OnceLock};

use ruint::aliases::{U256, U512};
use sep_amm::real::{
    RealConcentrated, RealConstantProduct, RealLane, RealMarket, RealOrderBook, RealSampled,
    RealStableSwap, RealWeightedProduct,
};
use sep_amm::{
    AmmError, ConcentratedLiquidity, ConstantProduct, FEE_DENOMINATOR, Lane, Level, OrderBook,
    Quote, Sampled, StableRule, StableSwap, WeightedProduct,
};
use sha2::{Digest, Sha256};

use crate::value::Wide;

/// The state of a market, by family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarketState {
    /// Two reserves whose product never falls.
    ConstantProduct(ConstantProduct),
    /// Liquidity between ticks.
    Concentrated(ConcentratedLiquidity),
    /// Assets of nearly equal value.
    StableSwap(StableSwap),
    /// Balances to the power of their weights.
    Weighted(WeightedProduct),
    /// Resting orders.
    OrderBook(OrderBook),
    /// A fixed rate one way, up to a capacity.
    Lane(Lane),
    /// Quotes at a ladder of sizes.
    Sampled(Sampled),
}

/// A market of the network.
#[derive(Clone, Debug)]
pub struct Market {
    pub(crate) id: Arc<str>,
    pub(crate) assets: Box<[usize]>,
    pub(crate) state: MarketState,
    pub(crate) gas: u64,
    /// As swaps for exact inputs see it, and those for exact outputs where that differs.
    real: [OnceLock<Arc<dyn RealMarket>>; 2],
    digest: OnceLock<[u8; 32]>,
}

impl MarketState {
    /// What a swap of exactly `amount` takes and gives.
    pub fn quote(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<Quote, AmmError> {
        if asset_in == asset_out || asset_in.max(asset_out) >= self.asset_count() {
            return Err(AmmError::InvalidState(
                "a swap is between two different assets of the market",
            ));
        }
        match self {
            Self::ConstantProduct(pool) => pool.quote(asset_in == 0, amount, exact_in),
            Self::Concentrated(pool) => pool.quote(asset_in == 0, amount, exact_in),
            Self::StableSwap(pool) => pool.quote(asset_in, asset_out, amount, exact_in),
            Self::Weighted(pool) => pool.quote(asset_in, asset_out, amount, exact_in),
            Self::OrderBook(book) => book.quote(asset_in, asset_out, amount, exact_in),
            Self::Lane(lane) => lane.quote(asset_in, asset_out, amount, exact_in),
            Self::Sampled(market) => market.quote(asset_in, asset_out, amount, exact_in),
        }
    }

    /// The swap and the market after it.
    pub fn after(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<(Quote, Self), AmmError> {
        if asset_in == asset_out || asset_in.max(asset_out) >= self.asset_count() {
            return Err(AmmError::InvalidState(
                "a swap is between two different assets of the market",
            ));
        }
        let is_first = asset_in == 0;
        match self {
            Self::ConstantProduct(pool) => pool
                .after(is_first, amount, exact_in)
                .map(pair(Self::ConstantProduct)),
            Self::Concentrated(pool) => pool
                .after(is_first, amount, exact_in)
                .map(pair(Self::Concentrated)),
            Self::StableSwap(pool) => pool
                .after(asset_in, asset_out, amount, exact_in)
                .map(pair(Self::StableSwap)),
            Self::Weighted(pool) => pool
                .after(asset_in, asset_out, amount, exact_in)
                .map(pair(Self::Weighted)),
            Self::OrderBook(book) => book
                .after(asset_in, asset_out, amount, exact_in)
                .map(pair(Self::OrderBook)),
            Self::Lane(lane) => lane
                .after(asset_in, asset_out, amount, exact_in)
                .map(pair(Self::Lane)),
            Self::Sampled(market) => market
                .after(asset_in, asset_out, amount, exact_in)
                .map(pair(Self::Sampled)),
        }
    }

    /// How many assets it trades.
    pub fn asset_count(&self) -> usize {
        match self {
            Self::ConstantProduct(_)
            | Self::Concentrated(_)
            | Self::OrderBook(_)
            | Self::Lane(_) => 2,
            Self::StableSwap(pool) => pool.balances().len(),
            Self::Weighted(pool) => pool.balances().len(),
            Self::Sampled(market) => market.asset_count(),
        }
    }

    /// The name of the family, as snapshots and reports carry it.
    pub fn family(&self) -> &'static str {
        match self {
            Self::ConstantProduct(_) => "constant_product",
            Self::Concentrated(_) => "concentrated",
            Self::StableSwap(_) => "stable_swap",
            Self::Weighted(_) => "weighted_product",
            Self::OrderBook(_) => "order_book",
            Self::Lane(_) => "lane",
            Self::Sampled(_) => "sampled",
        }
    }

    /// The market as a solver sees it who swaps exact inputs, or exact outputs.
    pub fn real(&self, exact_in: bool) -> Arc<dyn RealMarket> {
        match self {
            Self::ConstantProduct(pool) => Arc::new(RealConstantProduct::from(pool)),
            Self::Concentrated(pool) => Arc::new(RealConcentrated::from(pool)),
            Self::StableSwap(pool) => Arc::new(RealStableSwap::from(pool)),
            Self::Weighted(pool) => Arc::new(RealWeightedProduct::new(pool, exact_in)),
            Self::OrderBook(book) => Arc::new(RealOrderBook::from(book)),
            Self::Lane(lane) => Arc::new(RealLane::from(lane)),
            Self::Sampled(market) => Arc::new(RealSampled::from(market)),
        }
    }

    /// Output for input at no size before fees, and what fees leave of it, where both are ratios of whole numbers.
    fn exact_marginal(&self, asset_in: usize) -> Option<Marginal> {
        let (second, first, fee_ppm) = match self {
            Self::ConstantProduct(pool) => (
                U512::from(pool.reserve1()),
                U512::from(pool.reserve0()),
                pool.fee_ppm(),
            ),
            Self::Concentrated(pool) => {
                let root = pool.sqrt_price_x96();
                (
                    root.widening_mul(root),
                    U512::ONE << 192usize,
                    pool.fee_ppm(),
                )
            }
            _ => return None,
        };
        let (numerator, denominator) = if asset_in == 0 {
            (second, first)
        } else {
            (first, second)
        };
        Some(Marginal {
            price: (Wide::from(numerator), Wide::from(denominator)),
            kept: (
                Wide::from(FEE_DENOMINATOR - fee_ppm),
                Wide::from(FEE_DENOMINATOR),
            ),
        })
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
            Self::StableSwap(pool) => {
                hash.update([
                    3,
                    match pool.rule() {
                        StableRule::Curve => 1,
                        StableRule::Balancer => 2,
                    },
                ]);
                absorb_all(hash, pool.balances());
                absorb_all(hash, pool.rates());
                hash.update(pool.amplification().to_be_bytes());
                hash.update(pool.fee().to_be_bytes());
            }
            Self::Weighted(pool) => {
                hash.update([4]);
                absorb_all(hash, pool.balances());
                absorb_all(hash, pool.scaling());
                for weight in pool.weights() {
                    hash.update(weight.to_be_bytes());
                }
                hash.update(pool.fee().to_be_bytes());
            }
            Self::OrderBook(book) => {
                hash.update([5]);
                for side in [book.bids(), book.asks()] {
                    hash.update((side.len() as u64).to_be_bytes());
                    for Level { price, size } in side {
                        hash.update(price.to_be_bytes());
                        hash.update(size.to_be_bytes());
                    }
                }
                absorb_all(hash, &[book.lot(), book.tick(), book.least_notional()]);
                hash.update(book.taker_fee_ppm().to_be_bytes());
            }
            Self::Lane(lane) => {
                let terms = lane.terms();
                hash.update([6]);
                absorb_all(
                    hash,
                    &[terms.rate.0, terms.rate.1, terms.fixed_fee, terms.capacity],
                );
                hash.update(terms.fee_ppm.to_be_bytes());
                hash.update(terms.delay_seconds.to_be_bytes());
            }
            Self::Sampled(market) => {
                hash.update([7]);
                hash.update((market.ladders().len() as u64).to_be_bytes());
                for ladder in market.ladders() {
                    hash.update((ladder.asset_in as u64).to_be_bytes());
                    hash.update((ladder.asset_out as u64).to_be_bytes());
                    hash.update((ladder.samples.len() as u64).to_be_bytes());
                    for (amount_in, amount_out) in &ladder.samples {
                        hash.update(amount_in.to_be_bytes::<32>());
                        hash.update(amount_out.to_be_bytes::<32>());
                    }
                }
            }
        }
    }
}

/// Wraps the state in an answer of a family.
fn pair<T>(wrap: impl Fn(T) -> MarketState) -> impl Fn((Quote, T)) -> (Quote, MarketState) {
    move |(quote, after)| (quote, wrap(after))
}

fn absorb_all(hash: &mut Sha256, amounts: &[U256]) {
    hash.update((amounts.len() as u64).to_be_bytes());
    for amount in amounts {
        hash.update(amount.to_be_bytes::<32>());
    }
}

/// A real number above zero as a ratio of whole numbers, to the precision that it has.
fn ratio(value: f64) -> (Wide, Wide) {
    let mut scaled = value;
    let mut shift = 0usize;
    while scaled < 9e15 && scaled > 0.0 && shift < 512 {
        scaled *= 2.0;
        shift += 1;
    }
    (Wide::from(U512::from(scaled)), Wide::ONE << shift)
}

/// Output for input at no size: before fees, and what fees leave of it; numerators and denominators.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marginal {
    pub(crate) price: (Wide, Wide),
    pub(crate) kept: (Wide, Wide),
}

impl Market {
    pub(crate) fn new(id: Arc<str>, assets: Box<[usize]>, state: MarketState, gas: u64) -> Self {
        Self {
            id,
            assets,
            state,
            gas,
            real: [OnceLock::new(), OnceLock::new()],
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

    /// The market as a solver sees it; kept, since a state never changes in place.
    pub(crate) fn real(&self, exact_in: bool) -> &Arc<dyn RealMarket> {
        let limits_differ = matches!(self.state, MarketState::Weighted(_));
        let at = usize::from(limits_differ && !exact_in);
        self.real[at].get_or_init(|| self.state.real(exact_in))
    }

    pub(crate) fn log_rate(&self, asset_in: usize, asset_out: usize) -> f64 {
        self.real(true).log_rate(asset_in, asset_out)
    }

    /// Whether no amount of any asset buys anything.
    pub(crate) fn buys_nothing(&self) -> bool {
        let count = self.assets.len();
        (0..count).all(|asset_in| {
            (0..count).all(|asset_out| {
                asset_in == asset_out || self.log_rate(asset_in, asset_out) == f64::NEG_INFINITY
            })
        })
    }

    /// Output for input at no size.
    pub(crate) fn marginal(&self, asset_in: usize, asset_out: usize) -> Marginal {
        self.state.exact_marginal(asset_in).unwrap_or_else(|| {
            let real = self.real(true);
            let kept = real.log_kept(asset_in, asset_out);
            Marginal {
                price: ratio((real.log_rate(asset_in, asset_out) - kept).exp()),
                kept: ratio(kept.exp()),
            }
        })
    }

    /// SHA-256 of the market's canonical form; kept, since a state never changes in place.
    pub(crate) fn digest<'a>(&self, names: impl Iterator<Item = &'a str>) -> [u8; 32] {
        *self.digest.get_or_init(|| {
            let mut hash = Sha256::new();
            let mut absorb = |text: &str| {
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text.as_bytes());
            };
            absorb(&self.id);
            names.for_each(absorb);
            hash.update(self.gas.to_be_bytes());
            self.state.absorb(&mut hash);
            hash.finalize().into()
        })
    }
}
