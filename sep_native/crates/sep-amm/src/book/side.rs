use crate::AmmError;

/// What rests at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// In ticks.
    pub price: u64,
    /// In lots.
    pub size: u64,
}

/// The levels of one side, best first, with running sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Side {
    levels: Vec<Level>,
    /// Lots and ticks times lots up to the end of each level.
    sums: Vec<(u128, u128)>,
}

impl Side {
    /// Levels with growing prices for asks, falling ones for bids.
    pub(crate) fn new(levels: Vec<Level>, ascending: bool) -> Result<Self, AmmError> {
        if levels
            .iter()
            .any(|level| level.price == 0 || level.size == 0)
        {
            return Err(AmmError::InvalidState(
                "a level of the book has no price or no size",
            ));
        }
        let in_order = levels.windows(2).all(|pair| {
            pair[0].price != pair[1].price && (pair[0].price < pair[1].price) == ascending
        });
        if !in_order {
            return Err(AmmError::InvalidState(
                "the levels of the book are not in order, best first, each price once",
            ));
        }
        let mut sums = Vec::with_capacity(levels.len());
        let (mut lots, mut cost) = (0_u128, 0_u128);
        for level in &levels {
            lots += u128::from(level.size);
            cost = u128::from(level.price)
                .checked_mul(u128::from(level.size))
                .and_then(|part| cost.checked_add(part))
                .ok_or(AmmError::InvalidState(
                    "the book is worth more than 2^128 ticks times lots",
                ))?;
            sums.push((lots, cost));
        }
        Ok(Self { levels, sums })
    }

    pub(crate) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// All lots and what they cost, in ticks times lots.
    pub(crate) fn total(&self) -> (u128, u128) {
        self.sums.last().copied().unwrap_or_default()
    }

    /// What the best `lots`, at least one and at most all, cost in ticks times lots, and the worst price among them.
    pub(crate) fn cost(&self, lots: u128) -> (u128, u64) {
        let at = self.sums.partition_point(|(sum, _)| *sum < lots);
        let (lots_before, cost_before) = self.before(at);
        let price = self.levels[at].price;
        (
            cost_before + (lots - lots_before) * u128::from(price),
            price,
        )
    }

    /// The most lots that cost no more than `cost`.
    pub(crate) fn lots_within(&self, cost: u128) -> u128 {
        let at = self.sums.partition_point(|(_, sum)| *sum <= cost);
        let (lots_before, cost_before) = self.before(at);
        match self.levels.get(at) {
            Some(level) => lots_before + (cost - cost_before) / u128::from(level.price),
            None => lots_before,
        }
    }

    /// The fewest lots that are worth `cost`, which is at most the whole side's.
    pub(crate) fn lots_worth(&self, cost: u128) -> u128 {
        let at = self.sums.partition_point(|(_, sum)| *sum < cost);
        let (lots_before, cost_before) = self.before(at);
        match self.levels.get(at) {
            Some(level) => lots_before + (cost - cost_before).div_ceil(u128::from(level.price)),
            None => lots_before,
        }
    }

    /// The levels that are left once the best `lots` are gone.
    pub(crate) fn without(&self, lots: u128) -> Vec<Level> {
        let at = self.sums.partition_point(|(sum, _)| *sum <= lots);
        let mut left = self.levels[at..].to_vec();
        if let Some(first) = left.first_mut() {
            let taken = lots - self.before(at).0;
            // Less than the level holds, so it fits what the level's size fits.
            first.size -= u64::try_from(taken).unwrap_or(first.size);
        }
        left
    }

    fn before(&self, at: usize) -> (u128, u128) {
        at.checked_sub(1).map_or((0, 0), |last| self.sums[last])
    }
}
