//! Which legs to use, put together path by path: gas makes few short ways better than many cheap ones.

use super::branch::Branching;
use super::number;
use super::select::{Choice, Selector};

/// Longest path that is tried by itself.
const HOPS_MAX: usize = 4;
/// Paths that are looked at by themselves, and those of them that are put together.
const PATHS_MAX: usize = 10_000;
const TOGETHER_MAX: usize = 16;

impl Selector<'_> {
    /// Tries the short paths between two terminals, then the best of them together, one after the other.
    pub(crate) fn put_together(
        &mut self,
        branching: &mut Branching<'_>,
        pool: &[u32],
        log_prices: &[f64],
    ) {
        if self.core.terminal_count != 2 {
            return;
        }
        let mut paths = Vec::new();
        self.short_paths(pool, &mut vec![0], &mut Vec::new(), &mut paths);
        // A path alone needs no prices: its amount says what it brings.
        let mut ranked: Vec<(f64, Vec<u32>)> = paths
            .into_iter()
            .filter_map(|path| Some((self.value_of_path(&path)?, path)))
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked.truncate(TOGETHER_MAX);
        let mut columns: Vec<(f64, Vec<u32>)> = Vec::new();
        for (_, path) in ranked {
            let Some(choice) = self.assess_pool(branching, &path, log_prices) else {
                break;
            };
            if choice.is_allowed && !choice.flows.is_empty() {
                columns.push((choice.value, path));
            }
        }
        columns.sort_by(|a, b| b.0.total_cmp(&a.0));
        let Some((_, first)) = columns.first() else {
            return;
        };
        let mut edges = first.clone();
        while edges.len() < self.rules.max_legs {
            let Some(next) = self.with_best_path(branching, &edges, &columns, log_prices) else {
                return;
            };
            edges = next.flows.iter().map(|flow| flow.edge).collect();
        }
    }

    /// What the whole amount brings along a path after gas, by real-valued curves; exact out counts what it spends as
    /// negative. `None` where a market on the way is not passed in that direction.
    fn value_of_path(&self, path: &[u32]) -> Option<f64> {
        let core = self.core;
        let start = core.supply[..2].iter().position(|supply| *supply != 0.0)?;
        let (mut amount, exact_in) = (core.supply[start].abs(), core.supply[start] > 0.0);
        let mut node = number(start);
        let walk: &mut dyn Iterator<Item = &u32> = if start == 0 {
            &mut path.iter()
        } else {
            &mut path.iter().rev()
        };
        for at in walk {
            let edge = &core.edges[*at as usize];
            let from_a = edge.a == node;
            node = if from_a { edge.b } else { edge.a };
            let is_forward = from_a == exact_in;
            let (rate, side_in, side_out) = if is_forward {
                (edge.rate_ab, edge.side_a, edge.side_b)
            } else {
                (edge.rate_ba, edge.side_b, edge.side_a)
            };
            if rate == f64::NEG_INFINITY {
                return None;
            }
            let (side_in, side_out) = (usize::from(side_in), usize::from(side_out));
            let real = self.prepared.markets[edge.market as usize].real(exact_in);
            amount = if exact_in {
                real.output_at_most(side_in, side_out, amount)
            } else {
                real.input_at_least(side_in, side_out, amount)
            };
        }
        let worth = core.ceiling[node as usize].exp();
        let gas = self.gas_of(path.iter().map(|at| core.edges[*at as usize].market));
        let value = if exact_in { amount } else { -amount } * worth - gas;
        value.is_finite().then_some(value)
    }

    /// Some edges with the path that adds most; `None` where none adds anything.
    fn with_best_path(
        &mut self,
        branching: &mut Branching<'_>,
        edges: &[u32],
        columns: &[(f64, Vec<u32>)],
        log_prices: &[f64],
    ) -> Option<Choice> {
        let mut best = self.assess_pool(branching, edges, log_prices)?;
        let before = best.value;
        for (_, path) in columns {
            let mut more = edges.to_vec();
            more.extend(path.iter().filter(|edge| !edges.contains(edge)));
            if more.len() == edges.len() {
                continue;
            }
            let choice = self.assess_pool(branching, &more, log_prices)?;
            if choice.is_allowed && choice.value > best.value {
                best = choice;
            }
        }
        (best.value > before).then_some(best)
    }

    /// All simple paths of few hops from the first terminal to the second, in the order of the pool.
    fn short_paths(
        &self,
        pool: &[u32],
        nodes: &mut Vec<u32>,
        edges: &mut Vec<u32>,
        found: &mut Vec<Vec<u32>>,
    ) {
        let at = *nodes.last().unwrap_or(&0);
        if at == 1 {
            found.push(edges.clone());
            return;
        }
        if edges.len() == HOPS_MAX.min(self.rules.max_hops).min(self.rules.max_legs) {
            return;
        }
        for edge in pool {
            let ends = &self.core.edges[*edge as usize];
            let to = match (ends.a == at, ends.b == at) {
                (true, _) => ends.b,
                (_, true) => ends.a,
                _ => continue,
            };
            if nodes.contains(&to) || found.len() == PATHS_MAX {
                continue;
            }
            nodes.push(to);
            edges.push(*edge);
            self.short_paths(pool, nodes, edges, found);
            nodes.pop();
            edges.pop();
        }
    }
}
