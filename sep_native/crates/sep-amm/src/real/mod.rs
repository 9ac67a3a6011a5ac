//! The real-valued side of every family: what a market would trade at given prices, for solvers.
//!
//! Amounts here are `f64` in base units. They guide a search; what a plan promises is computed by the exact side.

mod concentrated;
mod constant_product;
mod ladder;
mod lane;
mod linear;
mod order_book;
mod sampled;
mod stable_swap;
mod weighted_product;

pub use concentrated::RealConcentrated;
pub use constant_product::RealConstantProduct;
pub use ladder::{HyperbolicLadder, LadderBuilder};
pub use lane::RealLane;
pub use linear::LinearLadder;
pub use order_book::RealOrderBook;
pub use sampled::RealSampled;
pub use stable_swap::RealStableSwap;
pub use weighted_product::RealWeightedProduct;

/// The trade that earns most at given prices.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Response {
    /// What goes in, fee included.
    pub amount_in: f64,
    /// What comes out.
    pub amount_out: f64,
    /// How fast `amount_in` shrinks as the logarithm of the price rises; never negative.
    pub stiffness: f64,
    /// `amount_out - exp(log_price) * amount_in`, in units of what comes out; never negative.
    pub gain: f64,
}

/// How linear pieces (book levels, lanes) open as the price falls past their rates; the default takes each whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ramp {
    /// Steps of log price over which a piece opens.
    pub width: f64,
    /// What the market takes already: of a piece that is part of it, the ramp begins so much earlier that this part
    /// stays at the piece's own rate.
    pub taken: f64,
}

impl Ramp {
    /// Ramps that begin at the rates of their pieces.
    pub fn of(width: f64) -> Self {
        Self { width, taken: 0.0 }
    }
}

/// A market as a solver sees it: concave trades between pairs of its assets, fees included.
///
/// Assets are numbered as the exact state numbers them. Implementations are plain tables, built once from a state.
pub trait RealMarket: std::fmt::Debug + Send + Sync {
    /// How many assets the market trades.
    fn asset_count(&self) -> usize;

    /// Natural logarithm of what a vanishing amount buys, fees included: the price at which the market wakes.
    /// Negative infinity where nothing can be bought.
    fn log_rate(&self, asset_in: usize, asset_out: usize) -> f64;

    /// Natural logarithm of the share of a trade that fees leave; 0 where there are none.
    fn log_kept(&self, asset_in: usize, asset_out: usize) -> f64;

    /// The best trade where `log_price` is the logarithm of the price of the asset in, in units of the asset out.
    /// All zero where `log_price` is at or above `log_rate`. Beyond the market's liquidity the whole of it is taken
    /// with a stiffness of 0.
    ///
    /// `ramp` smooths linear pieces (book levels, lanes): a piece of capacity `c` at log rate `r`, of which the share
    /// `h` is among what is taken already, takes `c * clamp((r - log_price) / width + h, 0, 1)` and has stiffness
    /// `c / width` inside the ramp, which then begins above its rate; its output is what that input buys on the true curve.
    /// With a width of 0 a piece is taken whole, and `gain` is exact. Curved families ignore it.
    fn respond(&self, asset_in: usize, asset_out: usize, log_price: f64, ramp: Ramp) -> Response;

    /// What an exact quote for this amount in does not exceed, but for rounding of real numbers. Unless a family knows
    /// better, along the tangent at no size.
    fn output_at_most(&self, asset_in: usize, asset_out: usize, amount_in: f64) -> f64 {
        self.log_rate(asset_in, asset_out).exp() * amount_in
    }

    /// What an exact quote for this amount out does not undercut, but for rounding of real numbers; infinity where the
    /// market does not have so much. Unless a family knows better, along the tangent at no size.
    fn input_at_least(&self, asset_in: usize, asset_out: usize, amount_out: f64) -> f64 {
        amount_out / self.log_rate(asset_in, asset_out).exp()
    }

    /// Whether the market has linear pieces, so that ramps matter.
    fn has_linear_pieces(&self) -> bool {
        false
    }
}
