//! Other people's orders, drawn from the exchange's seed.

use crate::{
    genesis::FlowGenesis,
    order::{Side, TimeInForce},
    random::Random,
};

/// What somebody else wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// An order that rests.
    Add(Side, u64, u64),
    /// An order that takes.
    Take(Side, u64),
    /// One of theirs is cancelled: a number drawn for the choice.
    Cancel(u64),
}

/// How others go on at one market. The price that they believe in wanders around where it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    genesis: FlowGenesis,
    home: u64,
    belief: u64,
}

impl Flow {
    pub(crate) fn new(genesis: FlowGenesis, price: u64) -> Self {
        Self {
            genesis,
            home: price,
            belief: price,
        }
    }

    /// The price that they believe in, in ticks.
    #[must_use]
    pub fn belief(&self) -> u64 {
        self.belief
    }

    pub(crate) fn opening(&self, random: &mut Random) -> Vec<Action> {
        let mut actions = Vec::new();
        for distance in 1..=self.genesis.levels {
            for side in [Side::Buy, Side::Sell] {
                let size = self.size(random);
                actions.push(Action::Add(side, self.price(side, distance), size));
            }
        }
        actions
    }

    pub(crate) fn next(&mut self, random: &mut Random) -> Action {
        self.wander(random);
        let chance = random.below(100);
        let side = if random.below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        };
        if chance < self.genesis.takes_percent {
            Action::Take(side, self.size(random))
        } else if chance < 2 * self.genesis.takes_percent {
            Action::Cancel(random.next_u64())
        } else {
            let distance = random.between(1, self.genesis.levels.max(1));
            Action::Add(side, self.price(side, distance), self.size(random))
        }
    }

    pub(crate) const ADDS: TimeInForce = TimeInForce::PostOnly;

    fn wander(&mut self, random: &mut Random) {
        // Farther from home, the way back is likelier.
        let away = self.belief.abs_diff(self.home).min(40);
        let back = random.below(100) < 50 + away;
        let up = (self.belief < self.home) == back && self.belief != self.home
            || (self.belief == self.home && random.below(2) == 0);
        self.belief = if up {
            self.belief.saturating_add(1)
        } else {
            self.belief.saturating_sub(1).max(1)
        };
    }

    fn price(&self, side: Side, distance: u64) -> u64 {
        match side {
            Side::Buy => self.belief.saturating_sub(distance).max(1),
            Side::Sell => self.belief.saturating_add(distance),
        }
    }

    fn size(&self, random: &mut Random) -> u64 {
        random.between(self.genesis.lots.0.max(1), self.genesis.lots.1)
    }
}
