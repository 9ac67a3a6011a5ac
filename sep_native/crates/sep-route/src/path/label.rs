use std::cmp::Ordering;

use ruint::aliases::U256;

use super::graph::{Arc, Graph};
use super::problem::HOPS_MAX;

/// The assets of a path so far, without the one it began at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Visited {
    nodes: [u32; HOPS_MAX],
    count: u8,
}

impl Visited {
    pub(crate) fn nodes(&self) -> &[u32] {
        &self.nodes[..usize::from(self.count)]
    }

    pub(crate) fn contains(&self, node: u32) -> bool {
        self.nodes().contains(&node)
    }

    pub(crate) fn with(mut self, node: u32) -> Self {
        if let Some(free) = self.nodes.get_mut(usize::from(self.count)) {
            *free = node;
            self.count += 1;
        }
        self
    }
}

/// The end of a partial path: an asset, the amount there, and how it was reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    pub(crate) node: u32,
    pub(crate) amount: U256,
    pub(crate) hops: usize,
    /// The label before and the arc taken; `None` at the start.
    pub(crate) from: Option<(usize, Arc)>,
    pub(crate) visited: Visited,
}

/// All labels of a search; a label names its predecessor by position.
#[derive(Debug, Default)]
pub(crate) struct Labels(Vec<Label>);

impl Labels {
    pub(crate) fn push(&mut self, label: Label) -> usize {
        self.0.push(label);
        self.0.len() - 1
    }

    pub(crate) fn get(&self, at: usize) -> &Label {
        &self.0[at]
    }

    /// The arcs from the start to a label, each with the amounts at its two ends as the search met them.
    pub(crate) fn path(&self, mut at: usize) -> Vec<(Arc, U256, U256)> {
        let mut path = Vec::new();
        while let Some((before, arc)) = self.0[at].from {
            path.push((arc, self.0[before].amount, self.0[at].amount));
            at = before;
        }
        path.reverse();
        path
    }

    /// Whether the way to a label led through the market of an arc.
    pub(crate) fn passed(&self, label: &Label, arc: Arc) -> bool {
        let mut at = label.from;
        while let Some((before, taken)) = at {
            if Graph::share_market(taken, arc) {
                return true;
            }
            at = self.0[before].from;
        }
        false
    }

    /// Orders two labels at the same asset by the names of their markets, for ties.
    pub(crate) fn compare_names(&self, graph: &Graph<'_>, a: usize, b: usize) -> Ordering {
        let names = |at| {
            self.path(at)
                .into_iter()
                .map(|(arc, _, _)| graph.market(arc).id())
                .collect::<Vec<_>>()
        };
        names(a).cmp(&names(b))
    }
}
