//! Potentials in a network of conductances: star-mesh elimination down to a small dense core.
//!
//! Only sums, products and quotients of non-negative numbers: nothing cancels, however far apart the conductances are.

/// Nodes of more neighbours than this stay for the dense core.
const DEGREE_MAX: usize = 16;

/// One eliminated node: its total conductance and where its neighbours stand.
#[derive(Clone, Copy, Debug)]
struct Star {
    node: u32,
    total: f64,
    first: u32,
    last: u32,
}

/// Room for the elimination, kept between calls.
#[derive(Debug, Default)]
pub(crate) struct Laplacian {
    neighbours: Vec<Vec<(u32, f64)>>,
    core_of: Vec<u32>,
    core: Vec<u32>,
    dense: Vec<f64>,
    hubs: Vec<f64>,
    waiting: Vec<Vec<u32>>,
    is_done: Vec<bool>,
    stars: Vec<Star>,
    rays: Vec<(u32, f64)>,
    ground: Vec<f64>,
    load: Vec<f64>,
}

const NONE: u32 = u32::MAX;

impl Laplacian {
    /// Solves `(links + ground) potentials = load`. Each pair of nodes is linked once at most; a node without any
    /// conductance gets the potential 0.
    pub(crate) fn solve(
        &mut self,
        links: &[(u32, u32, f64)],
        ground: &[f64],
        load: &[f64],
        potentials: &mut [f64],
    ) {
        let count = ground.len();
        self.reset(count, links, ground, load);
        self.eliminate();
        self.solve_core(potentials);
        for star in self.stars.iter().rev() {
            let mut sum = self.load[star.node as usize];
            for (other, conductance) in &self.rays[star.first as usize..star.last as usize] {
                sum += conductance * potentials[*other as usize];
            }
            potentials[star.node as usize] = if star.total > 0.0 {
                sum / star.total
            } else {
                0.0
            };
        }
    }

    fn reset(&mut self, count: usize, links: &[(u32, u32, f64)], ground: &[f64], load: &[f64]) {
        self.ground.clear();
        self.ground.extend_from_slice(ground);
        self.load.clear();
        self.load.extend_from_slice(load);
        self.stars.clear();
        self.rays.clear();
        self.core.clear();
        self.core_of.clear();
        self.core_of.resize(count, 0);
        self.is_done.clear();
        self.is_done.resize(count, false);
        self.neighbours
            .resize_with(count.max(self.neighbours.len()), Vec::new);
        for list in &mut self.neighbours[..count] {
            list.clear();
        }
        for (a, b, _) in links {
            self.core_of[*a as usize] += 1;
            self.core_of[*b as usize] += 1;
        }
        for (node, core) in (0u32..).zip(&mut self.core_of) {
            if *core as usize > DEGREE_MAX {
                *core = u32::try_from(self.core.len()).unwrap_or(NONE);
                self.core.push(node);
            } else {
                *core = NONE;
            }
        }
        let hub_count = self.core.len();
        self.hubs.clear();
        self.hubs.resize(hub_count * hub_count, 0.0);
        for (a, b, conductance) in links.iter().copied() {
            let (core_a, core_b) = (self.core_of[a as usize], self.core_of[b as usize]);
            if core_a != NONE && core_b != NONE {
                self.hubs[core_a as usize * hub_count + core_b as usize] += conductance;
                self.hubs[core_b as usize * hub_count + core_a as usize] += conductance;
                continue;
            }
            if core_a == NONE {
                self.neighbours[a as usize].push((b, conductance));
            }
            if core_b == NONE {
                self.neighbours[b as usize].push((a, conductance));
            }
        }
    }

    fn eliminate(&mut self) {
        let count = self.ground.len();
        self.waiting.resize_with(DEGREE_MAX + 1, Vec::new);
        for list in &mut self.waiting {
            list.clear();
        }
        for node in 0..count {
            if self.core_of[node] == NONE {
                self.queue(node);
            }
        }
        let mut degree = 0;
        while degree <= DEGREE_MAX {
            let Some(node) = self.waiting[degree].pop() else {
                degree += 1;
                continue;
            };
            let at = node as usize;
            if self.is_done[at] || self.neighbours[at].len() != degree {
                continue;
            }
            self.is_done[at] = true;
            let rays = std::mem::take(&mut self.neighbours[at]);
            let total = self.ground[at] + rays.iter().map(|ray| ray.1).sum::<f64>();
            let first = self.rays.len();
            if total > 0.0 {
                self.mesh(node, &rays, total);
                self.rays.extend_from_slice(&rays);
            }
            self.stars.push(Star {
                node,
                total,
                first: u32::try_from(first).unwrap_or(NONE),
                last: u32::try_from(self.rays.len()).unwrap_or(NONE),
            });
            for (other, _) in &rays {
                if self.core_of[*other as usize] == NONE {
                    degree = degree.min(self.neighbours[*other as usize].len());
                    self.queue(*other as usize);
                }
            }
            self.neighbours[at] = rays;
        }
    }

    fn queue(&mut self, node: usize) {
        let degree = self.neighbours[node].len();
        if degree <= DEGREE_MAX {
            self.waiting[degree].push(u32::try_from(node).unwrap_or(NONE));
        }
    }

    /// Replaces a star by the mesh between its ends.
    fn mesh(&mut self, node: u32, rays: &[(u32, f64)], total: f64) {
        let hub_count = self.core.len();
        let (ground, load) = (self.ground[node as usize], self.load[node as usize]);
        for (at, (a, conductance_a)) in rays.iter().copied().enumerate() {
            let share = conductance_a / total;
            self.ground[a as usize] += share * ground;
            self.load[a as usize] += share * load;
            let core_a = self.core_of[a as usize];
            if core_a == NONE {
                self.neighbours[a as usize].retain(|(other, _)| *other != node);
            }
            for (b, conductance_b) in rays[at + 1..].iter().copied() {
                let added = share * conductance_b;
                let core_b = self.core_of[b as usize];
                if core_a != NONE && core_b != NONE {
                    self.hubs[core_a as usize * hub_count + core_b as usize] += added;
                    self.hubs[core_b as usize * hub_count + core_a as usize] += added;
                    continue;
                }
                if core_a == NONE {
                    link(&mut self.neighbours[a as usize], b, added);
                }
                if core_b == NONE {
                    link(&mut self.neighbours[b as usize], a, added);
                }
            }
        }
    }

    fn solve_core(&mut self, potentials: &mut [f64]) {
        let hub_count = self.core.len();
        for node in 0..self.ground.len() {
            if self.core_of[node] == NONE && !self.is_done[node] {
                self.core_of[node] = u32::try_from(self.core.len()).unwrap_or(NONE);
                self.core.push(u32::try_from(node).unwrap_or(NONE));
            }
        }
        let size = self.core.len();
        let dense = &mut self.dense;
        dense.clear();
        dense.resize(size * size, 0.0);
        for row in 0..hub_count {
            dense[row * size..row * size + hub_count]
                .copy_from_slice(&self.hubs[row * hub_count..(row + 1) * hub_count]);
        }
        for row in hub_count..size {
            for (other, conductance) in &self.neighbours[self.core[row] as usize] {
                let column = self.core_of[*other as usize] as usize;
                dense[row * size + column] = *conductance;
                dense[column * size + row] = *conductance;
            }
        }
        let mut totals = vec![0.0; size];
        for row in 0..size {
            let node = self.core[row] as usize;
            let (above, below) = dense.split_at_mut((row + 1) * size);
            let rays = &above[row * size + row + 1..];
            let total = self.ground[node] + rays.iter().sum::<f64>();
            totals[row] = total;
            if total <= 0.0 {
                continue;
            }
            let (ground, load) = (self.ground[node], self.load[node]);
            for (offset, conductance) in rays.iter().copied().enumerate() {
                if conductance == 0.0 {
                    continue;
                }
                let share = conductance / total;
                let other = row + 1 + offset;
                self.ground[self.core[other] as usize] += share * ground;
                self.load[self.core[other] as usize] += share * load;
                let begin = (other - row - 1) * size;
                for (entry, ray) in below[begin + other + 1..begin + size]
                    .iter_mut()
                    .zip(&rays[offset + 1..])
                {
                    *entry += share * ray;
                }
            }
        }
        for row in (0..size).rev() {
            let node = self.core[row] as usize;
            let mut sum = self.load[node];
            for column in row + 1..size {
                sum += dense[row * size + column] * potentials[self.core[column] as usize];
            }
            potentials[node] = if totals[row] > 0.0 {
                sum / totals[row]
            } else {
                0.0
            };
        }
    }
}

fn link(list: &mut Vec<(u32, f64)>, other: u32, conductance: f64) {
    match list.iter_mut().find(|(known, _)| *known == other) {
        Some((_, sum)) => *sum += conductance,
        None => list.push((other, conductance)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Laplacian;

    proptest! {
        #[test]
        fn potentials_balance_every_node(
            count in 1usize..60,
            drawn in prop::collection::vec((0usize..60, 0usize..60, 1e-6f64..1e6), 0..400),
            ground in prop::collection::vec(1e-3f64..1e3, 60),
            load in prop::collection::vec(-1e3f64..1e3, 60),
        ) {
            let mut seen = std::collections::BTreeMap::new();
            for (a, b, conductance) in drawn {
                let (a, b) = (a % count, b % count);
                if a != b {
                    seen.insert((a.min(b), a.max(b)), conductance);
                }
            }
            let links: Vec<(u32, u32, f64)> = seen.iter()
                .map(|((a, b), conductance)| (u32::try_from(*a).unwrap_or(0), u32::try_from(*b).unwrap_or(0), *conductance))
                .collect();
            let mut potentials = vec![0.0; count];
            let mut laplacian = Laplacian::default();
            laplacian.solve(&links, &ground[..count], &load[..count], &mut potentials);
            for node in 0..count {
                let mut left = ground[node] * potentials[node];
                let mut size = left.abs() + load[node].abs();
                for (a, b, conductance) in &links {
                    let (a, b) = (*a as usize, *b as usize);
                    if a == node || b == node {
                        let other = a + b - node;
                        left += conductance * (potentials[node] - potentials[other]);
                        size += conductance * (potentials[node].abs() + potentials[other].abs());
                    }
                }
                prop_assert!((left - load[node]).abs() <= 1e-9 * size, "{left} {}", load[node]);
            }
        }
    }
}
