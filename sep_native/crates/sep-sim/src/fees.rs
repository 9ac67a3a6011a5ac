use alloy_primitives::U256;

/// The base fee after a block (EIP-1559, elasticity 2, denominator 8).
pub(crate) fn next_base_fee(base_fee: U256, gas_used: u64, gas_limit: u64) -> U256 {
    let target = (gas_limit / 2).max(1);
    if gas_used == target {
        return base_fee;
    }
    let change =
        |distance: u64| base_fee * U256::from(distance) / U256::from(target) / U256::from(8);
    if gas_used > target {
        base_fee + change(gas_used - target).max(U256::ONE)
    } else {
        base_fee - change(target - gas_used)
    }
}
