use crate::real::{Ramp, Response};

/// A stretch that trades at one rate.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// How far the log price has to fall below the ladder's rate until this piece trades.
    depth: f64,
    amount_in: f64,
    amount_out: f64,
    /// Sums over the pieces before it; `moment` is that of depth times amount in.
    in_before: f64,
    out_before: f64,
    moment_before: f64,
}

/// Pieces of falling rates one after another: one direction of a book, a lane or a sampled venue.
///
/// Sums run outwards from the best rate, so that small trades are not the difference of large numbers.
#[derive(Clone, Debug)]
pub struct LinearLadder {
    log_rate: f64,
    pieces: Box<[Piece]>,
    total_in: f64,
    total_moment: f64,
}

/// So many pieces inside a ramp are added up one by one, more by the difference of their sums.
const FEW: usize = 8;

impl LinearLadder {
    /// A ladder of these amounts in and out, whose rates do not rise; amounts of nothing are left out.
    pub fn new(amounts: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut ladder = Self {
            log_rate: f64::NEG_INFINITY,
            pieces: Box::default(),
            total_in: 0.0,
            total_moment: 0.0,
        };
        let mut pieces: Vec<Piece> = Vec::new();
        let mut total_out = 0.0;
        for (amount_in, amount_out) in amounts {
            let is_real = amount_in > 0.0 && amount_out > 0.0;
            if !(is_real && amount_in.is_finite() && amount_out.is_finite()) {
                continue;
            }
            let rate = amount_out.ln() - amount_in.ln();
            let depth = if let Some(last) = pieces.last() {
                // What rounding makes rise again stays level.
                (ladder.log_rate - rate).max(last.depth)
            } else {
                ladder.log_rate = rate;
                0.0
            };
            pieces.push(Piece {
                depth,
                amount_in,
                amount_out,
                in_before: ladder.total_in,
                out_before: total_out,
                moment_before: ladder.total_moment,
            });
            ladder.total_in += amount_in;
            ladder.total_moment += depth * amount_in;
            total_out += amount_out;
        }
        ladder.pieces = pieces.into();
        ladder
    }

    /// Logarithm of output for input at no size; negative infinity where nothing can be bought.
    pub fn log_rate(&self) -> f64 {
        self.log_rate
    }

    /// The best trade at a log price, each piece opening over `ramp`.
    pub fn respond(&self, log_price: f64, ramp: Ramp) -> Response {
        let Ramp { width, taken } = ramp;
        let depth = self.log_rate - log_price;
        if depth.is_nan() || depth <= 0.0 && (taken == 0.0 || depth <= -width) {
            return Response::default();
        }
        // Where the ramp of a piece begins: no later than that of the next.
        let begin = |piece: &Piece| {
            if taken <= piece.in_before {
                piece.depth
            } else {
                piece.depth - width * ((taken - piece.in_before) / piece.amount_in).min(1.0)
            }
        };
        let touched = self.pieces.partition_point(|piece| begin(piece) < depth);
        let full = if width > 0.0 {
            self.pieces[..touched].partition_point(|piece| begin(piece) + width <= depth)
        } else {
            touched
        };
        let opening = &self.pieces[full..touched];
        let mut amount_in = self.in_before(full);
        let mut stiffness = 0.0;
        if !opening.is_empty() {
            let (capacity, moment) = if opening.len() <= FEW {
                opening
                    .iter()
                    .fold((0.0, 0.0), |(capacity, moment), piece| {
                        (
                            capacity + piece.amount_in,
                            moment + (depth - begin(piece)) * piece.amount_in,
                        )
                    })
            } else {
                let capacity = self.in_before(touched) - self.in_before(full);
                let moment = self.moment_before(touched) - self.moment_before(full);
                let held = (taken - self.in_before(full)).clamp(0.0, capacity.max(0.0));
                (capacity, width.mul_add(held, depth * capacity - moment))
            };
            amount_in += (moment / width).clamp(0.0, capacity.max(0.0));
            stiffness = capacity.max(0.0) / width;
        }
        let amount_out = self.output(amount_in);
        Response {
            amount_in,
            amount_out,
            stiffness,
            gain: (amount_out - log_price.exp() * amount_in).max(0.0),
        }
    }

    /// What an input buys when the best pieces go first, all of them at most.
    pub fn output(&self, amount_in: f64) -> f64 {
        let at = self
            .pieces
            .partition_point(|piece| piece.in_before < amount_in);
        let Some(piece) = at.checked_sub(1).map(|at| &self.pieces[at]) else {
            return 0.0;
        };
        let share = ((amount_in - piece.in_before) / piece.amount_in).min(1.0);
        share.mul_add(piece.amount_out, piece.out_before)
    }

    /// What an output takes when the best pieces go first; infinity beyond all of them.
    pub fn input(&self, amount_out: f64) -> f64 {
        let at = self
            .pieces
            .partition_point(|piece| piece.out_before < amount_out);
        let Some(piece) = at.checked_sub(1).map(|at| &self.pieces[at]) else {
            return if amount_out > 0.0 { f64::INFINITY } else { 0.0 };
        };
        let share = (amount_out - piece.out_before) / piece.amount_out;
        // Sums of the pieces may be rounded apart from the amount that was asked.
        if at == self.pieces.len() && share > 1.0 + 1e-9 {
            return f64::INFINITY;
        }
        share.min(1.0).mul_add(piece.amount_in, piece.in_before)
    }

    fn in_before(&self, at: usize) -> f64 {
        self.pieces
            .get(at)
            .map_or(self.total_in, |piece| piece.in_before)
    }

    fn moment_before(&self, at: usize) -> f64 {
        self.pieces
            .get(at)
            .map_or(self.total_moment, |piece| piece.moment_before)
    }
}
