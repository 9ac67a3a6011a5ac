use alloy_consensus::{SignableTransaction, Signed, Transaction as _, TxEip1559};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use k256::ecdsa::SigningKey;

use crate::SignError;

/// A signed transaction is no longer than geth's pool takes.
const RAW_LIMIT_BYTES: usize = 128 * 1024;

/// An unsigned EIP-1559 call; contract creation and access lists are not spoken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Transaction1559 {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Nonce of the sender.
    pub nonce: u64,
    /// The account or contract called.
    pub to: Address,
    /// Wei sent along.
    pub value: U256,
    /// Calldata.
    pub data: Bytes,
    /// Gas bought.
    pub gas_limit: u64,
    /// Most wei paid for one gas.
    pub max_fee_per_gas: u128,
    /// Most wei of that paid to the block's producer.
    pub max_priority_fee_per_gas: u128,
}

/// Bytes ready to broadcast, and the hash that identifies them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    /// EIP-2718 envelope.
    pub raw: Vec<u8>,
    /// `keccak256(raw)`.
    pub hash: B256,
}

/// A signed transaction read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredTransaction {
    /// Whose key signed.
    pub sender: Address,
    /// What was signed.
    pub transaction: Transaction1559,
    /// `keccak256(raw)`.
    pub hash: B256,
}

impl Transaction1559 {
    pub(crate) fn sign(&self, key: &SigningKey) -> Result<SignedTransaction, SignError> {
        if self.chain_id == 0 {
            return Err(SignError::Transaction("chain id 0 would be valid nowhere"));
        }
        if self.nonce == u64::MAX {
            return Err(SignError::Transaction(
                "nonce 2^64-1 is refused by every chain (EIP-2681)",
            ));
        }
        if self.max_priority_fee_per_gas > self.max_fee_per_gas {
            return Err(SignError::Transaction(
                "max_priority_fee_per_gas is above max_fee_per_gas",
            ));
        }
        let unsigned = self.to_alloy();
        let hash = unsigned.signature_hash();
        let signature: Signature = key
            .sign_prehash_recoverable(hash.as_slice())
            .map_err(|error| SignError::Curve(error.to_string()))?
            .into();
        let signed = unsigned.into_signed(signature);
        let mut raw = Vec::with_capacity(signed.eip2718_encoded_length());
        signed.eip2718_encode(&mut raw);
        Ok(SignedTransaction {
            raw,
            hash: *signed.hash(),
        })
    }

    fn to_alloy(&self) -> TxEip1559 {
        TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: self.gas_limit,
            max_fee_per_gas: self.max_fee_per_gas,
            max_priority_fee_per_gas: self.max_priority_fee_per_gas,
            to: TxKind::Call(self.to),
            value: self.value,

            input: self.data.clone(),
            ..TxEip1559::default()
        }
    }
}

/// An address from text; where it has upper and lower case, its EIP-55 checksum must hold.
pub fn parse_address(text: &str) -> Result<Address, String> {
    let refused = || format!("{text:?} is no address: 0x and 40 hex digits");
    let digits = text
        .strip_prefix("0x")
        .filter(|digits| digits.len() == 40)
        .ok_or_else(refused)?;
    let mixed = digits.contains(|c: char| c.is_ascii_lowercase())
        && digits.contains(|c: char| c.is_ascii_uppercase());
    if mixed {
        return Address::parse_checksummed(text, None)
            .map_err(|_| format!("{text:?} fails its checksum (EIP-55)"));
    }
    digits.parse().map_err(|_| refused())
}

/// Reads a signed EIP-1559 call and recovers its sender; a high `s`, trailing bytes and other types are refused.
pub fn recover_transaction(raw: &[u8]) -> Result<RecoveredTransaction, SignError> {
    let refused = |reason: &str| SignError::Decode(reason.to_owned());
    if raw.len() > RAW_LIMIT_BYTES {
        return Err(refused("longer than 128 KiB"));
    }
    if raw.first() != Some(&2) {
        return Err(refused("the first byte is not type 2"));
    }
    let mut rest = raw;
    let signed = Signed::<TxEip1559>::eip2718_decode(&mut rest)
        .map_err(|error| SignError::Decode(error.to_string()))?;
    if !rest.is_empty() {
        return Err(refused("bytes follow the transaction"));
    }
    let sender = signed
        .recover_signer()
        .map_err(|_| refused("the signature has no signer"))?;
    let hash = *signed.hash();
    let inner = signed.tx();
    let TxKind::Call(to) = inner.to else {
        return Err(refused("it creates a contract"));
    };
    if inner.access_list().is_some_and(|list| !list.is_empty()) {
        return Err(refused("it has an access list"));
    }
    let transaction = Transaction1559 {
        chain_id: inner.chain_id,
        nonce: inner.nonce,
        to,
        value: inner.value,
        data: inner.input.clone(),
        gas_limit: inner.gas_limit,
        max_fee_per_gas: inner.max_fee_per_gas,
        max_priority_fee_per_gas: inner.max_priority_fee_per_gas,
    };
    Ok(RecoveredTransaction {
        sender,
        transaction,
        hash,
    })
}
