//! Networks drawn from a seed, for tests and measurements.
//!
//! Assets have prices, hubs trade with everything, pools lie near the assets' prices up to their fees, ticks are
//! denser near the price. Stale pools, dead ends and pools at the edge of their liquidity can be asked for.

use ruint::aliases::U256;
use sep_amm::real::Ramp;
use sep_amm::{
    ConcentratedLiquidity, ConstantProduct, Lane, LaneTerms, Level, OrderBook, StableRule,
    StableSwap, WeightedProduct, tick_at_sqrt_price,
};

use crate::{MarketState, Network};

/// Which families a network is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// Half constant product, half concentrated.
    Products,
    /// 40 % constant product, 40 % concentrated, 10 % stable inside peg groups, 10 % weighted.
    Curved,
    /// 35 % constant product, 35 % concentrated, 10 % stable, 5 % weighted, 10 % order books, 5 % lanes.
    Books,
}

/// What to draw.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// How many markets.
    pub markets: usize,
    /// How many assets.
    pub assets: usize,
    /// Which families.
    pub mix: Mix,
    /// Percent of markets that lag behind the price so far that loops pay.
    pub stale_percent: u64,
    /// Percent of assets that hang on one other asset.
    pub dead_end_percent: u64,
    /// Percent of concentrated pools whose liquidity ends near the price.
    pub edge_percent: u64,
}

/// A drawn network with an order that suits it.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The markets.
    pub network: Network,
    /// What is sold.
    pub source: String,
    /// What is bought.
    pub target: String,
    /// How much is sold, in base units.
    pub amount: U256,
    /// Worth of a base unit of each asset, by number.
    pub prices: Vec<f64>,
    /// Worth of a unit of gas in base units of the target.
    pub gas_price: (U256, U256),
    seed: u64,
}

/// Draws of a market that moves, for each that there is.
const ATTEMPTS: usize = 16;

impl Instance {
    /// The network after a block in which one market in a hundred has moved: each took a trade.
    pub fn next_block(&self) -> Network {
        let mut draw = Draw::new(self.seed ^ 0xB10C);
        let mut network = self.network.clone();
        let names: Vec<String> = self
            .network
            .markets()
            .map(|market| market.id().to_owned())
            .collect();
        let mut to_move = names.len().div_ceil(100);
        // Some markets cannot be moved so: a venue without fees, the way back through a lane.
        for _ in 0..names.len() * ATTEMPTS {
            if to_move == 0 {
                break;
            }
            let name = &names[draw.index(names.len())];
            let Ok(market) = self.network.market(name) else {
                continue;
            };
            let assets: Vec<&str> = self.network.assets_of(market).collect();
            let side = draw.index(assets.len());
            let other = (side + 1) % assets.len();
            // A trade that moves the price within the fee: others would have taken what goes beyond.
            let real = market.state().real(true);
            let depth = draw.between(0.1, 0.5) * -real.log_kept(side, other);
            let log_price = real.log_rate(side, other) - depth;
            let amount = U256::from(
                real.respond(side, other, log_price, Ramp::of(1e-3))
                    .amount_in,
            );
            if let Ok((_, state)) = market.state().after(side, other, amount, true) {
                // The same assets and a state of the same family: never refused.
                let _ = network.set(name, &assets, state, market.gas());
                to_move -= 1;
            }
        }
        network
    }
}

/// Numbers from a seed (`SplitMix64`), the same on every machine.
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    /// Numbers from this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any whole number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A whole number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound.max(1)
    }

    /// A position below `bound`.
    pub fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap_or(0)
    }

    /// A real number from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
    pub fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A real number between two others.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Roughly normal, with a deviation of 1.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// Name of an asset of a drawn network.
pub fn asset_name(asset: usize) -> String {
    format!("asset{asset:05}")
}

/// Draws a network.
pub fn draw(recipe: &Recipe, seed: u64) -> Instance {
    Generator::new(recipe, seed).build()
}

/// Worth of pools: most are small, some are large.
const WORTH_LOW: f64 = 2e4;
const WORTH_HIGH: f64 = 5e7;
const GAS_PRODUCT: u64 = 100_000;
const GAS_CONCENTRATED: u64 = 130_000;
const GAS_STABLE: u64 = 150_000;
const GAS_WEIGHTED: u64 = 140_000;
const GAS_LANE: u64 = 90_000;

struct Generator<'a> {
    recipe: &'a Recipe,
    draw: Draw,
    /// Worth of a base unit.
    prices: Vec<f64>,
    /// Worth of all markets of an asset.
    worths: Vec<f64>,
    hubs: usize,
    network: Network,
    count: usize,
    seed: u64,
}

impl<'a> Generator<'a> {
    fn new(recipe: &'a Recipe, seed: u64) -> Self {
        let mut draw = Draw::new(seed ^ 0x5EB0_0C0D_E000_0000);
        let prices = (0..recipe.assets)
            .map(|asset| {
                let worth = if Generator::is_pegged(asset) {
                    1.0
                } else {
                    10f64.powf(draw.between(-3.0, 3.5))
                };
                // As most coins of few decimals are: worth little a unit.
                let is_coarse = draw.percent(25) && worth <= 1.0;
                let decimals = if is_coarse { 6 } else { 18 };
                worth / 10f64.powi(decimals)
            })
            .collect();
        Self {
            recipe,
            draw,
            prices,
            worths: vec![0.0; recipe.assets],
            hubs: (recipe.assets / 40).clamp(3, 12).min(recipe.assets),
            network: Network::new(),
            count: 0,
            seed,
        }
    }

    fn build(mut self) -> Instance {
        let assets = self.recipe.assets;
        let dead = assets * usize::try_from(self.recipe.dead_end_percent).unwrap_or(0) / 100;
        let live = (assets - dead).max(2);
        // Every asset hangs on a hub; then markets between hubs, between a hub and any, between any.
        for asset in 1..live {
            let other = if asset < self.hubs {
                self.draw.index(asset)
            } else {
                self.draw.index(self.hubs)
            };
            self.market(other, asset);
        }
        for asset in live..assets {
            let other = self.draw.index(live);
            self.market(other, asset);
            if self.draw.percent(30) {
                self.market(other, asset);
            }
        }
        while self.count < self.recipe.markets {
            let kind = self.draw.below(100);
            let first = if kind < 75 {
                self.draw.index(self.hubs)
            } else {
                self.draw.index(live)
            };
            let second = if kind < 20 {
                self.draw.index(self.hubs)
            } else {
                self.draw.index(live)
            };
            if first != second {
                self.market(first, second);
            }
        }
        let source = self.draw.index(live);
        let mut target = self.draw.index(live);
        if target == source {
            target = (source + 1) % live;
        }
        // Orders are large against a pool, small against all of them.
        let worth = 10f64
            .powf(self.draw.between(3.0, 6.0))
            .min(0.02 * self.worths[source].min(self.worths[target]));
        Instance {
            source: asset_name(source),
            target: asset_name(target),
            amount: U256::from(worth / self.prices[source]),
            // 20 gwei at 3,000 a coin.
            gas_price: (
                U256::from(6e-5 / self.prices[target] * 1e9),
                U256::from(1_000_000_000u64),
            ),
            network: self.network,
            prices: self.prices,
            seed: self.seed,
        }
    }

    fn market(&mut self, first: usize, second: usize) {
        let id = format!("market{:06}", self.count);
        self.count += 1;
        let (state, gas) = self.state(first, second);
        let (first, second) = (asset_name(first), asset_name(second));
        // A drawn state that its family refuses is left out; the seed says which.
        let _ = state.map(|state| self.network.set(&id, &[&first, &second], state, gas));
    }

    /// How far the market is from the price: within its fee, or stale.
    fn offset(&mut self, fee: f64) -> f64 {
        if self.draw.percent(self.recipe.stale_percent) {
            self.draw.normal() * 0.02
        } else {
            self.draw.between(-0.45, 0.45) * fee
        }
    }

    fn state(&mut self, first: usize, second: usize) -> (Option<MarketState>, u64) {
        let worth = WORTH_LOW * (WORTH_HIGH / WORTH_LOW).powf(self.draw.unit().powi(2));
        self.worths[first] += worth;
        self.worths[second] += worth;
        let kind = self.draw.below(100);
        let (product, concentrated, stable, weighted, book) = match self.recipe.mix {
            Mix::Products => (50, 100, 100, 100, 100),
            Mix::Curved => (40, 80, 90, 100, 100),
            Mix::Books => (35, 70, 80, 85, 95),
        };
        let are_pegged = Self::is_pegged(first) && Self::is_pegged(second);
        let (state, gas) = if kind < product {
            (self.product(first, second, worth), GAS_PRODUCT)
        } else if kind < concentrated {
            (self.concentrated(first, second, worth), GAS_CONCENTRATED)
        } else if kind < stable {
            if are_pegged {
                (self.stable(first, second, worth), GAS_STABLE)
            } else {
                (self.product(first, second, worth), GAS_PRODUCT)
            }
        } else if kind < weighted {
            (self.weighted(first, second, worth), GAS_WEIGHTED)
        } else if kind < book {
            (self.book(first, second, worth), 0)
        } else {
            (self.lane(first, second, worth), GAS_LANE)
        };
        // What the numbers of a family cannot hold becomes a constant product.
        match state {
            Some(state) => (Some(state), gas),
            None => (self.product(first, second, worth), GAS_PRODUCT),
        }
    }

    /// Every fourth asset is worth one.
    fn is_pegged(asset: usize) -> bool {
        asset % 4 == 1
    }

    fn stable(&mut self, first: usize, second: usize, worth: f64) -> Option<MarketState> {
        let tilt = self.draw.between(-0.1, 0.1);
        let half = worth / 2.0;
        let balances = vec![
            U256::from(half * (1.0 + tilt) / self.prices[first]),
            U256::from(half * (1.0 - tilt) / self.prices[second]),
        ];
        let rate =
            |asset: usize| U256::from(10u128.pow(18)) * U256::from(self.prices[asset] * 1e18);
        let rates = vec![rate(first), rate(second)];
        let amplification = 100 * (200 + self.draw.below(800));
        StableSwap::new(StableRule::Curve, balances, rates, amplification, 4_000_000)
            .ok()
            .map(MarketState::StableSwap)
    }

    fn weighted(&mut self, first: usize, second: usize, worth: f64) -> Option<MarketState> {
        let weight = [
            200_000_000_000_000_000u64,
            500_000_000_000_000_000,
            800_000_000_000_000_000,
        ][self.draw.index(3)];
        let other = 1_000_000_000_000_000_000 - weight;
        let offset = self.offset(0.003);
        #[expect(clippy::cast_precision_loss, reason = "weights are round")]
        let share = weight as f64 / 1e18;
        let balances = vec![
            U256::from(worth * share / self.prices[first]),
            U256::from(worth * (1.0 - share) / self.prices[second] * offset.exp()),
        ];
        let one = U256::from(10u128.pow(18));
        WeightedProduct::new(
            balances,
            vec![one, one],
            vec![weight, other],
            3_000_000_000_000_000,
        )
        .ok()
        .map(MarketState::Weighted)
    }

    /// A book of 20 levels a side.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "prices and sizes are held to 64 bits"
    )]
    fn book(&mut self, first: usize, second: usize, worth: f64) -> Option<MarketState> {
        let lot_worth = 1e-4;
        let (lot, paid) = (
            lot_worth / self.prices[first],
            lot_worth / self.prices[second],
        );
        let tick = (paid / 1e7).floor().max(1.0);
        let middle = paid / tick * self.offset(0.0005).exp();
        if lot < 1.0 || middle < 1e5 {
            return None;
        }
        let mut levels = |sign: f64| {
            let mut distance = self.draw.between(0.5, 1.5) * 1e-4;
            let mut levels = Vec::new();
            for _ in 0..20 {
                let price = (middle * (1.0 + sign * distance)) as u64;
                let size = (worth / 20.0 / lot_worth * self.draw.between(0.2, 2.0)) as u64;
                if levels.last().is_none_or(|last: &Level| last.price != price) {
                    levels.push(Level {
                        price,
                        size: size.max(1),
                    });
                }
                distance += self.draw.between(0.5, 3.0) * 1e-4;
            }
            levels
        };
        let (bids, asks) = (levels(-1.0), levels(1.0));
        OrderBook::new(
            bids,
            asks,
            U256::from(lot),
            U256::from(tick),
            500,
            U256::ZERO,
        )
        .ok()
        .map(MarketState::OrderBook)
    }

    fn lane(&mut self, first: usize, second: usize, worth: f64) -> Option<MarketState> {
        let unit = 2f64.powi(96);
        let rate = self.prices[first] / self.prices[second] * self.offset(0.0004).exp();
        Lane::new(LaneTerms {
            rate: (U256::from(rate * unit), U256::from(unit)),
            fixed_fee: U256::ZERO,
            fee_ppm: 400,
            capacity: U256::from(worth / 10.0 / self.prices[first]),
            delay_seconds: 60,
        })
        .ok()
        .map(MarketState::Lane)
    }

    fn product(&mut self, first: usize, second: usize, worth: f64) -> Option<MarketState> {
        let offset = self.offset(0.003);
        let reserve0 = U256::from(worth / self.prices[first]);
        let reserve1 = U256::from(worth / self.prices[second] * offset.exp());
        ConstantProduct::new(reserve0, reserve1, 3000)
            .ok()
            .map(MarketState::ConstantProduct)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "ticks of drawn prices are small"
    )]
    fn concentrated(&mut self, first: usize, second: usize, worth: f64) -> Option<MarketState> {
        let (fee, spacing) = [(100, 1), (500, 10), (3000, 60), (10_000, 200)][self.draw.index(4)];
        let offset = self.offset(f64::from(fee) * 1e-6);
        let log = (self.prices[first] / self.prices[second]).ln() + offset;
        let price = U256::from((log / 2.0).exp() * 2f64.powi(96));
        let tick = tick_at_sqrt_price(price).ok()?;
        let mut pool = ConcentratedLiquidity::initialized(price, fee, spacing).ok()?;
        let is_edge = self.draw.percent(self.recipe.edge_percent);
        let ranges = 3 + self.draw.index(97);
        // Liquidity of a position of this worth over a range of this width, roughly.
        let root = (log / 2.0).exp();
        let whole = worth / self.prices[second] / root;
        let centre = tick.div_euclid(spacing);
        for at in 0..ranges {
            let width =
                1 + (10f64.powf(self.draw.between(0.0, 3.0)) as i32) * 60 / spacing.clamp(1, 60);
            let shift = (self.draw.normal() * f64::from(width)) as i32;
            let (mut lower, mut upper) = (centre + shift - width, centre + shift + width);
            if at == 0 {
                (lower, upper) = (
                    centre - 2000 * 60 / spacing.min(60),
                    centre + 2000 * 60 / spacing.min(60),
                );
            }
            if is_edge {
                upper = upper.min(centre + 1);
                if lower >= upper {
                    continue;
                }
            }
            let breadth = f64::from(upper - lower) * f64::from(spacing) * 0.5 * 1.0001f64.ln();
            let liquidity = whole / f64::from(u32::try_from(ranges).ok()?) / breadth.max(1e-4);
            let (lower, upper) = (
                (lower * spacing).max(-887_200 / spacing * spacing),
                (upper * spacing).min(887_200 / spacing * spacing),
            );
            if (1.0..1e36).contains(&liquidity) && lower < upper {
                pool = pool.with_liquidity(lower, upper, liquidity as i128).ok()?;
            }
        }
        Some(MarketState::Concentrated(pool))
    }
}
