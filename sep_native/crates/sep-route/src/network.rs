use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use ruint::aliases::U256;
use sep_amm::{ASSETS_MAX, Quote};
use sha2::{Digest, Sha256};

use crate::market::{Market, MarketState};
use crate::path::{PathProblem, PathSolution};
use crate::prepared::Prepared;
use crate::problem::Problem;
use crate::solution::Solution;
use crate::{RouteError, path, solve};

/// Markets and their states: one snapshot of everything that can be traded.
#[derive(Clone, Debug, Default)]
pub struct Network {
    markets: BTreeMap<Arc<str>, Arc<Market>>,
    asset_names: Vec<Arc<str>>,
    asset_ids: HashMap<Arc<str>, usize>,
    /// Built when a search first needs it; new states are written into it, new markets drop it.
    prepared: OnceLock<Arc<Prepared>>,
}

impl Network {
    /// A network without markets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a market, or gives one that exists a new state. Assets come in the order in which the state counts them.
    pub fn set(
        &mut self,
        market: &str,
        assets: &[&str],
        state: MarketState,
        gas: u64,
    ) -> Result<(), RouteError> {
        if market.is_empty() || assets.iter().any(|asset| asset.is_empty()) {
            return Err(RouteError::Invalid("a market and its assets need names"));
        }
        if !(2..=ASSETS_MAX).contains(&assets.len()) || assets.len() != state.asset_count() {
            return Err(RouteError::Invalid(
                "a market names each of the 2 to 8 assets that its state holds",
            ));
        }
        if (1..assets.len()).any(|at| assets[..at].contains(&assets[at])) {
            return Err(RouteError::Invalid("a market trades different assets"));
        }
        let assets = assets.iter().map(|asset| self.intern(asset)).collect();
        let id = self
            .markets
            .get(market)
            .map_or_else(|| market.into(), |known| known.id.clone());
        let market = Arc::new(Market::new(Arc::clone(&id), assets, state, gas));
        let is_kept = self
            .prepared
            .get_mut()
            .is_some_and(|prepared| Arc::make_mut(prepared).update(&market));
        if !is_kept {
            self.prepared = OnceLock::new();
        }
        self.markets.insert(id, market);
        Ok(())
    }

    /// Takes a market out; an error where there is none of this name.
    pub fn remove(&mut self, market: &str) -> Result<(), RouteError> {
        self.prepared = OnceLock::new();
        self.markets
            .remove(market)
            .map(|_| ())
            .ok_or_else(|| RouteError::UnknownMarket(market.to_owned()))
    }

    /// The markets, sorted by name.
    pub fn markets(&self) -> impl ExactSizeIterator<Item = &Market> {
        self.markets.values().map(|market| &**market)
    }

    /// One market.
    pub fn market(&self, market: &str) -> Result<&Market, RouteError> {
        self.markets
            .get(market)
            .map(|market| &**market)
            .ok_or_else(|| RouteError::UnknownMarket(market.to_owned()))
    }

    /// The names of a market's assets, in the order in which its state counts them.
    pub fn assets_of<'a>(&'a self, market: &'a Market) -> impl ExactSizeIterator<Item = &'a str> {
        market.assets.iter().map(|asset| self.asset_name(*asset))
    }

    /// SHA-256 over the canonical form of every market, sorted by name: equal states, equal digest.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"sep network 1");
        hash.update((self.markets.len() as u64).to_be_bytes());
        for market in self.markets.values() {
            hash.update(market.digest(self.assets_of(market)));
        }
        hash.finalize().into()
    }

    /// What one market takes and gives for exactly `amount`. The asset out may be left open where there are two.
    pub fn quote(
        &self,
        market: &str,
        asset_in: &str,
        asset_out: Option<&str>,
        amount: U256,
        exact_in: bool,
    ) -> Result<Quote, RouteError> {
        let market = self.market(market)?;
        let side_in = self.side(market, asset_in)?;
        let side_out = match asset_out {
            Some(asset) => self.side(market, asset)?,
            None if market.assets.len() == 2 => 1 - side_in,
            None => {
                return Err(RouteError::Invalid(
                    "a market of more than two assets needs both named",
                ));
            }
        };
        Ok(market.state.quote(side_in, side_out, amount, exact_in)?)
    }

    /// The number of an asset, as a market counts it.
    pub(crate) fn side(&self, market: &Market, asset: &str) -> Result<usize, RouteError> {
        self.asset_id(asset)
            .and_then(|asset| market.assets.iter().position(|known| *known == asset))
            .ok_or_else(|| RouteError::UnknownAsset {
                market: market.id.to_string(),
                asset: asset.to_owned(),
            })
    }

    /// The best single path for a problem.
    pub fn best_path(&self, problem: &PathProblem) -> Result<PathSolution, RouteError> {
        path::solve(self, problem)
    }

    /// The best plan for a problem, split over as many markets as it takes, with its certificate.
    pub fn solve(&self, problem: &Problem) -> Result<Solution, RouteError> {
        solve::solve(self, problem, None)
    }

    /// The best plan, searched from the prices of an earlier solution of a similar problem.
    pub fn solve_from(&self, problem: &Problem, before: &Solution) -> Result<Solution, RouteError> {
        solve::solve(self, problem, Some(before))
    }

    /// What a split in equal chunks buys, each along the path that is best by then, and the worth of its gas; `None`
    /// where it finds nothing or the problem is not one amount of one asset. For comparison.
    pub fn greedy(&self, problem: &Problem, chunks: u32) -> Option<(U256, U256)> {
        solve::greedy(self, problem, chunks.max(1))
    }

    /// Makes ready what searches share, so that the first of them does not pay for it.
    pub fn prepare(&self) {
        self.prepared();
    }

    pub(crate) fn prepared(&self) -> &Arc<Prepared> {
        self.prepared
            .get_or_init(|| Arc::new(Prepared::new(&self.markets, &self.asset_names)))
    }

    pub(crate) fn asset_id(&self, name: &str) -> Option<usize> {
        self.asset_ids.get(name).copied()
    }

    pub(crate) fn asset_name(&self, asset: usize) -> &str {
        &self.asset_names[asset]
    }

    pub(crate) fn asset_count(&self) -> usize {
        self.asset_names.len()
    }

    fn intern(&mut self, name: &str) -> usize {
        if let Some(known) = self.asset_ids.get(name) {
            return *known;
        }
        let name: Arc<str> = name.into();
        let id = self.asset_names.len();
        self.asset_names.push(Arc::clone(&name));
        self.asset_ids.insert(name, id);
        id
    }
}
