use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ruint::aliases::U256;
use sep_amm::Quote;
use sha2::{Digest, Sha256};

use crate::market::{Market, MarketState};
use crate::problem::Problem;
use crate::solution::Solution;
use crate::{RouteError, search};

/// Markets and their states: one snapshot of everything that can be traded.
#[derive(Clone, Debug, Default)]
pub struct Network {
    markets: BTreeMap<Arc<str>, Market>,
    asset_names: Vec<Arc<str>>,
    asset_ids: HashMap<Arc<str>, usize>,
}

impl Network {
    /// A network without markets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a market, or gives one that exists a new state.
    pub fn set(
        &mut self,
        market: &str,
        asset0: &str,
        asset1: &str,
        state: MarketState,
        gas: u64,
    ) -> Result<(), RouteError> {
        if market.is_empty() || asset0.is_empty() || asset1.is_empty() {
            return Err(RouteError::Invalid("a market and its assets need names"));
        }
        if asset0 == asset1 {
            return Err(RouteError::Invalid("a market trades two different assets"));
        }
        let assets = [self.intern(asset0), self.intern(asset1)];
        let id = self
            .markets
            .get(market)
            .map_or_else(|| market.into(), |known| known.id.clone());
        self.markets
            .insert(Arc::clone(&id), Market::new(id, assets, state, gas));
        Ok(())
    }

    /// Takes a market out; an error where there is none of this name.
    pub fn remove(&mut self, market: &str) -> Result<(), RouteError> {
        self.markets
            .remove(market)
            .map(|_| ())
            .ok_or_else(|| RouteError::UnknownMarket(market.to_owned()))
    }

    /// The markets, sorted by name.
    pub fn markets(&self) -> impl ExactSizeIterator<Item = &Market> {
        self.markets.values()
    }

    /// One market.
    pub fn market(&self, market: &str) -> Result<&Market, RouteError> {
        self.markets
            .get(market)
            .ok_or_else(|| RouteError::UnknownMarket(market.to_owned()))
    }

    /// SHA-256 over the canonical form of every market, sorted by name: equal states, equal digest.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"sep network 1");
        hash.update((self.markets.len() as u64).to_be_bytes());
        for market in self.markets.values() {
            hash.update(market.digest(market.assets.map(|asset| self.asset_name(asset))));
        }
        hash.finalize().into()
    }

    /// What one market takes and gives for exactly `amount`.
    pub fn quote(
        &self,
        market: &str,
        asset_in: &str,
        amount: U256,
        exact_in: bool,
    ) -> Result<Quote, RouteError> {
        let market = self.market(market)?;
        let unknown = || RouteError::UnknownAsset {
            market: market.id.to_string(),
            asset: asset_in.to_owned(),
        };
        let asset = self.asset_id(asset_in).ok_or_else(unknown)?;
        let side = market
            .assets
            .iter()
            .position(|known| *known == asset)
            .ok_or_else(unknown)?;
        Ok(market.state.quote(side == 0, amount, exact_in)?)
    }

    /// The best single path for a problem.
    pub fn solve(&self, problem: &Problem) -> Result<Solution, RouteError> {
        search::solve(self, problem)
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
