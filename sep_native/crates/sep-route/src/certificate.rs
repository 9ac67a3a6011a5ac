use std::collections::{BTreeMap, BTreeSet, HashMap};

use ruint::aliases::U256;
use sep_amm::real::Ramp;

use crate::RouteError;
use crate::network::Network;
use crate::prepared::Prepared;
use crate::problem::{Arbitrage, Problem, Utility, real};
use crate::solution::Solution;

/// Room for the rounding of floating-point sums, which grows with how much deeper markets are than what flows through
/// them; integer rounding always favours the markets.
pub(crate) const ROUNDING: f64 = 1e-9;
/// A stored number and the same one computed again may differ by this share.
const AGREEMENT: f64 = 1e-9;

/// Net amounts by asset.
type Amounts<'a> = BTreeMap<&'a str, U256>;

/// Prices and an order of assets, by the place of each asset; `NAN` where an asset has no price.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) prices: Vec<f64>,
    /// Place in the order, where loops are excluded by one.
    pub(crate) ranks: Option<Vec<u32>>,
}

/// What `Solution::verify` computed from the snapshot and the stored prices.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// The objective of the legs, replayed with exact amounts.
    pub objective: f64,
    /// The bound at the stored prices.
    pub bound: f64,
    /// The gap between them.
    pub gap: f64,
    /// How many markets the bound covers.
    pub covered: usize,
}

impl Claim {
    /// What all covered markets together earn at these prices, and how many they are. A market of more than two assets
    /// is used through one pair, by swaps for exact inputs or by swaps for exact outputs.
    fn gains(&self, prepared: &Prepared, excluded: &[bool], exact_in: bool) -> (f64, Vec<bool>) {
        let mut sum = 0.0;
        let logs: Vec<f64> = self.prices.iter().map(|price| price.ln()).collect();
        let mut is_covered = vec![false; prepared.markets.len()];
        for (at, market) in prepared.markets.iter().enumerate() {
            if excluded[at] {
                continue;
            }
            let mut best = 0.0f64;
            for pair in prepared.pairs_of(at) {
                let (price_a, price_b) =
                    (self.prices[pair.a as usize], self.prices[pair.b as usize]);
                if price_a.is_nan() || price_b.is_nan() {
                    continue;
                }
                is_covered[at] = true;
                let difference = logs[pair.a as usize] - logs[pair.b as usize];
                let is_forward = self
                    .ranks
                    .as_ref()
                    .map(|ranks| ranks[pair.a as usize] < ranks[pair.b as usize]);
                let (a, b) = (usize::from(pair.side_a), usize::from(pair.side_b));
                if is_forward != Some(false) && difference < pair.rate_ab {
                    best = best.max(
                        market
                            .real(exact_in)
                            .respond(a, b, difference, Ramp::default())
                            .gain
                            * price_b,
                    );
                }
                if is_forward != Some(true) && -difference < pair.rate_ba {
                    best = best.max(
                        market
                            .real(exact_in)
                            .respond(b, a, -difference, Ramp::default())
                            .gain
                            * price_a,
                    );
                }
            }
            sum += best;
        }
        (sum, is_covered)
    }

    /// The bound of a problem at these prices: the most any plan reaches, or the least that one costs.
    pub(crate) fn bound(
        &self,
        network: &Network,
        problem: &Problem,
    ) -> Result<(f64, Vec<bool>), RouteError> {
        let prepared = network.prepared();
        let excluded: Vec<bool> = prepared
            .markets
            .iter()
            .map(|market| problem.limits().exclude.contains(&*market.id))
            .collect();
        let (gains, covered) = self.gains(prepared, &excluded, problem.exact_in());
        let price = |name: &str| {
            network
                .asset_id(name)
                .and_then(|asset| self.prices.get(prepared.place[asset] as usize).copied())
                .filter(|price| *price > 0.0 && price.is_finite())
                .ok_or_else(|| refuted(format!("{name} has no price above zero")))
        };
        let unit = |name: &str| {
            if price(name)?.to_bits() == 1f64.to_bits() {
                Ok(())
            } else {
                Err(refuted(format!(
                    "the price of {name}, in which the rest is measured, is not 1"
                )))
            }
        };
        let bound = match problem.utility() {
            Utility::ExactIn { spend, want } => {
                unit(want)?;
                let mut given = 0.0;
                for (asset, amount) in spend {
                    given += price(asset)? * f64::from(*amount);
                }
                (given + gains) * (1.0 + ROUNDING)
            }
            Utility::Arbitrage { want } => {
                unit(want)?;
                gains * (1.0 + ROUNDING)
            }
            Utility::ExactOut {
                want,
                amount,
                funding,
            } => {
                for (asset, worth) in funding {
                    let is_traded = network
                        .asset_id(asset)
                        .is_some_and(|asset| prepared.place[asset] != u32::MAX);
                    if is_traded && price(asset)? > real(*worth) * (1.0 + ROUNDING) {
                        return Err(refuted(format!(
                            "the price of {asset} is above its reference value"
                        )));
                    }
                }
                let asked = price(want)? * f64::from(*amount);
                asked - gains - ROUNDING * asked
            }
            Utility::Rebalance { holdings, targets } => {
                let mut given = 0.0;
                for (asset, amount) in holdings {
                    if !amount.is_zero() {
                        given += price(asset)? * f64::from(*amount);
                    }
                }
                let weights: f64 = targets.iter().map(|target| weight(target.weight)).sum();
                let mut whole = 0.0;
                for target in targets {
                    whole += price(&target.asset)? * weight(target.weight)
                        / weights
                        / real(target.price);
                }
                (given + gains) / whole * (1.0 + ROUNDING)
            }
        };
        Ok((bound, covered))
    }
}

#[expect(clippy::cast_precision_loss, reason = "weights are compared as reals")]
fn weight(value: u64) -> f64 {
    value as f64
}

/// How far an objective is from a bound, as a share of the bound.
pub(crate) fn gap(problem: &Problem, objective: f64, bound: f64) -> f64 {
    let distance = if matches!(problem.utility(), Utility::ExactOut { .. }) {
        objective - bound
    } else {
        bound - objective
    };
    if distance == 0.0 {
        0.0
    } else {
        distance / bound.abs()
    }
}

/// The objective of net amounts.
pub(crate) fn objective(
    problem: &Problem,
    spent: impl Fn(&str) -> U256,
    gained: impl Fn(&str) -> U256,
) -> f64 {
    match problem.utility() {
        Utility::ExactIn { want, .. } | Utility::Arbitrage { want } => f64::from(gained(want)),
        Utility::ExactOut { funding, .. } => funding
            .iter()
            .map(|(asset, worth)| f64::from(spent(asset)) * real(*worth))
            .sum(),
        Utility::Rebalance { holdings, targets } => {
            let weights: f64 = targets.iter().map(|target| weight(target.weight)).sum();
            targets
                .iter()
                .filter(|target| target.weight > 0)
                .map(|target| {
                    let held = holdings
                        .iter()
                        .find(|(asset, _)| *asset == target.asset)
                        .map_or(U256::ZERO, |(_, amount)| *amount);
                    let at_end = held
                        .saturating_add(gained(&target.asset))
                        .saturating_sub(spent(&target.asset));
                    f64::from(at_end) * real(target.price) * weights / weight(target.weight)
                })
                .fold(f64::INFINITY, f64::min)
        }
    }
}

fn refuted(text: String) -> RouteError {
    RouteError::Refuted(text)
}

/// Numbers that are none agree with nothing, themselves included.
fn agree(a: f64, b: f64) -> bool {
    let distance = (a - b).abs();
    a.is_finite()
        && b.is_finite()
        && (distance <= AGREEMENT * a.abs().max(b.abs()) || distance < f64::MIN_POSITIVE)
}

impl Solution {
    /// Computes legs, objective and bound again from a snapshot and the stored prices alone, however they were found.
    ///
    /// `RouteError::Refuted` names the first thing that differs.
    pub fn verify(&self, network: &Network) -> Result<Verified, RouteError> {
        let (spent, gained) = self.verify_legs(network)?;
        let amount = |amounts: &BTreeMap<&str, U256>, name: &str| {
            amounts.get(name).copied().unwrap_or(U256::ZERO)
        };
        let objective = objective(
            &self.problem,
            |name| amount(&spent, name),
            |name| amount(&gained, name),
        );
        if !agree(objective, self.objective) {
            return Err(refuted(format!(
                "the legs reach {objective:e}, the plan says {:e}",
                self.objective
            )));
        }
        self.verify_amounts(&spent, &gained)?;
        let (claim, bound, covered) = self.verify_bound(network)?;
        self.verify_order(network, &claim)?;
        let gap = gap(&self.problem, objective, bound);
        if gap < 0.0 {
            return Err(refuted(format!(
                "the legs are better than the bound: {objective:e} against {bound:e}"
            )));
        }
        if !self.gap.is_finite() || (gap - self.gap).abs() > AGREEMENT {
            return Err(refuted(format!(
                "the gap is {gap:e}, the plan says {:e}",
                self.gap
            )));
        }
        Ok(Verified {
            objective,
            bound,
            gap,
            covered,
        })
    }

    /// Replays every leg; net amounts that are spent and gained.
    fn verify_legs(&self, network: &Network) -> Result<(Amounts<'_>, Amounts<'_>), RouteError> {
        let mut seen = BTreeSet::new();
        let mut sums: BTreeMap<&str, (U256, U256)> = BTreeMap::new();
        let mut held: HashMap<&str, U256> = match self.problem.utility() {
            Utility::ExactIn { spend, .. } => spend
                .iter()
                .map(|(asset, amount)| (asset.as_str(), *amount))
                .collect(),
            Utility::ExactOut { funding, .. } => funding
                .iter()
                .map(|(asset, _)| (asset.as_str(), U256::MAX))
                .collect(),
            Utility::Rebalance { holdings, .. } => holdings
                .iter()
                .map(|(asset, amount)| (asset.as_str(), *amount))
                .collect(),
            Utility::Arbitrage { .. } => HashMap::new(),
        };
        let may_borrow = self.problem.limits().arbitrage == Arbitrage::Include
            || matches!(self.problem.utility(), Utility::Arbitrage { .. });
        for leg in &self.legs {
            if !seen.insert(&leg.market) {
                return Err(refuted(format!("{} is used twice", leg.market)));
            }
            if self.problem.limits().exclude.contains(&leg.market) {
                return Err(refuted(format!(
                    "{} is excluded by the problem",
                    leg.market
                )));
            }
            let market = network.market(&leg.market)?;
            let (side_in, side_out) = (
                network.side(market, &leg.asset_in)?,
                network.side(market, &leg.asset_out)?,
            );
            let exact_in = !matches!(self.problem.utility(), Utility::ExactOut { .. });
            let amount = if exact_in {
                leg.amount_in
            } else {
                leg.amount_out
            };
            let quote = market.state.quote(side_in, side_out, amount, exact_in)?;
            if (quote.amount_in, quote.amount_out) != (leg.amount_in, leg.amount_out)
                || market.gas != leg.gas
            {
                return Err(refuted(format!(
                    "{} takes {} and gives {} for {} gas; the plan says {}, {} and {}",
                    leg.market,
                    quote.amount_in,
                    quote.amount_out,
                    market.gas,
                    leg.amount_in,
                    leg.amount_out,
                    leg.gas
                )));
            }
            let at_hand = held.entry(&leg.asset_in).or_default();
            *at_hand = match at_hand.checked_sub(leg.amount_in) {
                Some(left) => left,
                None if may_borrow => U256::ZERO,
                None => {
                    return Err(refuted(format!(
                        "{} needs {} of {}, of which there is {at_hand}",
                        leg.market, leg.amount_in, leg.asset_in
                    )));
                }
            };
            let at_hand = held.entry(&leg.asset_out).or_default();
            *at_hand = at_hand.saturating_add(leg.amount_out);
            sums.entry(&leg.asset_in).or_default().0 += leg.amount_in;
            sums.entry(&leg.asset_out).or_default().1 += leg.amount_out;
        }
        let (mut spent, mut gained) = (BTreeMap::new(), BTreeMap::new());
        for (asset, (amount_in, amount_out)) in sums {
            if amount_in > amount_out {
                spent.insert(asset, amount_in - amount_out);
            } else if amount_out > amount_in {
                gained.insert(asset, amount_out - amount_in);
            }
        }
        Ok((spent, gained))
    }

    fn verify_amounts(
        &self,
        spent: &BTreeMap<&str, U256>,
        gained: &BTreeMap<&str, U256>,
    ) -> Result<(), RouteError> {
        let same = |stored: &[(String, U256)], real: &BTreeMap<&str, U256>| {
            stored.len() == real.len()
                && stored
                    .iter()
                    .all(|(asset, amount)| real.get(asset.as_str()) == Some(amount))
        };
        if !same(&self.inputs, spent) || !same(&self.outputs, gained) {
            return Err(refuted(
                "the sums of the legs are not the plan's inputs and outputs".to_owned(),
            ));
        }
        let most = |asset: &str| match self.problem.utility() {
            Utility::ExactIn { spend: amounts, .. }
            | Utility::Rebalance {
                holdings: amounts, ..
            } => amounts
                .iter()
                .find(|(name, _)| name == asset)
                .map_or(U256::ZERO, |(_, amount)| *amount),
            Utility::ExactOut { funding, .. } if funding.iter().any(|(name, _)| name == asset) => {
                U256::MAX
            }
            Utility::ExactOut { .. } | Utility::Arbitrage { .. } => U256::ZERO,
        };
        if let Some((asset, amount)) = spent.iter().find(|(asset, amount)| **amount > most(asset)) {
            return Err(refuted(format!(
                "the legs spend {amount} of {asset}, which is not given"
            )));
        }
        if let Utility::ExactOut { want, amount, .. } = self.problem.utility()
            && gained.get(want.as_str()).is_none_or(|got| got < amount)
        {
            return Err(refuted(format!("the legs do not buy {amount} of {want}")));
        }
        Ok(())
    }

    fn verify_bound(&self, network: &Network) -> Result<(Claim, f64, usize), RouteError> {
        let prepared = network.prepared();
        let place = |name: &str| {
            network
                .asset_id(name)
                .map(|asset| prepared.place[asset] as usize)
                .filter(|place| *place < prepared.asset_count())
                .ok_or_else(|| refuted(format!("no market trades {name}")))
        };
        let mut claim = Claim {
            prices: vec![f64::NAN; prepared.asset_count()],
            ranks: None,
        };
        for (asset, price) in &self.prices {
            if !(*price > 0.0 && price.is_finite()) {
                return Err(refuted(format!("the price of {asset} is not above zero")));
            }
            claim.prices[place(asset)?] = *price;
        }
        if !self.order.is_empty() {
            let mut ranks = vec![u32::MAX; prepared.asset_count()];
            for (rank, asset) in (0u32..).zip(&self.order) {
                ranks[place(asset)?] = rank;
            }
            if self
                .prices
                .iter()
                .any(|(asset, _)| place(asset).is_ok_and(|place| ranks[place] == u32::MAX))
            {
                return Err(refuted(
                    "an asset with a price has no place in the order".to_owned(),
                ));
            }
            claim.ranks = Some(ranks);
        }
        let (bound, is_covered) = claim.bound(network, &self.problem)?;
        if !agree(bound, self.bound) {
            return Err(refuted(format!(
                "the bound is {bound:e}, the plan says {:e}",
                self.bound
            )));
        }
        let left_out: BTreeSet<&str> = self
            .left_out
            .iter()
            .map(|(market, _)| market.as_str())
            .collect();
        for (market, is_covered) in prepared.markets.iter().zip(&is_covered) {
            if !is_covered && !left_out.contains(market.id()) {
                return Err(refuted(format!(
                    "{} is neither covered nor named as left out",
                    market.id()
                )));
            }
        }
        let covered = is_covered.iter().filter(|is_covered| **is_covered).count();
        Ok((claim, bound, covered))
    }

    /// Legs go forward in the order that the certificate holds for; without one, they run in no loop.
    fn verify_order(&self, network: &Network, claim: &Claim) -> Result<(), RouteError> {
        let is_free = self.problem.limits().arbitrage == Arbitrage::Include
            || matches!(self.problem.utility(), Utility::Arbitrage { .. });
        if is_free {
            return Ok(());
        }
        let prepared = network.prepared();
        let place = |name: &str| {
            network
                .asset_id(name)
                .map(|asset| prepared.place[asset] as usize)
        };
        if let Some(ranks) = &claim.ranks {
            for leg in &self.legs {
                if let (Some(from), Some(to)) = (place(&leg.asset_in), place(&leg.asset_out))
                    && ranks[from] >= ranks[to]
                    && ranks[from] != u32::MAX
                    && ranks[to] != u32::MAX
                {
                    return Err(refuted(format!(
                        "{} goes against the order of the certificate",
                        leg.market
                    )));
                }
            }
        }
        let mut left: Vec<(&str, &str)> = self
            .legs
            .iter()
            .map(|leg| (leg.asset_in.as_str(), leg.asset_out.as_str()))
            .collect();
        while !left.is_empty() {
            let entered: BTreeSet<&str> = left.iter().map(|(_, to)| *to).collect();
            let before = left.len();
            left.retain(|(from, _)| entered.contains(from));
            if left.len() == before {
                return Err(refuted("the legs run in a loop".to_owned()));
            }
        }
        Ok(())
    }
}
