use std::sync::Arc;

use crate::{AmmError, TICK_MAX, TICK_MIN};

/// An initialised tick: where the liquidity in range changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The tick itself, a multiple of the pool's spacing.
    pub index: i32,
    /// Added to the liquidity when the price rises through the tick, taken off when it falls.
    pub liquidity_net: i128,
    /// All liquidity of positions that begin or end here; the tick is no longer initialised when it is 0.
    pub liquidity_gross: u128,
}

impl Tick {
    /// A tick of which only the net is known: the gross is taken as the least possible.
    pub fn from_net(index: i32, liquidity_net: i128) -> Self {
        Self {
            index,
            liquidity_net,
            liquidity_gross: liquidity_net.unsigned_abs(),
        }
    }
}

/// The initialised ticks of a pool in ascending order, and the range within which none is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickTable {
    spacing: i32,
    ticks: Arc<Vec<Tick>>,
    low: i32,
    high: i32,
}

/// Where the price goes next within one word of 256 ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextTick {
    pub(crate) index: i32,
    /// The liquidity net, where the tick is initialised.
    pub(crate) net: Option<i128>,
}

impl TickTable {
    /// A table of these ticks, complete from `loaded.0` to `loaded.1`, or everywhere where `loaded` is `None`.
    pub fn new(
        spacing: i32,
        mut ticks: Vec<Tick>,
        loaded: Option<(i32, i32)>,
    ) -> Result<Self, AmmError> {
        if !(1..=16_384).contains(&spacing) {
            return Err(AmmError::InvalidState(
                "the tick spacing is not within 1 to 16384",
            ));
        }
        let (low, high) = loaded.unwrap_or((TICK_MIN, TICK_MAX));
        if low > high || low < TICK_MIN || high > TICK_MAX {
            return Err(AmmError::InvalidState(
                "the loaded range is not within the tick bounds, low before high",
            ));
        }
        ticks.sort_unstable_by_key(|tick| tick.index);
        if ticks.windows(2).any(|pair| pair[0].index == pair[1].index) {
            return Err(AmmError::InvalidState("a tick is given twice"));
        }
        if ticks.iter().any(|tick| tick.index % spacing != 0) {
            return Err(AmmError::InvalidState(
                "a tick is not a multiple of the tick spacing",
            ));
        }
        if ticks
            .iter()
            .any(|tick| tick.index < low || tick.index > high)
        {
            return Err(AmmError::InvalidState(
                "a tick lies outside the loaded range",
            ));
        }
        if ticks
            .iter()
            .any(|tick| tick.liquidity_gross < tick.liquidity_net.unsigned_abs())
        {
            return Err(AmmError::InvalidState(
                "a tick has less liquidity gross than net",
            ));
        }
        Ok(Self {
            spacing,
            ticks: Arc::new(ticks),
            low,
            high,
        })
    }

    /// Distance between ticks that may be initialised.
    pub fn spacing(&self) -> i32 {
        self.spacing
    }

    /// The initialised ticks, ascending.
    pub fn ticks(&self) -> &[Tick] {
        &self.ticks
    }

    /// The range within which every initialised tick is known, both ends included.
    pub fn loaded(&self) -> (i32, i32) {
        (self.low, self.high)
    }

    /// The table after `delta` was added to a position from `lower` to `upper`.
    pub(crate) fn with_position(
        &self,
        lower: i32,
        upper: i32,
        delta: i128,
    ) -> Result<Self, AmmError> {
        if lower >= upper || lower < TICK_MIN || upper > TICK_MAX {
            return Err(AmmError::InvalidState(
                "a position does not run from a lower to a higher tick within the bounds",
            ));
        }
        if lower % self.spacing != 0 || upper % self.spacing != 0 {
            return Err(AmmError::InvalidState(
                "a position does not end at multiples of the tick spacing",
            ));
        }
        let mut ticks = (*self.ticks).clone();
        let upper_net = delta.checked_neg().ok_or(AmmError::AmountTooLarge)?;
        for (index, net) in [(lower, delta), (upper, upper_net)] {
            // A tick that is not loaded stays unknown: a swap that would need it asks for it.
            if (self.low..=self.high).contains(&index) {
                change(&mut ticks, index, net, delta)?;
            }
        }
        Ok(Self {
            ticks: Arc::new(ticks),
            ..*self
        })
    }

    /// The lowest tick of the word that holds a tick.
    pub(crate) fn word_start(&self, tick: i32) -> i32 {
        ((tick.div_euclid(self.spacing) >> 8 << 8) * self.spacing).max(TICK_MIN)
    }

    /// The next place a falling price stops: an initialised tick at or below `tick`, or the end of its word.
    pub(crate) fn next_below(&self, tick: i32) -> NextTick {
        let word_start = self.word_start(tick);
        match self.at_or_below(tick) {
            Some(found) if found.index >= word_start => NextTick {
                index: found.index,
                net: Some(found.liquidity_net),
            },
            _ => NextTick {
                index: word_start,
                net: None,
            },
        }
    }

    /// The next place a rising price stops: an initialised tick above `tick`, or the end of its word.
    pub(crate) fn next_above(&self, tick: i32) -> NextTick {
        let first = tick.div_euclid(self.spacing) + 1;
        let word_end = ((first >> 8 << 8) + 255) * self.spacing;
        match self.above(tick) {
            Some(found) if found.index <= word_end => NextTick {
                index: found.index,
                net: Some(found.liquidity_net),
            },
            _ => NextTick {
                index: word_end.min(TICK_MAX),
                net: None,
            },
        }
    }

    /// The initialised tick that a falling price meets next, however far.
    pub(crate) fn at_or_below(&self, tick: i32) -> Option<&Tick> {
        self.ticks
            .partition_point(|entry| entry.index <= tick)
            .checked_sub(1)
            .map(|at| &self.ticks[at])
    }

    /// The initialised tick that a rising price meets next, however far.
    pub(crate) fn above(&self, tick: i32) -> Option<&Tick> {
        self.ticks
            .get(self.ticks.partition_point(|entry| entry.index <= tick))
    }
}

fn change(ticks: &mut Vec<Tick>, index: i32, net: i128, delta: i128) -> Result<(), AmmError> {
    match ticks.binary_search_by_key(&index, |tick| tick.index) {
        Ok(at) => {
            let tick = &mut ticks[at];
            let net = tick
                .liquidity_net
                .checked_add(net)
                .ok_or(AmmError::AmountTooLarge)?;
            // Where the gross was never told it is the least possible, so a burn may undercut it.
            let gross = if delta < 0 {
                tick.liquidity_gross
                    .saturating_sub(delta.unsigned_abs())
                    .max(net.unsigned_abs())
            } else {
                tick.liquidity_gross
                    .checked_add(delta.unsigned_abs())
                    .ok_or(AmmError::AmountTooLarge)?
            };
            if gross == 0 {
                ticks.remove(at);
            } else {
                *tick = Tick {
                    index,
                    liquidity_net: net,
                    liquidity_gross: gross,
                };
            }
        }
        Err(at) if delta > 0 => {
            ticks.insert(
                at,
                Tick {
                    index,
                    liquidity_net: net,
                    liquidity_gross: delta.unsigned_abs(),
                },
            );
        }
        Err(_) if delta == 0 => {}
        Err(_) => {
            return Err(AmmError::InvalidState(
                "liquidity leaves a tick that holds none",
            ));
        }
    }
    Ok(())
}
