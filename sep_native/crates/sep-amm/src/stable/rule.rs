use ruint::aliases::U256;

/// Whose contract a stable pool runs: same curve, other roundings and another place for the fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StableRule {
    /// Curve's plain pools: fee on the amount out in parts of 10^10, amplification times 100.
    Curve,
    /// Balancer's composable stable pools: fee on the amount in in parts of 10^18, amplification times 1000.
    Balancer,
}

impl StableRule {
    /// By what the amplification coefficient is multiplied.
    pub fn amplification_precision(self) -> u64 {
        match self {
            Self::Curve => 100,
            Self::Balancer => 1000,
        }
    }

    /// The fee that would take everything.
    pub fn fee_denominator(self) -> u64 {
        match self {
            Self::Curve => 10_u64.pow(10),
            Self::Balancer => 10_u64.pow(18),
        }
    }

    /// The highest amplification coefficient that the contract accepts.
    pub(crate) fn amplification_max(self) -> u64 {
        match self {
            Self::Curve => 1_000_000,
            Self::Balancer => 5000,
        }
    }

    pub(crate) fn precision(self) -> U256 {
        U256::from(self.amplification_precision())
    }
}
