//! What operations cost: fixed, near what the genuine contracts use.

pub(crate) const VIEW: u64 = 2_600;
pub(crate) const APPROVE: u64 = 25_000;
pub(crate) const TRANSFER: u64 = 15_000;
pub(crate) const DEPOSIT: u64 = 24_000;
pub(crate) const ROUTER: u64 = 9_000;
pub(crate) const PAIR_SWAP: u64 = 30_000;
pub(crate) const CONCENTRATED_SWAP: u64 = 50_000;
pub(crate) const TICK_CROSSED: u64 = 22_000;
/// EIP-7825.
pub(crate) const TRANSACTION_LIMIT: u64 = 1 << 24;
/// What a read may spend.
pub(crate) const CALL_LIMIT: u64 = 50_000_000;

const TRANSACTION: u64 = 21_000;
const ZERO_BYTE: u64 = 4;
const BYTE: u64 = 16;

/// What a transaction costs before its call begins.
pub(crate) fn intrinsic(data: &[u8]) -> u64 {
    data.iter()
        .map(|byte| if *byte == 0 { ZERO_BYTE } else { BYTE })
        .fold(TRANSACTION, u64::saturating_add)
}
