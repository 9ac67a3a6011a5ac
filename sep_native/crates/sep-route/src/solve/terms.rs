use crate::RouteError;
use crate::network::Network;
use crate::prepared::Prepared;
use crate::problem::{Problem, Utility, real};

/// A problem in the words of the solver: supplies, given prices, shares.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// What is given of an asset, or asked for where negative.
    pub(crate) supply: Vec<(u32, f64)>,
    /// Log prices that assets have at most.
    pub(crate) ceilings: Vec<(u32, f64)>,
    /// Assets whose price is the ceiling.
    pub(crate) fixed: Vec<u32>,
    /// Base units of an asset in a unit of worth that is to be held.
    pub(crate) shares: Vec<(u32, f64)>,
    /// Log prices to begin with, where they are known.
    pub(crate) guesses: Vec<(u32, f64)>,
    /// Where flows begin and end.
    pub(crate) sources: Vec<u32>,
    pub(crate) sinks: Vec<u32>,
    /// Whether legs are swaps for exact inputs; else for exact outputs.
    pub(crate) exact_in: bool,
}

impl Terms {
    pub(crate) fn new(
        network: &Network,
        prepared: &Prepared,
        problem: &Problem,
    ) -> Result<Self, RouteError> {
        let find = |name: &str| {
            network
                .asset_id(name)
                .map(|asset| prepared.place[asset])
                .filter(|place| *place != u32::MAX)
        };
        let need = |name: &str| {
            find(name).ok_or_else(|| RouteError::NoRoute(format!("no market trades {name}")))
        };
        let mut terms = Self {
            exact_in: problem.exact_in(),
            ..Self::default()
        };
        match problem.utility() {
            Utility::ExactIn { spend, want } => {
                let want = need(want)?;
                terms.ceilings.push((want, 0.0));
                terms.fixed.push(want);
                terms.sinks.push(want);
                for (asset, amount) in spend {
                    let asset = need(asset)?;
                    terms.supply.push((asset, f64::from(*amount)));
                    terms.sources.push(asset);
                }
            }
            Utility::ExactOut {
                want,
                amount,
                funding,
            } => {
                let want = need(want)?;
                terms.supply.push((want, -f64::from(*amount)));
                terms.sinks.push(want);
                // Assets that no market trades pay for nothing.
                for (asset, worth) in funding {
                    if let Some(asset) = find(asset) {
                        terms.ceilings.push((asset, real(*worth).ln()));
                        terms.sources.push(asset);
                    }
                }
                if terms.sources.is_empty() {
                    need(&funding[0].0)?;
                }
                if let [only] = terms.sources[..] {
                    terms.fixed.push(only);
                }
            }
            Utility::Rebalance { holdings, targets } => {
                let sum: f64 = targets.iter().map(|target| float(target.weight)).sum();
                for target in targets {
                    let asset = need(&target.asset)?;
                    let price = real(target.price);
                    terms.guesses.push((asset, price.ln()));
                    terms
                        .shares
                        .push((asset, float(target.weight) / sum / price));
                    if target.weight > 0 {
                        terms.sinks.push(asset);
                    }
                }
                for (asset, amount) in holdings {
                    if !amount.is_zero() {
                        let asset = need(asset)?;
                        terms.supply.push((asset, f64::from(*amount)));
                        terms.sources.push(asset);
                    }
                }
            }
            Utility::Arbitrage { want } => {
                let want = need(want)?;
                terms.ceilings.push((want, 0.0));
                terms.fixed.push(want);
                terms.sinks.push(want);
                terms.sources.push(want);
            }
        }
        Ok(terms)
    }
}

#[expect(clippy::cast_precision_loss, reason = "weights are compared as reals")]
fn float(value: u64) -> f64 {
    value as f64
}
