use alloy_dyn_abi::DynSolType;

/// How a single 32-byte word is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordKind {
    /// An unsigned number of so many bits.
    Uint(usize),
    /// A signed number of so many bits.
    Int(usize),
    /// An account, in the low 20 bytes.
    Address,
    /// Zero or one.
    Bool,
    /// So many bytes from the left.
    FixedBytes(usize),
}

impl WordKind {
    /// The kind of a type that is one word, or `None` for arrays, tuples, bytes and strings.
    pub fn of(kind: &DynSolType) -> Option<Self> {
        match kind {
            DynSolType::Uint(bits) => Some(Self::Uint(*bits)),
            DynSolType::Int(bits) => Some(Self::Int(*bits)),
            DynSolType::Address => Some(Self::Address),
            DynSolType::Bool => Some(Self::Bool),
            DynSolType::FixedBytes(bytes) => Some(Self::FixedBytes(*bytes)),
            DynSolType::Function => Some(Self::FixedBytes(24)),
            _ => None,
        }
    }

    /// Whether every bit outside the value is what the encoding demands.
    pub fn is_clean(self, word: &[u8; 32]) -> bool {
        match self {
            Self::Uint(bits) => zeros(&word[..32 - (bits / 8).min(32)]),
            Self::Address => zeros(&word[..12]),
            Self::Bool => zeros(&word[..31]) && word[31] <= 1,
            Self::FixedBytes(bytes) => zeros(&word[bytes.min(32)..]),
            Self::Int(bits) => {
                let start = 32 - (bits / 8).clamp(1, 32);
                let sign = if word[start] & 0x80 == 0 { 0x00 } else { 0xff };
                word[..start].iter().all(|byte| *byte == sign)
            }
        }
    }
}

fn zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
