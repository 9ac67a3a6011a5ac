use ruint::aliases::U256;

use crate::swap_path::{Passed, Stop, SwapPath};
use crate::swap_step::swap_step;
use crate::tick_math::{sqrt_price_within, tick_within};
use crate::tick_table::{NextTick, Tick, TickTable};
use crate::{
    AmmError, FEE_DENOMINATOR, Quote, SQRT_PRICE_MAX, SQRT_PRICE_MIN, TICK_MAX, TICK_MIN,
    tick_at_sqrt_price,
};

/// Amounts are signed 256-bit numbers in the contract.
const AMOUNT_BITS: usize = 255;

/// Where a swap has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapLimit {
    /// The whole amount must be swapped.
    Whole,
    /// The swap stops at this square-root price, whatever is left of the amount.
    SqrtPrice(U256),
}

/// A pool whose liquidity lies between ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcentratedLiquidity {
    sqrt_price_x96: U256,
    tick: i32,
    liquidity: u128,
    fee_ppm: u32,
    table: TickTable,
    /// Sums for falling and for rising prices.
    paths: [SwapPath; 2],
}

/// A swap on its way through the ticks.
struct Walk {
    price: U256,
    tick: i32,
    liquidity: u128,
    remaining: U256,
    counter_amount: U256,
    crossed: u32,
    /// The last step ended short of its stop, so that the tick is that of the price.
    between_ticks: bool,
}

impl Walk {
    /// This place, with what was taken and given since `amount` remained and `counter` had been exchanged.
    fn stop(&self, (amount, counter): (U256, U256), crossed: u32, exact_in: bool) -> Stop {
        let (moved, countered) = (amount - self.remaining, self.counter_amount - counter);
        let (amount_in, amount_out) = if exact_in {
            (moved, countered)
        } else {
            (countered, moved)
        };
        Stop {
            tick: self.tick,
            liquidity: self.liquidity,
            price: self.price,
            amount_in,
            amount_out,
            crossed: self.crossed - crossed,
        }
    }
}

impl ConcentratedLiquidity {
    /// A pool in this state; the tick is that of the price, or one lower where the price lies exactly on a tick.
    pub fn new(
        sqrt_price_x96: U256,
        tick: i32,
        liquidity: u128,
        fee_ppm: u32,
        table: TickTable,
    ) -> Result<Self, AmmError> {
        if fee_ppm >= FEE_DENOMINATOR {
            return Err(AmmError::InvalidState(
                "the fee is not below 1,000,000 parts per million",
            ));
        }
        check_tick(sqrt_price_x96, tick)?;
        Ok(Self {
            sqrt_price_x96,
            tick,
            liquidity,
            fee_ppm,
            table,
            paths: Default::default(),
        })
    }

    /// The state that an `Initialize` event announces: a price, and no liquidity yet.
    pub fn initialized(
        sqrt_price_x96: U256,
        fee_ppm: u32,
        tick_spacing: i32,
    ) -> Result<Self, AmmError> {
        let table = TickTable::new(tick_spacing, Vec::new(), None)?;
        Self::new(
            sqrt_price_x96,
            tick_at_sqrt_price(sqrt_price_x96)?,
            0,
            fee_ppm,
            table,
        )
    }

    /// Square root of the price of the first asset in the second, times 2^96.
    pub fn sqrt_price_x96(&self) -> U256 {
        self.sqrt_price_x96
    }

    /// The tick that the pool reports.
    pub fn tick(&self) -> i32 {
        self.tick
    }

    /// Liquidity in range.
    pub fn liquidity(&self) -> u128 {
        self.liquidity
    }

    /// Fee on the amount in, parts per million.
    pub fn fee_ppm(&self) -> u32 {
        self.fee_ppm
    }

    /// The initialised ticks.
    pub fn table(&self) -> &TickTable {
        &self.table
    }

    /// The state that a `Swap` event announces.
    pub fn with_swap(
        &self,
        sqrt_price_x96: U256,
        tick: i32,
        liquidity: u128,
    ) -> Result<Self, AmmError> {
        check_tick(sqrt_price_x96, tick)?;
        Ok(Self {
            sqrt_price_x96,
            tick,
            liquidity,
            ..self.clone()
        })
    }

    /// The state after a `Mint` (`delta` above 0) or `Burn` (below 0) of liquidity from `lower` to `upper`.
    pub fn with_liquidity(&self, lower: i32, upper: i32, delta: i128) -> Result<Self, AmmError> {
        let table = self.table.with_position(lower, upper, delta)?;
        let liquidity = if (lower..upper).contains(&self.tick) {
            self.liquidity
                .checked_add_signed(delta)
                .ok_or(AmmError::InvalidState(
                    "the liquidity in range would leave 0 to 2^128 - 1",
                ))?
        } else {
            self.liquidity
        };
        Ok(Self {
            liquidity,
            table,
            paths: Default::default(),
            ..*self
        })
    }

    /// What a swap of exactly `amount` takes and gives.
    pub fn quote(
        &self,
        zero_for_one: bool,
        amount: U256,
        exact_in: bool,
    ) -> Result<Quote, AmmError> {
        self.quote_within(zero_for_one, amount, exact_in, SwapLimit::Whole)
    }

    /// What a swap up to a limit takes and gives.
    pub fn quote_within(
        &self,
        zero_for_one: bool,
        amount: U256,
        exact_in: bool,
        limit: SwapLimit,
    ) -> Result<Quote, AmmError> {
        self.walk(zero_for_one, amount, exact_in, limit)
            .map(|(quote, _)| quote)
    }

    /// The swap and the pool after it.
    pub fn after(
        &self,
        zero_for_one: bool,
        amount: U256,
        exact_in: bool,
    ) -> Result<(Quote, Self), AmmError> {
        self.after_within(zero_for_one, amount, exact_in, SwapLimit::Whole)
    }

    /// The swap up to a limit and the pool after it.
    pub fn after_within(
        &self,
        zero_for_one: bool,
        amount: U256,
        exact_in: bool,
        limit: SwapLimit,
    ) -> Result<(Quote, Self), AmmError> {
        let (quote, walk) = self.walk(zero_for_one, amount, exact_in, limit)?;
        let state = Self {
            sqrt_price_x96: walk.price,
            tick: if walk.between_ticks {
                tick_within(walk.price)
            } else {
                walk.tick
            },
            liquidity: walk.liquidity,
            ..self.clone()
        };
        Ok((quote, state))
    }

    fn walk(
        &self,
        zero_for_one: bool,
        amount: U256,
        exact_in: bool,
        limit: SwapLimit,
    ) -> Result<(Quote, Walk), AmmError> {
        if amount.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        if amount.bit_len() > AMOUNT_BITS {
            return Err(AmmError::AmountTooLarge);
        }
        let stop = self.stop_price(zero_for_one, limit)?;
        let edges = self.loaded_edges();
        if self.sqrt_price_x96 < edges.0 || self.sqrt_price_x96 > edges.1 {
            return Err(AmmError::NeedTicks { tick: self.tick });
        }
        let mut walk = Walk {
            price: self.sqrt_price_x96,
            tick: self.tick,
            liquidity: self.liquidity,
            remaining: amount,
            counter_amount: U256::ZERO,
            crossed: 0,
            between_ticks: false,
        };
        if limit == SwapLimit::Whole {
            self.walk_along(&mut walk, zero_for_one, exact_in, stop, edges)?;
        } else {
            while !walk.remaining.is_zero() && walk.price != stop {
                self.step(&mut walk, zero_for_one, exact_in, stop, edges)?;
            }
        }
        let moved = amount - walk.remaining;
        let (amount_in, amount_out) = if exact_in {
            (moved, walk.counter_amount)
        } else {
            (walk.counter_amount, moved)
        };
        if !walk.remaining.is_zero() && limit == SwapLimit::Whole {
            return Err(AmmError::InsufficientLiquidity {
                amount_in,
                amount_out,
            });
        }
        Ok((
            Quote {
                amount_in,
                amount_out,
                ticks_crossed: walk.crossed,
            },
            walk,
        ))
    }

    /// Walks on to the end, jumping over the whole steps that were summed up before.
    fn walk_along(
        &self,
        walk: &mut Walk,
        zero_for_one: bool,
        exact_in: bool,
        end: U256,
        edges: (U256, U256),
    ) -> Result<(), AmmError> {
        let is_done = |walk: &Walk| walk.remaining.is_zero() || walk.price == end;
        if is_done(walk) || !self.step(walk, zero_for_one, exact_in, end, edges)? || is_done(walk) {
            return Ok(());
        }
        let path = &self.paths[usize::from(!zero_for_one)];
        let here = walk.stop(
            (walk.remaining, walk.counter_amount),
            walk.crossed,
            exact_in,
        );
        if let Some(reached) = path.jump(&here, walk.remaining, exact_in) {
            let (moved, countered) = if exact_in {
                (reached.amount_in, reached.amount_out)
            } else {
                (reached.amount_out, reached.amount_in)
            };
            walk.remaining -= moved;
            walk.counter_amount = walk
                .counter_amount
                .checked_add(countered)
                .ok_or(AmmError::AmountTooLarge)?;
            walk.crossed += reached.crossed;
            walk.price = reached.price;
            walk.tick = reached.tick;
            walk.liquidity = reached.liquidity;
        }
        let (begun, crossed) = ((walk.remaining, walk.counter_amount), walk.crossed);
        let mut passed = Passed::new(walk.stop(begun, crossed, exact_in));
        let mut outcome = Ok(());
        while outcome.is_ok() && !is_done(walk) {
            match self.step(walk, zero_for_one, exact_in, end, edges) {
                // An output that ends here may have arrived by rounding, with less than the whole step.
                Ok(arrived) if arrived && (exact_in || !walk.remaining.is_zero()) => {
                    passed.push(walk.stop(begun, crossed, exact_in));
                }
                Ok(_) => {}
                Err(error) => outcome = Err(error),
            }
        }
        if !passed.is_empty() {
            path.remember(passed);
        }
        outcome
    }

    /// One step; whether it ended at its stop, whole.
    fn step(
        &self,
        walk: &mut Walk,
        zero_for_one: bool,
        exact_in: bool,
        stop: U256,
        (low, high): (U256, U256),
    ) -> Result<bool, AmmError> {
        let next = self.next(walk, zero_for_one, stop);
        let next_price = sqrt_price_within(next.index);
        let target = if zero_for_one {
            next_price.max(stop)
        } else {
            next_price.min(stop)
        };
        let step = swap_step(
            walk.price,
            target,
            walk.liquidity,
            walk.remaining,
            exact_in,
            self.fee_ppm,
        )?;
        if step.next_price < low || step.next_price > high {
            let (low, high) = self.table.loaded();
            return Err(AmmError::NeedTicks {
                tick: if zero_for_one { low } else { high },
            });
        }
        let taken = step
            .amount_in
            .checked_add(step.fee)
            .ok_or(AmmError::AmountTooLarge)?;
        let (spent, gained) = if exact_in {
            (taken, step.amount_out)
        } else {
            (step.amount_out, taken)
        };
        walk.remaining = walk
            .remaining
            .checked_sub(spent)
            .ok_or(AmmError::AmountTooLarge)?;
        walk.counter_amount = walk
            .counter_amount
            .checked_add(gained)
            .ok_or(AmmError::AmountTooLarge)?;
        let moved = step.next_price != walk.price;
        walk.price = step.next_price;
        let arrived = walk.price == next_price;
        if arrived {
            if let Some(net) = next.net {
                let change = if zero_for_one {
                    net.checked_neg()
                } else {
                    Some(net)
                };
                walk.liquidity = change
                    .and_then(|change| walk.liquidity.checked_add_signed(change))
                    .ok_or(AmmError::InvalidState(
                        "the ticks take more liquidity away than there is",
                    ))?;
                walk.crossed += 1;
            }
            walk.tick = if zero_for_one {
                next.index - 1
            } else {
                next.index
            };
            walk.between_ticks = false;
        } else if moved {
            walk.between_ticks = true;
        }
        Ok(arrived)
    }

    /// The next stop of the price. The contract stops at the end of every word of 256 ticks, and each stop
    /// rounds; without liquidity nothing is exchanged, nothing rounds, and the gap is passed in one step.
    fn next(&self, walk: &Walk, zero_for_one: bool, stop: U256) -> NextTick {
        let initialised = |tick: &Tick| NextTick {
            index: tick.index,
            net: Some(tick.liquidity_net),
        };
        let nothing = |index| NextTick { index, net: None };
        match (walk.liquidity, zero_for_one) {
            (0, true) => {
                let next = self
                    .table
                    .at_or_below(walk.tick)
                    .map_or(nothing(TICK_MIN), initialised);
                // A limit that lies on the last tick of a word is reached as that stop, one tick lower.
                let word_start = self.table.word_start(tick_within(stop));
                if word_start > next.index {
                    nothing(word_start)
                } else {
                    next
                }
            }
            (0, false) => self
                .table
                .above(walk.tick)
                .map_or(nothing(TICK_MAX), initialised),
            (_, true) => self.table.next_below(walk.tick),
            (_, false) => self.table.next_above(walk.tick),
        }
    }

    fn stop_price(&self, zero_for_one: bool, limit: SwapLimit) -> Result<U256, AmmError> {
        let stop = match limit {
            SwapLimit::SqrtPrice(price) => price,
            SwapLimit::Whole if zero_for_one => SQRT_PRICE_MIN + U256::ONE,
            SwapLimit::Whole => SQRT_PRICE_MAX - U256::ONE,
        };
        let allowed = if zero_for_one {
            stop > SQRT_PRICE_MIN && stop < self.sqrt_price_x96
        } else {
            stop < SQRT_PRICE_MAX && stop > self.sqrt_price_x96
        };
        match (allowed, limit) {
            (true, _) => Ok(stop),
            // A pool already at its last price takes nothing more in this direction.
            (false, SwapLimit::Whole) => Ok(self.sqrt_price_x96),
            (false, SwapLimit::SqrtPrice(_)) => Err(AmmError::InvalidState(
                "the price limit is not ahead of the price within the pool's bounds",
            )),
        }
    }

    /// Prices between which every initialised tick is known.
    fn loaded_edges(&self) -> (U256, U256) {
        let (low, high) = self.table.loaded();
        let low = if low == TICK_MIN {
            U256::ZERO
        } else {
            sqrt_price_within(low)
        };
        let high = if high == TICK_MAX {
            U256::MAX
        } else {
            sqrt_price_within(high)
        };
        (low, high)
    }
}

fn check_tick(sqrt_price_x96: U256, tick: i32) -> Result<(), AmmError> {
    let exact = tick_at_sqrt_price(sqrt_price_x96)?;
    let on_its_tick = tick == exact - 1 && sqrt_price_within(exact) == sqrt_price_x96;
    if tick == exact || on_its_tick {
        Ok(())
    } else {
        Err(AmmError::InvalidState(
            "the tick is not that of the square-root price",
        ))
    }
}
