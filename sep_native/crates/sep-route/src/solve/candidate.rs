use std::collections::BTreeMap;

use ruint::aliases::U256;
use sep_amm::AmmError;

use crate::certificate::objective;
use crate::leg::Leg;
use crate::problem::{Problem, Utility};
use crate::solution::Method;

/// Legs with the sums of what they spend and gain.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) legs: Vec<Leg>,
    pub(crate) inputs: Vec<(String, U256)>,
    pub(crate) outputs: Vec<(String, U256)>,
}

/// A plan in the competition.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) answer: Answer,
    pub(crate) method: Method,
    pub(crate) objective: f64,
    pub(crate) gas_worth: U256,
    pub(crate) refused: Vec<(u32, AmmError)>,
    /// What is bought, where that is compared exactly.
    bought: Option<U256>,
    /// Less is better.
    is_cost: bool,
}

impl Answer {
    pub(crate) fn new(legs: Vec<Leg>) -> Self {
        let mut sums: BTreeMap<&str, (U256, U256)> = BTreeMap::new();
        for leg in &legs {
            sums.entry(&leg.asset_in).or_default().0 += leg.amount_in;
            sums.entry(&leg.asset_out).or_default().1 += leg.amount_out;
        }
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for (asset, (amount_in, amount_out)) in sums {
            if amount_in > amount_out {
                inputs.push((asset.to_owned(), amount_in - amount_out));
            } else if amount_out > amount_in {
                outputs.push((asset.to_owned(), amount_out - amount_in));
            }
        }
        Self {
            legs,
            inputs,
            outputs,
        }
    }

    fn find(amounts: &[(String, U256)], asset: &str) -> U256 {
        amounts
            .iter()
            .find(|(name, _)| name == asset)
            .map_or(U256::ZERO, |(_, amount)| *amount)
    }

    /// The plan as a candidate, unless it does not do what is asked.
    pub(crate) fn candidate(
        self,
        problem: &Problem,
        method: Method,
        refused: Vec<(u32, AmmError)>,
    ) -> Option<Candidate> {
        let gas = self
            .legs
            .iter()
            .fold(0u64, |sum, leg| sum.saturating_add(leg.gas));
        let (spent, gained) = (
            |asset: &str| Self::find(&self.inputs, asset),
            |asset: &str| Self::find(&self.outputs, asset),
        );
        let objective = objective(problem, spent, gained);
        let bought = match problem.utility() {
            Utility::ExactIn { spend, want } => {
                let is_within = self.inputs.iter().all(|(asset, amount)| {
                    spend
                        .iter()
                        .any(|(name, most)| name == asset && amount <= most)
                });
                let bought = gained(want);
                if bought.is_zero() || !is_within {
                    return None;
                }
                Some(bought)
            }
            Utility::Arbitrage { want } => {
                let bought = gained(want);
                if bought.is_zero() || !self.inputs.is_empty() {
                    return None;
                }
                Some(bought)
            }
            Utility::ExactOut {
                want,
                amount,
                funding,
            } => {
                let is_within = self
                    .inputs
                    .iter()
                    .all(|(asset, _)| funding.iter().any(|(name, _)| name == asset));
                if gained(want) < *amount || !is_within {
                    return None;
                }
                None
            }
            Utility::Rebalance { holdings, .. } => {
                let is_within = self.inputs.iter().all(|(asset, amount)| {
                    holdings
                        .iter()
                        .any(|(name, most)| name == asset && amount <= most)
                });
                if !is_within {
                    return None;
                }
                None
            }
        };
        Some(Candidate {
            gas_worth: problem.gas_worth(gas),
            objective,
            method,
            refused,
            bought,
            is_cost: matches!(problem.utility(), Utility::ExactOut { .. }),
            answer: self,
        })
    }
}

impl Candidate {
    /// The objective after gas, more being better.
    pub(crate) fn net(&self) -> f64 {
        let objective = if self.is_cost {
            -self.objective
        } else {
            self.objective
        };
        objective - f64::from(self.gas_worth)
    }

    /// Whether it is worth more than another after gas; among equals, whether it has fewer legs.
    pub(crate) fn is_better(&self, other: &Self) -> bool {
        // Gas may cost more than is bought, so it is moved to the other side.
        let order = if let (Some(bought), Some(other_bought)) = (self.bought, other.bought) {
            bought
                .saturating_add(other.gas_worth)
                .cmp(&other_bought.saturating_add(self.gas_worth))
        } else {
            self.net().total_cmp(&other.net())
        };
        order
            .then_with(|| other.answer.legs.len().cmp(&self.answer.legs.len()))
            .is_gt()
    }
}
