use ruint::aliases::U256;

/// One market of a plan with its exact amounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Name of the market.
    pub market: String,
    /// What goes in.
    pub asset_in: String,
    /// What comes out.
    pub asset_out: String,
    /// How much goes in, in base units.
    pub amount_in: U256,
    /// How much comes out, in base units.
    pub amount_out: U256,
    /// Gas that the market was said to cost.
    pub gas: u64,
}
