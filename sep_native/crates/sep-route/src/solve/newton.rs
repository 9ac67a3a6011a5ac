use std::time::Instant;

use super::core::Core;
use super::evaluate::Evaluation;
use super::laplacian::Laplacian;
use super::ramps::Ramps;
use crate::prepared::Prepared;

/// Steps of log price are held to this.
const STEP_MAX: f64 = 0.3;
/// Steps for one width of ramps, and where only a comparison is wanted.
const ITERATIONS_MAX: u32 = 200;
pub(crate) const ITERATIONS_FEW: u32 = 30;
/// Steps that gain nothing before the search gives up, and what counts as gain.
const STALLED_MAX: u32 = 6;
const PROGRESS: f64 = 1e-12;
/// Of the first slope, what may be left at the end of a line search.
const SLOPE_LEFT: f64 = 0.3;
/// How often a step that goes too far is corrected by what it met.
const REFINEMENTS: u32 = 6;
/// What stays of a market met in a trial after a step that went well.
const SPRING_DECAY: f64 = 0.1;
/// Steps of log price below this are rounding.
const STEP_LEAST: f64 = 1e-14;
/// Share of all that moves which may be out of balance: rounding spreads it, but what loops return must cover what
/// they borrow.
const IMBALANCE: f64 = 1e-8;
const IMBALANCE_IN_LOOPS: f64 = 1e-14;
/// Where more than this share is out of balance in the end, flows of wider ramps may be better.
const UNBALANCED: f64 = 3e-2;
/// Share of a node's conductance at no size that holds it at first, and how fast that goes.
const HOLD: f64 = 0.01;
/// Markets this close to waking count as outlets at first.
const BAND: f64 = 0.01;
const BAND_DECAY: f64 = 0.3;
/// Nodes through which the best rates lose more are not counted until they are used.
const SLACK_MAX: f64 = 0.02;
/// Shares of a step that call for more caution, or less.
const SHORT: f64 = 0.1;
const LONG: f64 = 0.3;
/// Widths over which linear pieces are smoothed, and searches with the last of them about what pieces took before.
const RAMPS: [f64; 3] = [1e-3, 1e-4, 1e-5];
const ROUNDS: usize = 2;
const HOLD_DECAY: f64 = 0.15;

/// The search over prices, with what it needs again from step to step.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) core: &'a Core,
    pub(crate) prepared: &'a Prepared,
    pub(crate) log_prices: Vec<f64>,
    pub(crate) now: Evaluation,
    pub(crate) iterations: u32,
    pub(crate) evaluations: u32,
    pub(crate) deadline: Option<Instant>,
    pub(crate) is_timed_out: bool,
    /// Whether the last width of ramps was ended in balance.
    pub(crate) is_settled: bool,
    /// Prices at which a width before it was, and what the markets did at them.
    pub(crate) balanced: Option<(Vec<f64>, Evaluation)>,
    trial: Evaluation,
    trial_prices: Vec<f64>,
    laplacian: Laplacian,
    weights: Vec<f64>,
    links: Vec<(u32, u32, f64)>,
    ground: Vec<f64>,
    load: Vec<f64>,
    step: Vec<f64>,
    hold: Vec<f64>,
    near: Vec<u32>,
    before: Vec<f64>,
    /// How stiff markets that sleep here were found to be from here to where a trial woke them.
    springs: Vec<f64>,
    ramps: Ramps,
    sprung: Vec<u32>,
    is_met: Vec<bool>,
    first_step: Vec<f64>,
    /// Steps for one width of ramps.
    pub(crate) iterations_max: u32,
    imbalance_max: f64,
    /// How unlikely each node is to be used; empty where nothing is known.
    pub(crate) slack: Vec<f64>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        core: &'a Core,
        prepared: &'a Prepared,
        log_prices: Vec<f64>,
        deadline: Option<Instant>,
    ) -> Self {
        let count = core.node_count();
        let mut hold = vec![0.0; count];
        for edge in &core.edges {
            let (a, b) = (edge.a as usize, edge.b as usize);
            let depth =
                (edge.depth_ab * log_prices[a].exp()).max(edge.depth_ba * log_prices[b].exp());
            if depth.is_finite() {
                hold[a] += depth;
                hold[b] += depth;
            }
        }
        Self {
            core,
            prepared,
            log_prices,
            now: Evaluation::default(),
            iterations: 0,
            evaluations: 0,
            deadline,
            is_timed_out: false,
            is_settled: false,
            balanced: None,
            trial: Evaluation::default(),
            trial_prices: Vec::with_capacity(count),
            laplacian: Laplacian::default(),
            weights: vec![0.0; core.ties.len()],
            links: Vec::new(),
            ground: vec![0.0; count],
            load: vec![0.0; count],
            step: vec![0.0; count],
            hold,
            near: Vec::new(),
            before: Vec::new(),
            springs: vec![0.0; core.edges.len()],
            ramps: Ramps::default(),
            sprung: Vec::new(),
            is_met: vec![false; core.edges.len()],
            first_step: Vec::new(),
            iterations_max: ITERATIONS_MAX,
            imbalance_max: IMBALANCE,
            slack: Vec::new(),
        }
    }

    /// Lets flows run in loops: balances them as far as numbers go.
    pub(crate) fn allow_loops(&mut self) {
        self.imbalance_max = IMBALANCE_IN_LOOPS;
    }

    /// Evaluates the present prices.
    fn evaluate(&mut self) {
        self.evaluations += 1;
        self.now
            .at(self.core, self.prepared, &self.log_prices, &self.ramps);
    }

    /// Whether a node's price stands where it is.
    fn is_pinned(&self, node: usize) -> bool {
        self.core.is_fixed[node]
            || (self.log_prices[node] >= self.core.ceiling[node] && self.now.surplus[node] <= 0.0)
    }

    /// Worth that is left over or missing at nodes whose price is free.
    pub(crate) fn imbalance(&self) -> f64 {
        (0..self.core.node_count())
            .filter(|node| !self.is_pinned(*node))
            .map(|node| self.now.surplus[node].abs())
            .sum()
    }

    fn is_balanced(&self) -> bool {
        self.imbalance() <= UNBALANCED * self.now.turnover
    }

    /// Newton's method until every free node is in balance.
    fn run(&mut self, ramps: Ramps, mut hold: f64, mut band: f64) {
        self.ramps = ramps;
        self.evaluate();
        let mut best = (f64::INFINITY, f64::INFINITY);
        let mut stalled = 0;
        for _ in 0..self.iterations_max {
            let imbalance = self.imbalance();
            if imbalance <= self.imbalance_max * self.now.turnover {
                break;
            }
            // While markets wake up the imbalance may grow; the bound falls all the same.
            if imbalance < best.0 * 0.9 || self.now.bound < best.1 - PROGRESS * best.1.abs() {
                best = (best.0.min(imbalance), best.1.min(self.now.bound));
                stalled = 0;
            } else {
                stalled += 1;
                if stalled > STALLED_MAX {
                    break;
                }
            }
            if self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
            {
                self.is_timed_out = true;
                break;
            }
            self.iterations += 1;
            self.direction(hold, band);
            if self.step.iter().all(|step| step.abs() < STEP_LEAST) {
                break;
            }
            let reached = self.search_line(hold);
            if reached == 0.0 {
                hold = (hold * 10.0).max(1e-6);
                if hold > 1e6 {
                    break;
                }
            } else if reached < SHORT {
                // Markets that were not counted woke up on the way: count more of them.
                band = (band / BAND_DECAY / BAND_DECAY).clamp(1e-7, BAND);
                hold = (hold / HOLD_DECAY).clamp(1e-9, HOLD);
            } else if reached >= LONG {
                hold *= HOLD_DECAY;
                band *= BAND_DECAY;
                self.relax_springs();
            }
        }
    }

    /// The whole search: once where all markets are curved, else with ramps that become steeper, and then about what
    /// the pieces took. A piece that is taken in part so comes to stand at its own rate, which ramps without a centre
    /// miss by up to their width (the proximal point method: Rockafellar, "Monotone Operators and the Proximal Point
    /// Algorithm", 1976, which ends in finitely many rounds where all is linear).
    pub(crate) fn run_all(&mut self, is_cold: bool) {
        let (hold, band) = if is_cold {
            (HOLD, BAND)
        } else {
            (HOLD * 1e-2, BAND * 1e-1)
        };
        if !self.core.has_linear_pieces {
            self.run(Ramps::default(), hold, band);
            self.is_settled = self.is_balanced();
            return;
        }
        self.run(Ramps::of(RAMPS[0]), hold, band);
        for width in &RAMPS[1..] {
            self.steepen(Ramps::of(*width));
        }
        for _ in 0..ROUNDS {
            self.steepen(Ramps::about(RAMPS[RAMPS.len() - 1], self.core, &self.now));
        }
        self.is_settled = self.is_balanced();
    }

    /// Goes on with other ramps from where the last ones ended, and keeps that end where it was in balance.
    fn steepen(&mut self, ramps: Ramps) {
        if self.is_balanced() {
            self.balanced = Some((self.log_prices.clone(), self.now.clone()));
        }
        self.run(ramps, 0.0, 0.0);
    }

    /// The step that would balance every node if the markets stayed as stiff as they are.
    fn direction(&mut self, hold: f64, band: f64) {
        let core = self.core;
        self.links.clear();
        for awake in &self.now.awake {
            if awake.stiffness > 0.0 {
                self.weights[core.edges[awake.edge as usize].tie as usize] += awake.stiffness;
            }
        }
        if band > 0.0 {
            // Markets about to wake are outlets too: without them a step would choke what flows towards them.
            self.near.clear();
            for (at, edge) in core.edges.iter().enumerate() {
                let (a, b) = (edge.a as usize, edge.b as usize);
                let difference = self.log_prices[a] - self.log_prices[b];
                let (rate_ab, rate_ba) = self.ramps.rates(at, edge);
                let (distance, depth) = if difference - rate_ab < -difference - rate_ba {
                    (difference - rate_ab, edge.depth_ab * self.now.prices[a])
                } else {
                    (-difference - rate_ba, edge.depth_ba * self.now.prices[b])
                };
                let is_likely = self.slack.is_empty()
                    || (self.slack[a] < SLACK_MAX && self.slack[b] < SLACK_MAX);
                if is_likely
                    && distance >= 0.0
                    && distance < band
                    && depth > 0.0
                    && depth.is_finite()
                {
                    self.weights[edge.tie as usize] += depth * (1.0 - distance / band);
                    self.near.push(super::core::number(at));
                }
            }
        } else {
            self.near.clear();
        }
        self.add_springs();
        let awake = self.now.awake.iter().map(|awake| awake.edge);
        for at in awake
            .chain(self.near.iter().copied())
            .chain(self.sprung.iter().copied())
        {
            let tie = core.edges[at as usize].tie as usize;
            let weight = std::mem::take(&mut self.weights[tie]);
            if weight > 0.0 {
                let (low, high) = core.ties[tie];
                self.links.push((low, high, weight));
            }
        }
        self.load.clear();
        self.load
            .extend(self.now.surplus.iter().map(|surplus| -surplus));
        self.balance(hold);
    }

    /// Counts the markets that sleep here but woke in earlier trials.
    fn add_springs(&mut self) {
        let core = self.core;
        let prices = &self.log_prices;
        // Markets that are awake by now speak for themselves.
        let (springs, ramps) = (&mut self.springs, &self.ramps);
        self.sprung.retain(|at| {
            let edge = &core.edges[*at as usize];
            let (rate_ab, rate_ba) = ramps.rates(*at as usize, edge);
            let difference = prices[edge.a as usize] - prices[edge.b as usize];
            let spring = &mut springs[*at as usize];
            if difference < rate_ab || -difference < rate_ba || *spring <= 0.0 {
                *spring = 0.0;
                return false;
            }
            true
        });
        for at in &self.sprung {
            self.weights[core.edges[*at as usize].tie as usize] += self.springs[*at as usize];
        }
    }

    /// Lets go of what earlier trials met, as steps succeed.
    fn relax_springs(&mut self) {
        for at in &self.sprung {
            let spring = &mut self.springs[*at as usize];
            *spring *= SPRING_DECAY;
            if *spring < 1e-9 * self.now.turnover {
                *spring = 0.0;
            }
        }
    }

    /// Solves for the step that balances the loads through the links, held by a share of what each node could conduct.
    fn balance(&mut self, hold: f64) {
        let core = self.core;
        // What a node is held by beyond its own awake markets.
        self.step.fill(0.0);
        for (low, high, weight) in &self.links {
            self.step[*low as usize] += weight;
            self.step[*high as usize] += weight;
        }
        let is_pinned: Vec<bool> = (0..core.node_count())
            .map(|node| self.is_pinned(node))
            .collect();
        for (node, is_pinned) in is_pinned.iter().enumerate() {
            self.ground[node] =
                (hold * self.hold[node] - self.step[node]).max(1e-12 * self.step[node]);
            if *is_pinned {
                self.load[node] = 0.0;
            }
            // What stands on nothing else goes this far at most, however little holds it.
            self.ground[node] += self.load[node].abs() / STEP_MAX;
        }
        let ground = &mut self.ground;
        self.links.retain(|(low, high, weight)| {
            match (is_pinned[*low as usize], is_pinned[*high as usize]) {
                (false, false) => return true,
                (true, false) => ground[*high as usize] += weight,
                (false, true) => ground[*low as usize] += weight,
                (true, true) => {}
            }
            false
        });
        self.laplacian
            .solve(&self.links, &self.ground, &self.load, &mut self.step);
        let mut longest = 0.0f64;
        for (step, is_pinned) in self.step.iter_mut().zip(&is_pinned) {
            if *is_pinned || !step.is_finite() {
                *step = 0.0;
            }
            longest = longest.max(step.abs());
        }
        if longest > STEP_MAX {
            let factor = STEP_MAX / longest;
            for step in &mut self.step {
                *step *= factor;
            }
        }
    }

    /// The slope of the bound along the step, nodes that stand at their ceiling aside.
    fn slope(core: &Core, step: &[f64], log_prices: &[f64], evaluation: &Evaluation) -> f64 {
        step.iter()
            .zip(&evaluation.surplus)
            .zip(log_prices.iter().zip(&core.ceiling))
            .filter(|((step, _), (log, ceiling))| **step < 0.0 || log < ceiling)
            .map(|((step, surplus), _)| step * surplus)
            .sum()
    }

    fn try_step(&mut self, length: f64) -> f64 {
        self.trial_prices.clear();
        self.trial_prices.extend(
            self.log_prices
                .iter()
                .zip(&self.step)
                .zip(&self.core.ceiling)
                .map(|((log, step), ceiling)| (log + length * step).min(*ceiling)),
        );
        self.evaluations += 1;
        self.trial
            .at(self.core, self.prepared, &self.trial_prices, &self.ramps);
        Self::slope(self.core, &self.step, &self.trial_prices, &self.trial)
    }

    /// The step again, now that the trial has shown which markets wake and sleep on the way: each as stiff as it was
    /// between here and there.
    fn refine(&mut self, hold: f64) {
        let core = self.core;
        self.links.clear();
        self.load.clear();
        self.load
            .extend(self.now.surplus.iter().map(|surplus| -surplus));
        self.before.resize(core.edges.len(), 0.0);
        for awake in &self.now.awake {
            self.before[awake.edge as usize] = self.now.worth(core, awake);
        }
        self.near.clear();
        for awake in &self.trial.awake {
            let edge = &core.edges[awake.edge as usize];
            let (a, b) = (edge.a as usize, edge.b as usize);
            let here = self.log_prices[a] - self.log_prices[b];
            let there = self.trial_prices[a] - self.trial_prices[b];
            let begin = std::mem::take(&mut self.before[awake.edge as usize]);
            let end = self.trial.worth(core, awake);
            let (rate_ab, rate_ba) = self.ramps.rates(awake.edge as usize, edge);
            let stiffness = if begin == 0.0 {
                // It begins to trade on the way, at its rate.
                let (distance, passed) = if awake.forward {
                    (here - rate_ab, rate_ab - there)
                } else {
                    (-here - rate_ba, rate_ba + there)
                };
                if passed <= 0.0 || distance < 0.0 {
                    continue;
                }
                let spring = &mut self.springs[awake.edge as usize];
                if *spring == 0.0 {
                    self.sprung.push(awake.edge);
                }
                *spring = spring.max(end.abs() / (distance + passed));
                self.is_met[awake.edge as usize] = true;
                let stiffness = end.abs() / passed;
                let shift = stiffness * distance * end.signum();
                self.load[a] -= shift;
                self.load[b] += shift;
                stiffness
            } else {
                (begin - end) / (there - here)
            };
            if stiffness > 0.0 && stiffness.is_finite() {
                self.weights[edge.tie as usize] += stiffness;
                self.near.push(edge.tie);
            }
        }
        for awake in &self.now.awake {
            let begin = std::mem::take(&mut self.before[awake.edge as usize]);
            if begin == 0.0 {
                continue;
            }
            // It ends on the way.
            let edge = &core.edges[awake.edge as usize];
            let (rate_ab, rate_ba) = self.ramps.rates(awake.edge as usize, edge);
            let here = self.log_prices[edge.a as usize] - self.log_prices[edge.b as usize];
            let distance = if awake.forward {
                rate_ab - here
            } else {
                rate_ba + here
            };
            let stiffness = begin.abs() / distance;
            if stiffness > 0.0 && stiffness.is_finite() {
                self.weights[edge.tie as usize] += stiffness;
                self.near.push(edge.tie);
            }
        }
        // What an earlier trial woke and this one did not still stands in the way.
        for at in &self.sprung {
            if std::mem::take(&mut self.is_met[*at as usize]) {
                continue;
            }
            let tie = core.edges[*at as usize].tie;
            self.weights[tie as usize] += self.springs[*at as usize];
            self.near.push(tie);
        }
        for tie in &self.near {
            let weight = std::mem::take(&mut self.weights[*tie as usize]);
            if weight > 0.0 {
                let (low, high) = core.ties[*tie as usize];
                self.links.push((low, high, weight));
            }
        }
        self.balance(hold);
    }

    /// Goes along the step until the slope is nearly gone; values would say nothing at this precision.
    fn search_line(&mut self, hold: f64) -> f64 {
        let mut begin = Self::slope(self.core, &self.step, &self.log_prices, &self.now);
        if begin >= 0.0 {
            return 0.0;
        }
        let mut length = 1.0;
        let mut slope = self.try_step(length);
        for _ in 0..REFINEMENTS {
            if slope <= SLOPE_LEFT * -begin {
                break;
            }
            self.first_step.clone_from(&self.step);
            self.refine(hold);
            let refined = Self::slope(self.core, &self.step, &self.log_prices, &self.now);
            if refined >= 0.0 {
                self.step.clone_from(&self.first_step);
                break;
            }
            begin = refined;
            slope = self.try_step(length);
        }
        let allowed = SLOPE_LEFT * -begin;
        let (mut low, mut low_slope) = (0.0, begin);
        let (mut high, mut high_slope) = (length, slope);
        let mut round = 0;
        let mut was_low = false;
        while slope > allowed && round < 12 || slope < -allowed && round > 0 && round < 6 {
            if slope > 0.0 {
                high = length;
                high_slope = slope;
                if !was_low && round > 0 {
                    low_slope /= 2.0;
                }
                was_low = false;
            } else {
                low = length;
                low_slope = slope;
                if was_low {
                    high_slope /= 2.0;
                }
                was_low = true;
            }
            let share = -low_slope / (high_slope - low_slope);
            length = low + (high - low) * share.clamp(0.02, 0.98);
            slope = self.try_step(length);
            round += 1;
        }
        std::mem::swap(&mut self.now, &mut self.trial);
        std::mem::swap(&mut self.log_prices, &mut self.trial_prices);
        length
    }
}
