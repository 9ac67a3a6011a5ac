use crate::real::Response;

/// One stretch of constant liquidity, as seen by trades in one direction.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// How far the log price has to fall below the ladder's rate until this stretch begins.
    depth: f64,
    /// All that goes in and comes out before it.
    amount_in: f64,
    amount_out: f64,
    /// Virtual reserves at its beginning; the one that goes in is divided by the share that fees leave.
    reserve_in: f64,
    reserve_out: f64,
}

/// Stretches of constant product one after another: one direction of a curved pool.
///
/// Sums run outwards from the present price, so that small trades are not the difference of large numbers.
#[derive(Clone, Debug)]
pub struct HyperbolicLadder {
    log_rate: f64,
    stretches: Box<[Stretch]>,
    /// Depth at which the last stretch ends, and all that goes in and comes out until there.
    end: f64,
    whole: (f64, f64),
}

/// Collects stretches from the present price outwards.
#[derive(Debug)]
pub struct LadderBuilder {
    log_rate: f64,
    begun: f64,
    depth: f64,
    amount_in: f64,
    amount_out: f64,
    stretches: Vec<Stretch>,
}

impl LadderBuilder {
    /// A ladder that begins at this logarithm of output for input, fees included.
    pub fn new(log_rate: f64) -> Self {
        Self {
            log_rate,
            begun: 0.0,
            depth: 0.0,
            amount_in: 0.0,
            amount_out: 0.0,
            stretches: Vec::new(),
        }
    }

    /// Adds a stretch over which the log price falls by `length`, with the virtual reserves at its beginning; reserves
    /// of 0 leave a gap.
    pub fn push(&mut self, length: f64, reserve_in: f64, reserve_out: f64) {
        if length.is_nan() || length <= 0.0 {
            return;
        }
        let is_live = reserve_in > 0.0 && reserve_out > 0.0;
        if self.stretches.is_empty() {
            if !is_live {
                self.depth += length;
                self.begun = self.depth;
                return;
            }
            self.begun = self.depth;
        }
        self.stretches.push(Stretch {
            depth: self.depth - self.begun,
            amount_in: self.amount_in,
            amount_out: self.amount_out,
            reserve_in: if is_live { reserve_in } else { 0.0 },
            reserve_out: if is_live { reserve_out } else { 0.0 },
        });
        if is_live {
            let half = length / 2.0;
            self.amount_in += reserve_in * half.exp_m1();
            self.amount_out -= reserve_out * (-half).exp_m1();
        }
        self.depth += length;
    }

    /// The ladder; it buys nothing where no stretch was live.
    pub fn build(self) -> HyperbolicLadder {
        HyperbolicLadder {
            log_rate: if self.stretches.is_empty() {
                f64::NEG_INFINITY
            } else {
                self.log_rate - self.begun
            },
            end: self.depth - self.begun,
            whole: (self.amount_in, self.amount_out),
            stretches: self.stretches.into(),
        }
    }
}

impl HyperbolicLadder {
    /// One stretch without an end.
    pub fn single(log_rate: f64, reserve_in: f64, reserve_out: f64) -> Self {
        let mut builder = LadderBuilder::new(log_rate);
        builder.push(f64::INFINITY, reserve_in, reserve_out);
        builder.build()
    }

    /// Logarithm of output for input at no size.
    pub fn log_rate(&self) -> f64 {
        self.log_rate
    }

    /// The best trade at a log price.
    pub fn respond(&self, log_price: f64) -> Response {
        let depth = self.log_rate - log_price;
        if depth.is_nan() || depth <= 0.0 {
            return Response::default();
        }
        if depth >= self.end {
            let (amount_in, amount_out) = self.whole;
            return Response {
                amount_in,
                amount_out,
                stiffness: 0.0,
                gain: (amount_out - log_price.exp() * amount_in).max(0.0),
            };
        }
        let after = self
            .stretches
            .partition_point(|stretch| stretch.depth < depth);
        let Some(stretch) = self.stretches.get(after.saturating_sub(1)) else {
            return Response::default();
        };
        let half = (depth - stretch.depth) / 2.0;
        let (grown, shrunk) = (half.exp_m1(), (-half).exp_m1());
        let amount_in = stretch.reserve_in.mul_add(grown, stretch.amount_in);
        let amount_out = stretch.amount_out - stretch.reserve_out * shrunk;
        let gain = if after == 1 {
            stretch.reserve_out * shrunk * shrunk
        } else {
            (amount_out - log_price.exp() * amount_in).max(0.0)
        };
        Response {
            amount_in,
            amount_out,
            stiffness: stretch.reserve_in * (grown + 1.0) / 2.0,
            gain,
        }
    }

    /// All that goes in and comes out until the ladder ends.
    pub fn whole(&self) -> (f64, f64) {
        self.whole
    }

    /// What an input buys, the whole ladder at most.
    pub fn output(&self, amount_in: f64) -> f64 {
        let after = self
            .stretches
            .partition_point(|stretch| stretch.amount_in < amount_in);
        let Some(stretch) = self.stretches.get(after.saturating_sub(1)) else {
            return 0.0;
        };
        let given = amount_in - stretch.amount_in;
        let taken = stretch.reserve_out * (given / (stretch.reserve_in + given));
        let taken = if taken.is_nan() { 0.0 } else { taken };
        (stretch.amount_out + taken).min(self.whole.1)
    }

    /// What an output takes; infinity beyond the whole ladder.
    pub fn input(&self, amount_out: f64) -> f64 {
        if amount_out > self.whole.1 {
            return f64::INFINITY;
        }
        let after = self
            .stretches
            .partition_point(|stretch| stretch.amount_out < amount_out);
        let Some(stretch) = self.stretches.get(after.saturating_sub(1)) else {
            return 0.0;
        };
        let taken = amount_out - stretch.amount_out;
        let given = stretch.reserve_in * (taken / (stretch.reserve_out - taken));
        stretch.amount_in + if given.is_nan() { 0.0 } else { given.max(0.0) }
    }
}
