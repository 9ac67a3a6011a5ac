//! A split in equal chunks, each along the path that is best by then: what a plan is never worse than.

use std::collections::{BTreeMap, BTreeSet};

use ruint::aliases::U256;

use super::core::Core;
use super::flow::Flow;
use super::quick::{Hop, Paths, QUOTES_FEW, QUOTES_SPLIT};
use super::select::Rules;
use crate::market::MarketState;
use crate::prepared::Prepared;

/// A split in chunks.
#[derive(Clone, Debug)]
pub(crate) struct Split {
    pub(crate) flows: Vec<Flow>,
    /// What goes into each of them, exactly.
    pub(crate) amounts_in: Vec<U256>,
    /// What all chunks together buy.
    pub(crate) amount_out: U256,
}

/// How a market is used so far.
#[derive(Clone, Copy, Debug)]
struct Used {
    edge: u32,
    forward: bool,
    amount_in: U256,
    amount_out: U256,
}

/// Splits an amount. Each chunk takes the path that adds most after the gas of markets that are not used yet.
#[expect(clippy::too_many_lines, reason = "one chunk from beginning to end")]
pub(crate) fn split(
    core: &Core,
    prepared: &Prepared,
    (from, to): (u32, u32),
    amount: U256,
    chunks: u32,
    rules: &Rules,
) -> Option<Split> {
    let mut paths = Paths::new(core, prepared, &[(to, 0.0)], true);
    let mut states: BTreeMap<u32, MarketState> = BTreeMap::new();
    let mut used: BTreeMap<u32, Used> = BTreeMap::new();
    let mut amount_out = U256::ZERO;
    let chunk = amount / U256::from(chunks);
    let mut left = amount;
    let max_hops = rules.max_hops.min(rules.max_legs);
    // Where a snapshot contradicts itself each search would ask for all that it may.
    let most = QUOTES_FEW.min(QUOTES_SPLIT / chunks as usize);
    for at in 0..chunks {
        let size = if at + 1 == chunks { left } else { chunk };
        if size.is_zero() {
            continue;
        }
        let fits = |edge: u32, forward: bool| {
            used.get(&core.edges[edge as usize].market)
                .is_none_or(|known| known.edge == edge && known.forward == forward)
        };
        let free = paths
            .best(from, size, (max_hops, most), &states, fits)
            .filter(|path| rules.may_loop || !closes_loop(core, &used, path));
        let new_count = |path: &[Hop]| {
            path.iter()
                .filter(|hop| !used.contains_key(&core.edges[hop.edge as usize].market))
                .count()
        };
        let bought = |path: &[Hop]| path.last().map_or(0.0, |hop| f64::from(hop.amount_out));
        let net = |path: &[Hop]| {
            let gas = path
                .iter()
                .map(|hop| core.edges[hop.edge as usize].market)
                .filter(|market| !used.contains_key(market))
                .fold(0u64, |sum, market| {
                    sum.saturating_add(prepared.markets[market as usize].gas)
                });
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            let gas = gas as f64;
            bought(path) - gas * rules.gas_price
        };
        let is_settled = free.as_ref().is_some_and(|path| new_count(path) == 0);
        let path = if is_settled || used.is_empty() {
            free
        } else {
            let known = paths.best(from, size, (max_hops, most), &states, |edge, forward| {
                used.get(&core.edges[edge as usize].market)
                    .is_some_and(|known| known.edge == edge && known.forward == forward)
            });
            match (free, known) {
                (Some(free), Some(known)) => {
                    let is_over = used.len() + new_count(&free) > rules.max_legs;
                    Some(if is_over || net(&known) >= net(&free) {
                        known
                    } else {
                        free
                    })
                }
                (Some(free), None) if used.len() + new_count(&free) <= rules.max_legs => Some(free),
                (_, known) => known,
            }
        };
        let Some(path) = path else {
            continue;
        };
        left = left.saturating_sub(path.first().map_or(U256::ZERO, |hop| hop.amount_in));
        for hop in &path {
            let edge = &core.edges[hop.edge as usize];
            let state = states
                .get(&edge.market)
                .unwrap_or(&prepared.markets[edge.market as usize].state);
            let (side_a, side_b) = (usize::from(edge.side_a), usize::from(edge.side_b));
            let (side_in, side_out) = if hop.forward {
                (side_a, side_b)
            } else {
                (side_b, side_a)
            };
            let (_, after) = state.after(side_in, side_out, hop.amount_in, true).ok()?;
            states.insert(edge.market, after);
            let entry = used.entry(edge.market).or_insert(Used {
                edge: hop.edge,
                forward: hop.forward,
                amount_in: U256::ZERO,
                amount_out: U256::ZERO,
            });
            entry.amount_in += hop.amount_in;
            entry.amount_out += hop.amount_out;
        }
        amount_out += path.last().map_or(U256::ZERO, |hop| hop.amount_out);
        paths.walked(&path);
    }
    if amount_out.is_zero() {
        return None;
    }
    let flows = used
        .values()
        .map(|used| {
            let edge = &core.edges[used.edge as usize];
            let (from, to, side_in, side_out) = if used.forward {
                (edge.a, edge.b, edge.side_a, edge.side_b)
            } else {
                (edge.b, edge.a, edge.side_b, edge.side_a)
            };
            Flow {
                edge: used.edge,
                market: edge.market,
                from,
                to,
                side_in,
                side_out,
                amount_in: f64::from(used.amount_in),
                amount_out: f64::from(used.amount_out),
                worth: f64::from(used.amount_in),
                gain: 0.0,
            }
        })
        .collect();
    Some(Split {
        flows,
        amounts_in: used.values().map(|used| used.amount_in).collect(),
        amount_out,
    })
}

/// Whether a path together with what is used already would run in a loop.
fn closes_loop(core: &Core, used: &BTreeMap<u32, Used>, path: &[Hop]) -> bool {
    let ends = |edge: u32, forward: bool| {
        let edge = &core.edges[edge as usize];
        if forward {
            (edge.a, edge.b)
        } else {
            (edge.b, edge.a)
        }
    };
    let mut arcs: Vec<(u32, u32)> = used
        .values()
        .map(|used| ends(used.edge, used.forward))
        .chain(path.iter().map(|hop| ends(hop.edge, hop.forward)))
        .collect();
    loop {
        let before = arcs.len();
        let entered: BTreeSet<u32> = arcs.iter().map(|(_, to)| *to).collect();
        arcs.retain(|(from, _)| entered.contains(from));
        if arcs.is_empty() {
            return false;
        }
        if arcs.len() == before {
            return true;
        }
    }
}
