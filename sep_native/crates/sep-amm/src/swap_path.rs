use std::fmt;
use std::sync::{Arc, RwLock};

use ruint::aliases::U256;

/// A place where a swap arrived after a whole step, and all that was exchanged since the first place of the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// The pool's tick on arrival.
    pub(crate) tick: i32,
    /// The liquidity beyond.
    pub(crate) liquidity: u128,
    pub(crate) price: U256,
    /// Taken so far, fees included.
    pub(crate) amount_in: U256,
    /// Given so far.
    pub(crate) amount_out: U256,
    pub(crate) crossed: u32,
}

/// Running sums over whole steps in one direction, kept with the ticks that they follow from.
///
/// A whole step exchanges the same amounts whatever the swap is, so a later swap, also from another price, jumps to
/// the last stop that it reaches. The path grows as far as swaps have gone. It is a memory and no part of the state.
#[derive(Clone, Default)]
pub(crate) struct SwapPath(Arc<RwLock<Vec<Stop>>>);

/// Stops that a swap passed beyond what was known, with the sums of the stop before them.
#[derive(Debug)]
pub(crate) struct Passed {
    from: Stop,
    stops: Vec<Stop>,
}

impl fmt::Debug for SwapPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SwapPath")
    }
}

impl PartialEq for SwapPath {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for SwapPath {}

impl SwapPath {
    /// The last stop that a swap reaches from `at` with `remaining` left of what goes in, or of what comes out; its
    /// sums are those since `at`. `None` where the path does not lead through `at` or ends no further on.
    pub(crate) fn jump(&self, at: &Stop, remaining: U256, exact_in: bool) -> Option<Stop> {
        let stops = self.0.read().ok()?;
        let first = position(&stops, at)?;
        let from = stops[first];
        let sum = |stop: &Stop| {
            if exact_in {
                stop.amount_in - from.amount_in
            } else {
                stop.amount_out - from.amount_out
            }
        };
        let ahead = &stops[first + 1..];
        let below = ahead.partition_point(|stop| sum(stop) < remaining);
        // A swap ends at the first stop where nothing is left of it.
        let reached = match ahead.get(below) {
            Some(stop) if sum(stop) == remaining => below + 1,
            _ => below,
        };
        let last = ahead[..reached].last()?;
        Some(Stop {
            amount_in: last.amount_in - from.amount_in,
            amount_out: last.amount_out - from.amount_out,
            crossed: last.crossed - from.crossed,
            ..*last
        })
    }

    /// Keeps what a swap passed: at the end of the path where it leads on from there, else instead of the path.
    pub(crate) fn remember(&self, passed: Passed) {
        let Ok(mut stops) = self.0.write() else {
            return;
        };
        let known = stops.last().copied().filter(|last| {
            last.tick == passed.from.tick && last.liquidity == passed.from.liquidity
        });
        if let Some(last) = known {
            let sums = passed.stops.iter().map(|stop| {
                Some(Stop {
                    amount_in: stop.amount_in.checked_add(last.amount_in)?,
                    amount_out: stop.amount_out.checked_add(last.amount_out)?,
                    crossed: stop.crossed.checked_add(last.crossed)?,
                    ..*stop
                })
            });
            let sums: Vec<Stop> = sums.map_while(|stop| stop).collect();
            stops.extend(sums);
        } else if position(&stops, &passed.from).is_none() {
            stops.clear();
            stops.push(passed.from);
            stops.extend(passed.stops);
        }
    }
}

impl Passed {
    /// Nothing yet, from here on.
    pub(crate) fn new(from: Stop) -> Self {
        Self {
            from,
            stops: Vec::new(),
        }
    }

    /// Adds a stop whose sums are those since the beginning.
    pub(crate) fn push(&mut self, stop: Stop) {
        self.stops.push(stop);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stops.is_empty()
    }
}

/// Where the path leads through a stop. Ticks of a path rise or fall throughout.
fn position(stops: &[Stop], at: &Stop) -> Option<usize> {
    let (first, last) = (stops.first()?, stops.last()?);
    let rises = first.tick <= last.tick;
    stops
        .binary_search_by(|stop| {
            if rises {
                stop.tick.cmp(&at.tick)
            } else {
                at.tick.cmp(&stop.tick)
            }
        })
        .ok()
        .filter(|found| stops[*found].liquidity == at.liquidity)
}
