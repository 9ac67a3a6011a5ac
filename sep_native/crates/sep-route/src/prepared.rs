use std::collections::BTreeMap;
use std::sync::Arc;

use sep_amm::real::Ramp;

use crate::market::Market;

/// One pair of assets of one market, with what a search reads of it over and over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    /// Position of the market, sorted by name.
    pub(crate) market: u32,
    /// The assets, numbered in the order of their names.
    pub(crate) a: u32,
    pub(crate) b: u32,
    /// The same, as the market counts them.
    pub(crate) side_a: u8,
    pub(crate) side_b: u8,
    /// Logarithm of what a vanishing amount buys, fees included: `a` for `b`, and `b` for `a`.
    pub(crate) rate_ab: f64,
    pub(crate) rate_ba: f64,
    /// How fast the amount in grows as the price leaves the rate, at no size, in units of the asset in.
    pub(crate) depth_ab: f64,
    pub(crate) depth_ba: f64,
}

/// A network as arrays, in an order that does not depend on how the network was filled.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) markets: Vec<Arc<Market>>,
    pub(crate) pairs: Vec<Pair>,
    /// Where the pairs of each market begin; one more than there are markets.
    pub(crate) first_pair: Vec<u32>,
    /// The network's number of each asset, sorted by name.
    pub(crate) assets: Vec<u32>,
    /// The place of each of the network's assets in that order; `u32::MAX` where no market trades it.
    pub(crate) place: Vec<u32>,
}

/// A step in log price that is small against every fee and large against rounding.
const PROBE: f64 = 1e-7;

impl Pair {
    fn measure(&mut self, market: &Market) {
        let real = market.real(true);
        let (a, b) = (usize::from(self.side_a), usize::from(self.side_b));
        let probe = |side_in, side_out, rate: f64| {
            if rate == f64::NEG_INFINITY {
                0.0
            } else {
                real.respond(side_in, side_out, rate - PROBE, Ramp::of(2.0 * PROBE))
                    .stiffness
            }
        };
        self.rate_ab = finite(real.log_rate(a, b));
        self.rate_ba = finite(real.log_rate(b, a));
        self.depth_ab = probe(a, b, self.rate_ab);
        self.depth_ba = probe(b, a, self.rate_ba);
    }
}

/// A rate that cannot be compared buys nothing.
fn finite(rate: f64) -> f64 {
    if rate.is_finite() {
        rate
    } else {
        f64::NEG_INFINITY
    }
}

impl Prepared {
    pub(crate) fn new(markets: &BTreeMap<Arc<str>, Arc<Market>>, names: &[Arc<str>]) -> Self {
        let mut is_used = vec![false; names.len()];
        for asset in markets.values().flat_map(|market| market.assets.iter()) {
            is_used[*asset] = true;
        }
        let mut assets: Vec<u32> = (0u32..)
            .zip(&is_used)
            .filter_map(|(asset, is_used)| is_used.then_some(asset))
            .collect();
        assets.sort_unstable_by(|a, b| names[*a as usize].cmp(&names[*b as usize]));
        let mut place = vec![u32::MAX; names.len()];
        for (at, asset) in (0u32..).zip(&assets) {
            place[*asset as usize] = at;
        }
        let mut prepared = Self {
            markets: markets.values().cloned().collect(),
            pairs: Vec::with_capacity(markets.len()),
            first_pair: Vec::with_capacity(markets.len() + 1),
            assets,
            place,
        };
        let mut count = 0u32;
        for (at, market) in (0u32..).zip(&prepared.markets) {
            prepared.first_pair.push(count);
            for side_a in 0..market.assets.len() {
                for side_b in side_a + 1..market.assets.len() {
                    let mut pair = Pair {
                        market: at,
                        a: prepared.place[market.assets[side_a]],
                        b: prepared.place[market.assets[side_b]],
                        side_a: u8::try_from(side_a).unwrap_or(u8::MAX),
                        side_b: u8::try_from(side_b).unwrap_or(u8::MAX),
                        rate_ab: 0.0,
                        rate_ba: 0.0,
                        depth_ab: 0.0,
                        depth_ba: 0.0,
                    };
                    pair.measure(market);
                    prepared.pairs.push(pair);
                    count += 1;
                }
            }
        }
        prepared.first_pair.push(count);
        prepared
    }

    /// Gives a market of the same name and assets its new state; false where there is none.
    pub(crate) fn update(&mut self, market: &Arc<Market>) -> bool {
        let Ok(at) = self
            .markets
            .binary_search_by(|known| known.id.cmp(&market.id))
        else {
            return false;
        };
        if self.markets[at].assets != market.assets {
            return false;
        }
        for pair in &mut self.pairs[self.first_pair[at] as usize..self.first_pair[at + 1] as usize]
        {
            pair.measure(market);
        }
        self.markets[at] = Arc::clone(market);
        true
    }

    pub(crate) fn asset_count(&self) -> usize {
        self.assets.len()
    }

    pub(crate) fn pairs_of(&self, market: usize) -> &[Pair] {
        &self.pairs[self.first_pair[market] as usize..self.first_pair[market + 1] as usize]
    }
}
