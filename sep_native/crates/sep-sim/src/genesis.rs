use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a genesis document does not describe a chain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("genesis: {0}")]
pub struct GenesisError(pub String);

/// Everything that a simulated chain begins with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Seed of faults and noise; part of the first block's hash.
    pub seed: u64,
    /// Seconds since 1970 of block 0.
    pub timestamp: u64,
    /// Seconds between blocks, always.
    pub block_interval_seconds: u64,
    /// Base fee of block 0, wei per gas.
    #[serde(with = "amount")]
    pub base_fee: U256,
    /// Gas limit of every block.
    #[serde(default = "defaults::gas_limit")]
    pub gas_limit: u64,
    /// Blocks on top that make a block final.
    #[serde(default = "defaults::finality_depth")]
    pub finality_depth: u64,
    /// Blocks on top that make a block safe.
    #[serde(default = "defaults::safe_depth")]
    pub safe_depth: u64,
    /// What `eth_maxPriorityFeePerGas` answers.
    #[serde(default = "defaults::suggested_tip", with = "amount")]
    pub suggested_tip: U256,
    /// Whether a transaction that can be included makes a block at once.
    #[serde(default)]
    pub automine: bool,
    /// Address of the router contract.
    pub router: Address,
    /// Accounts with funds.
    pub accounts: Vec<GenesisAccount>,
    /// ERC-20 tokens.
    pub tokens: Vec<GenesisToken>,
    /// Markets.
    pub pools: Vec<GenesisPool>,
    /// Trades of others, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
}

/// An account and what it owns.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisAccount {
    /// Its address.
    pub address: Address,
    /// Wei.
    #[serde(with = "amount")]
    pub balance: U256,
    /// Base units by token address.
    #[serde(default)]
    pub tokens: BTreeMap<Address, Amount>,
}

/// A token contract.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisToken {
    /// Its address.
    pub address: Address,
    /// What people call it.
    pub symbol: String,
    /// Power of ten of the base unit.
    pub decimals: u8,
    /// Whether it wraps the native asset.
    #[serde(default)]
    pub wrapped_native: bool,
    /// Whether an allowance must be reset to zero before it changes.
    #[serde(default)]
    pub approval_reset: bool,
}

/// A pool contract; the order of its assets is given, as its deployer would.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "snake_case", deny_unknown_fields)]
pub enum GenesisPool {
    /// Uniswap V2's mathematics.
    ConstantProduct {
        /// Its address.
        address: Address,
        /// First asset.
        token0: Address,
        /// Second asset.
        token1: Address,
        /// Parts per million.
        fee_ppm: u32,
        /// Base units of the first asset.
        #[serde(with = "amount")]
        reserve0: U256,
        /// Base units of the second asset.
        #[serde(with = "amount")]
        reserve1: U256,
    },
    /// Uniswap V3's mathematics.
    ConcentratedLiquidity {
        /// Its address.
        address: Address,
        /// First asset.
        token0: Address,
        /// Second asset.
        token1: Address,
        /// Parts per million.
        fee_ppm: u32,
        /// Distance between ticks.
        tick_spacing: i32,
        /// Price at the start.
        #[serde(with = "amount")]
        sqrt_price_x96: U256,
        /// Liquidity at the start.
        positions: Vec<Position>,
    },
}

/// Liquidity from a lower to an upper tick.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Lower tick, in range.
    pub lower: i32,
    /// Upper tick, out of range.
    pub upper: i32,
    /// How much.
    #[serde(with = "amount")]
    pub liquidity: U256,
}

/// Seeded trades of others: in each block, one pool's price moves by up to so many hundredths of a percent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// Largest move of a price.
    pub max_bps: u32,
}

/// Base units, a decimal string in JSON.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Amount(#[serde(with = "amount")] pub U256);

impl Genesis {
    /// Reads a genesis document.
    pub fn parse(text: &str) -> Result<Self, GenesisError> {
        serde_json::from_str(text).map_err(|error| GenesisError(error.to_string()))
    }

    /// Refuses numbers that no chain has, so that arithmetic on them cannot overflow.
    pub(crate) fn check(&self) -> Result<(), GenesisError> {
        let refused = |text: &str| Err(GenesisError(text.to_owned()));
        if self.chain_id == 0 {
            return refused("chain_id 0 is no chain");
        }
        if self.timestamp >= 1 << 40 || self.block_interval_seconds >= 1 << 20 {
            return refused("timestamp is below 2^40 and block_interval_seconds below 2^20");
        }
        if self.block_interval_seconds == 0 {
            return refused("block_interval_seconds is at least 1");
        }
        if !(21_000..1 << 40).contains(&self.gas_limit) {
            return refused("gas_limit is from 21000 to 2^40");
        }
        if self.base_fee >= U256::ONE << 100 || self.suggested_tip >= U256::ONE << 100 {
            return refused("base_fee and suggested_tip are below 2^100");
        }
        Ok(())
    }

    /// The document again, in one line.
    pub fn to_json(&self) -> Result<String, GenesisError> {
        serde_json::to_string(self).map_err(|error| GenesisError(error.to_string()))
    }
}

mod defaults {
    use alloy_primitives::U256;

    pub(super) fn gas_limit() -> u64 {
        30_000_000
    }

    pub(super) fn finality_depth() -> u64 {
        4
    }

    pub(super) fn safe_depth() -> u64 {
        2
    }

    pub(super) fn suggested_tip() -> U256 {
        U256::from(1_000_000_000)
    }
}

mod amount {
    use alloy_primitives::U256;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Text {
        Decimal(String),
        Number(u64),
    }

    pub(super) fn serialize<S: Serializer>(value: &U256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<U256, D::Error> {
        match Text::deserialize(deserializer)? {
            Text::Number(number) => Ok(U256::from(number)),
            Text::Decimal(text)
                if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                U256::from_str_radix(&text, 10).map_err(D::Error::custom)
            }
            Text::Decimal(text) => Err(D::Error::custom(format!("{text:?} is no decimal amount"))),
        }
    }
}
