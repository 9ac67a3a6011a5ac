use super::core::{Core, number};
use super::ramps::Ramps;
use crate::prepared::Prepared;

/// A market that trades at the present prices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awake {
    pub(crate) edge: u32,
    /// Whether `a` goes in and `b` comes out.
    pub(crate) forward: bool,
    pub(crate) amount_in: f64,
    pub(crate) amount_out: f64,
    /// Worth that moves per step of log price.
    pub(crate) stiffness: f64,
    pub(crate) gain: f64,
}

/// What all markets do at some prices.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluation {
    /// Worth of what is left over at each node; negative where something is missing.
    pub(crate) surplus: Vec<f64>,
    pub(crate) awake: Vec<Awake>,
    pub(crate) prices: Vec<f64>,
    /// The dual function: what no plan exceeds, by these prices.
    pub(crate) bound: f64,
    /// Worth of all that moves.
    pub(crate) turnover: f64,
}

impl Evaluation {
    /// Evaluates every market at these log prices, linear pieces smoothed over ramps.
    pub(crate) fn at(
        &mut self,
        core: &Core,
        prepared: &Prepared,
        log_prices: &[f64],
        ramps: &Ramps,
    ) {
        self.prices.clear();
        self.prices.extend(log_prices.iter().map(|log| log.exp()));
        self.surplus.clear();
        self.surplus.extend(
            core.supply
                .iter()
                .zip(&self.prices)
                .map(|(amount, price)| amount * price),
        );
        let given: f64 = self.surplus.iter().sum();
        self.turnover = self.surplus.iter().map(|worth| worth.abs()).sum();
        self.awake.clear();
        let mut gains = 0.0;
        let mut shared: Option<(u32, Awake)> = None;
        for (at, edge) in core.edges.iter().enumerate() {
            let difference = log_prices[edge.a as usize] - log_prices[edge.b as usize];
            let (rate_ab, rate_ba) = ramps.rates(at, edge);
            let forward = difference < rate_ab;
            if !forward && -difference >= rate_ba {
                continue;
            }
            let ramp = ramps.of_edge(at, forward);
            let market = &prepared.markets[edge.market as usize];
            let (side_a, side_b) = (usize::from(edge.side_a), usize::from(edge.side_b));
            let (response, from, to) = if forward {
                (
                    market.real(core.exact_in).respond(
                        side_a,
                        side_b,
                        difference + edge.toll,
                        ramp,
                    ),
                    edge.a,
                    edge.b,
                )
            } else {
                (
                    market.real(core.exact_in).respond(
                        side_b,
                        side_a,
                        edge.toll - difference,
                        ramp,
                    ),
                    edge.b,
                    edge.a,
                )
            };
            let asked = if edge.toll == 0.0 {
                1.0
            } else {
                edge.toll.exp()
            };
            let awake = Awake {
                edge: number(at),
                forward,
                amount_in: response.amount_in * asked,
                amount_out: response.amount_out,
                stiffness: response.stiffness * self.prices[from as usize] * asked,
                gain: response.gain * self.prices[to as usize],
            };
            if !edge.is_shared {
                gains += self.wake(core, awake);
                continue;
            }
            // Of a market's pairs the one that pays most.
            match &mut shared {
                Some((market, best)) if *market == edge.market => {
                    if awake.gain > best.gain {
                        *best = awake;
                    }
                }
                _ => {
                    if let Some((_, best)) = shared.replace((edge.market, awake)) {
                        gains += self.wake(core, best);
                    }
                }
            }
        }
        if let Some((_, best)) = shared {
            gains += self.wake(core, best);
        }
        self.bound = given + gains;
        if !core.shares.is_empty() {
            let whole: f64 = core
                .shares
                .iter()
                .zip(&self.prices)
                .map(|(share, price)| share * price)
                .sum();
            self.bound /= whole;
            for ((surplus, share), price) in
                self.surplus.iter_mut().zip(&core.shares).zip(&self.prices)
            {
                *surplus -= self.bound * share * price;
            }
        }
    }

    /// Worth that goes into a market of an edge, negative where it goes from `b` to `a`.
    pub(crate) fn worth(&self, core: &Core, awake: &Awake) -> f64 {
        let edge = &core.edges[awake.edge as usize];
        if awake.forward {
            awake.amount_in * self.prices[edge.a as usize]
        } else {
            -awake.amount_in * self.prices[edge.b as usize]
        }
    }

    fn wake(&mut self, core: &Core, awake: Awake) -> f64 {
        let edge = &core.edges[awake.edge as usize];
        let (from, to) = if awake.forward {
            (edge.a, edge.b)
        } else {
            (edge.b, edge.a)
        };
        let worth_in = awake.amount_in * self.prices[from as usize];
        self.surplus[from as usize] -= worth_in;
        self.surplus[to as usize] += awake.amount_out * self.prices[to as usize];
        self.turnover += worth_in;
        self.awake.push(awake);
        awake.gain
    }
}
