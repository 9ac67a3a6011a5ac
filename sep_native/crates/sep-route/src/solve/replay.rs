use std::collections::BTreeMap;

use ruint::aliases::U256;
use sep_amm::AmmError;

use super::core::Core;
use super::flow::{self, Flow};
use crate::prepared::Prepared;

/// Attempts to make loans and returns of a loop meet, and the share by which a loop is run smaller than it might.
const LOANS_MAX: usize = 16;
const LOAN_MARGIN: f64 = 1e-10;
/// Each step towards what returns a loan is larger by so many bits.
const STEP_BITS: usize = 4;
/// Halvings that find what a market takes at most.
const HALVINGS: usize = 40;
/// Bits of a share.
const SHARE_BITS: usize = 60;

/// A flow with exact amounts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact {
    pub(crate) flow: Flow,
    pub(crate) amount_in: U256,
    pub(crate) amount_out: U256,
}

/// A plan in exact amounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay {
    pub(crate) legs: Vec<Exact>,
    /// What is left at each node beyond what was given, and what is missing; where anything is.
    pub(crate) spent: BTreeMap<u32, U256>,
    pub(crate) gained: BTreeMap<u32, U256>,
    /// Markets that refused their amounts.
    pub(crate) refused: Vec<(u32, AmmError)>,
}

/// A node that cannot be given all that is asked of it, and the share that is missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short {
    pub(crate) node: u32,
    pub(crate) share: f64,
}

/// The flows of a plan and the order in which they are to be replayed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) core: &'a Core,
    pub(crate) prepared: &'a Prepared,
    pub(crate) flows: &'a [Flow],
    pub(crate) order: &'a [u32],
}

/// A share as a whole number of `2^-60`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shares are from 0 to 1"
)]
fn share_of(amount: U256, share: f64) -> U256 {
    let scaled = (share.clamp(0.0, 1.0) * 2f64.powi(60)) as u64;
    match amount.checked_mul(U256::from(scaled)) {
        Some(product) => product >> SHARE_BITS,
        None => (amount >> SHARE_BITS) * U256::from(scaled),
    }
}

impl Plan<'_> {
    fn by_node(&self, node_of: impl Fn(&Flow) -> u32) -> Vec<Vec<usize>> {
        let mut lists = vec![Vec::new(); self.core.node_count()];
        for (at, flow) in self.flows.iter().enumerate() {
            lists[node_of(flow) as usize].push(at);
        }
        // What others cannot take goes to the first: a large one that takes any amount, where there is one.
        let steps = |at: usize| {
            self.prepared.markets[self.flows[at].market as usize]
                .real(true)
                .has_linear_pieces()
        };
        for list in &mut lists {
            list.sort_by(|a, b| {
                steps(*a)
                    .cmp(&steps(*b))
                    .then(self.flows[*b].worth.total_cmp(&self.flows[*a].worth))
                    .then(a.cmp(b))
            });
        }
        lists
    }

    fn quote(&self, flow: &Flow, amount: U256, exact_in: bool) -> Result<(U256, U256), AmmError> {
        let state = &self.prepared.markets[flow.market as usize].state;
        let (side_in, side_out) = (usize::from(flow.side_in), usize::from(flow.side_out));
        let quote = state.quote(side_in, side_out, amount, exact_in)?;
        if quote.amount_out.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        Ok((quote.amount_in, quote.amount_out))
    }

    /// The most that a leg takes of an amount: `(in, out)`.
    fn take(
        &self,
        flow: &Flow,
        amount: U256,
        exact_in: bool,
        refused: &mut Vec<(u32, AmmError)>,
    ) -> Option<(U256, U256)> {
        match self.quote(flow, amount, exact_in) {
            Ok(amounts) => Some(amounts),
            Err(AmmError::ZeroAmount | AmmError::AmountTooSmall) => None,
            Err(error) => {
                let rest = match error {
                    AmmError::InsufficientLiquidity {
                        amount_in,
                        amount_out,
                    } => {
                        let most = if exact_in { amount_in } else { amount_out };
                        (!most.is_zero() && most < amount)
                            .then(|| self.quote(flow, most, exact_in).ok())
                            .flatten()
                    }
                    _ => None,
                }
                .or_else(|| self.most(flow, amount, exact_in));
                refused.push((flow.market, error));
                rest
            }
        }
    }

    /// A swap of an exact input that returns a loan, or as much of it as an amount does: `(in, out)`.
    fn repay(
        &self,
        flow: &Flow,
        loan: U256,
        amount: U256,
        refused: &mut Vec<(u32, AmmError)>,
    ) -> Option<(U256, U256)> {
        if let Ok((mut asked, _)) = self.quote(flow, loan, false) {
            // Some markets ask more for an output than they give it for: by their own rounding, not by more.
            let mut step = U256::ONE;
            while asked <= amount {
                match self.quote(flow, asked, true) {
                    Ok(pair) if pair.1 < loan => asked = asked.saturating_add(step),
                    Ok(pair) => return Some(pair),
                    Err(_) => break,
                }
                step <<= STEP_BITS;
            }
        }
        self.take(flow, amount.min(U256::from(flow.amount_in)), true, refused)
    }

    /// The largest amount below one that was refused which a market takes.
    fn most(&self, flow: &Flow, refused: U256, exact_in: bool) -> Option<(U256, U256)> {
        let (mut low, mut high) = (U256::ZERO, refused);
        let mut best = None;
        for _ in 0..HALVINGS {
            let middle = low + (high - low) / U256::from(2);
            if middle == low {
                break;
            }
            match self.quote(flow, middle, exact_in) {
                Ok(pair) => {
                    best = Some(pair);
                    low = middle;
                }
                Err(AmmError::ZeroAmount | AmmError::AmountTooSmall) => break,
                Err(_) => high = middle,
            }
        }
        best
    }

    /// Spreads an amount over flows by their real sizes; what one of them cannot take goes to the next.
    fn spread(
        &self,
        amount: U256,
        flows: &[usize],
        exact_in: bool,
        taken: &mut [(U256, U256)],
        refused: &mut Vec<(u32, AmmError)>,
    ) -> U256 {
        let size = |at: &usize| {
            let flow = &self.flows[*at];
            if exact_in {
                flow.amount_in
            } else {
                flow.amount_out
            }
        };
        let whole: f64 = flows.iter().map(size).sum();
        let side = |pair: (U256, U256)| if exact_in { pair.0 } else { pair.1 };
        let mut left = amount;
        // The largest comes last, with all that is left.
        for (at, index) in flows.iter().enumerate().rev() {
            let wanted = if at == 0 {
                left
            } else {
                share_of(amount, size(index) / whole).min(left)
            };
            if let Some(pair) = self.take(&self.flows[*index], wanted, exact_in, refused) {
                taken[*index] = pair;
                left = left.saturating_sub(side(pair));
            }
        }
        for index in flows {
            if left.is_zero() {
                break;
            }
            let before = side(taken[*index]);
            if let Some(pair) = self.take(
                &self.flows[*index],
                before + left,
                exact_in,
                &mut Vec::new(),
            ) && side(pair) > before
            {
                taken[*index] = pair;
                left = left.saturating_sub(side(pair) - before);
            }
        }
        left
    }

    /// Replays with exact amounts in, from what is given. At nodes that keep something, what leaves is in proportion.
    #[expect(clippy::too_many_lines, reason = "one replay from beginning to end")]
    pub(crate) fn forward(
        &self,
        given: &[(u32, U256)],
        keeps: impl Fn(u32) -> bool,
    ) -> Option<Replay> {
        let count = self.core.node_count();
        let leaving = self.by_node(|flow| flow.from);
        let mut place = vec![0usize; count];
        for (at, node) in self.order.iter().enumerate() {
            place[*node as usize] = at;
        }
        let is_back = |flow: &Flow| place[flow.from as usize] > place[flow.to as usize];
        let has_loans = self.flows.iter().any(is_back);
        let parts = if has_loans {
            flow::parts(count, self.flows)
        } else {
            Vec::new()
        };
        let mut margin = LOAN_MARGIN;
        for _ in 0..LOANS_MAX {
            // Less in is less than proportionally less out: loops that are run smaller by a share return more than the
            // share of what they borrow.
            let smaller = |amount: f64| U256::from(amount * (1.0 - margin));
            let loans: Vec<U256> = self
                .flows
                .iter()
                .map(|flow| {
                    if is_back(flow) {
                        smaller(flow.amount_out)
                    } else {
                        U256::ZERO
                    }
                })
                .collect();
            let mut replay = Replay::default();
            let mut held = vec![U256::ZERO; count];
            for (node, amount) in given {
                held[*node as usize] += *amount;
            }
            for (flow, loan) in self.flows.iter().zip(&loans) {
                held[flow.to as usize] += *loan;
            }
            let mut taken = vec![(U256::ZERO, U256::ZERO); self.flows.len()];
            for node in self.order.iter().copied() {
                let list = &leaving[node as usize];
                if list.is_empty() || held[node as usize].is_zero() {
                    continue;
                }
                let mut amount = held[node as usize];
                let mut most = amount;
                if keeps(node) {
                    let out: f64 = list.iter().map(|at| self.flows[*at].amount_in).sum();
                    let whole: f64 = self.core.supply[node as usize].max(0.0)
                        + self
                            .flows
                            .iter()
                            .filter(|flow| flow.to == node)
                            .map(|flow| flow.amount_out)
                            .sum::<f64>();
                    most = share_of(amount, out / whole);
                }
                let mut rest: Vec<usize> = list.clone();
                if has_loans {
                    // Loans are returned first. Legs inside a loop take what they take; those that lead out of it
                    // share the rest, and with it what rounding takes away. Where none does, all go on with it.
                    rest.retain(|at| !is_back(&self.flows[*at]));
                    let is_end = |at: &usize| {
                        let flow = &self.flows[*at];
                        parts[flow.from as usize] != parts[flow.to as usize] || keeps(flow.to)
                    };
                    let has_ends = rest.iter().any(is_end);
                    let first = list.iter().filter(|at| is_back(&self.flows[**at]));
                    let then = list.iter().filter(|at| !is_back(&self.flows[**at]));
                    for at in first.chain(then) {
                        let flow = &self.flows[*at];
                        let pair = if is_back(flow) {
                            self.repay(flow, loans[*at], amount, &mut replay.refused)
                        } else if has_ends && !is_end(at) {
                            let wanted = smaller(flow.amount_in).min(amount);
                            self.take(flow, wanted, true, &mut replay.refused)
                        } else {
                            continue;
                        };
                        rest.retain(|other| other != at);
                        if let Some(pair) = pair {
                            taken[*at] = pair;
                            amount = amount.saturating_sub(pair.0);
                            most = most.saturating_sub(pair.0);
                        }
                    }
                }
                let amount = amount.min(most);
                if !rest.is_empty() && !amount.is_zero() {
                    self.spread(amount, &rest, true, &mut taken, &mut replay.refused);
                }
                for at in list {
                    let (amount_in, amount_out) = taken[*at];
                    if amount_out.is_zero() {
                        continue;
                    }
                    held[node as usize] = held[node as usize].saturating_sub(amount_in);
                    held[self.flows[*at].to as usize] += amount_out;
                    replay.legs.push(Exact {
                        flow: self.flows[*at],
                        amount_in,
                        amount_out,
                    });
                }
            }
            let is_met = loans
                .iter()
                .zip(&taken)
                .all(|(loan, taken)| taken.1 >= *loan);
            if is_met {
                replay.settle();
                return Some(replay);
            }
            margin *= 4.0;
        }
        None
    }

    /// Replays given amounts in, leg by leg; `None` where a market refuses or not enough is there.
    pub(crate) fn fixed(&self, given: &[(u32, U256)], amounts_in: &[U256]) -> Option<Replay> {
        let mut replay = Replay::default();
        let mut held = vec![U256::ZERO; self.core.node_count()];
        for (node, amount) in given {
            held[*node as usize] += *amount;
        }
        for node in self.order.iter().copied() {
            for (flow, amount) in self.flows.iter().zip(amounts_in) {
                if flow.from != node {
                    continue;
                }
                let (amount_in, amount_out) = self.quote(flow, *amount, true).ok()?;
                held[node as usize] = held[node as usize].checked_sub(amount_in)?;
                held[flow.to as usize] += amount_out;
                replay.legs.push(Exact {
                    flow: *flow,
                    amount_in,
                    amount_out,
                });
            }
        }
        replay.settle();
        Some(replay)
    }

    /// Replays with exact amounts out, from what is asked for back to what may be spent; an
    /// error where markets fall short.
    pub(crate) fn backward(
        &self,
        node: u32,
        amount: U256,
        spends: impl Fn(u32) -> bool,
    ) -> Result<Replay, Short> {
        let count = self.core.node_count();
        let entering = self.by_node(|flow| flow.to);
        let mut replay = Replay::default();
        let mut needed = vec![U256::ZERO; count];
        needed[node as usize] = amount;
        let mut taken = vec![(U256::ZERO, U256::ZERO); self.flows.len()];
        for node in self.order.iter().rev().copied() {
            let list = &entering[node as usize];
            let mut wanted = needed[node as usize];
            if wanted.is_zero() {
                continue;
            }
            if spends(node) {
                let inside: f64 = list.iter().map(|at| self.flows[*at].amount_out).sum();
                let outside: f64 = self
                    .flows
                    .iter()
                    .filter(|flow| flow.from == node)
                    .map(|flow| flow.amount_in)
                    .sum();
                if list.is_empty() || inside >= outside {
                    if list.is_empty() {
                        continue;
                    }
                } else {
                    wanted = share_of(wanted, inside / outside);
                }
            }
            let missing = self.spread(wanted, list, false, &mut taken, &mut replay.refused);
            if !missing.is_zero() && !spends(node) {
                return Err(Short {
                    node,
                    share: f64::from(missing) / f64::from(wanted),
                });
            }
            // The leg that was executed last comes first here; the whole is turned round below.
            for at in list.iter().rev() {
                let (amount_in, amount_out) = taken[*at];
                if amount_out.is_zero() {
                    continue;
                }
                needed[self.flows[*at].from as usize] += amount_in;
                replay.legs.push(Exact {
                    flow: self.flows[*at],
                    amount_in,
                    amount_out,
                });
            }
        }
        replay.legs.reverse();
        replay.settle();
        Ok(replay)
    }
}

impl Replay {
    /// Nets what goes in against what comes out, asset by asset.
    pub(crate) fn settle(&mut self) {
        let mut sums: BTreeMap<u32, (U256, U256)> = BTreeMap::new();
        for leg in &self.legs {
            sums.entry(leg.flow.from).or_default().0 += leg.amount_in;
            sums.entry(leg.flow.to).or_default().1 += leg.amount_out;
        }
        for (node, (spent, gained)) in sums {
            if spent > gained {
                self.spent.insert(node, spent - gained);
            } else if gained > spent {
                self.gained.insert(node, gained - spent);
            }
        }
    }
}
