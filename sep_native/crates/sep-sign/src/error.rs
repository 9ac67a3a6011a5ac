use std::{
    fmt::Display,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Why a key file or a transaction was refused. No text holds key material or a password.
#[derive(Debug, Error)]
pub enum SignError {
    /// The file could not be read or written.
    #[error("key file {path}: {reason}")]
    File {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A key file is never overwritten.
    #[error(
        "key file {0} exists already and is left as it is; choose another path or move it away"
    )]
    Exists(PathBuf),
    /// Others than the owner may read or write the file.
    #[error("key file {path} is open to others (mode {mode:04o}); nothing was signed")]
    Permissions {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The text is not a version 3 key file that this crate reads.
    #[error("key file {path} is not a version 3 key file: {reason}")]
    Format {
        /// The key file.
        path: PathBuf,
        /// The first thing that does not fit.
        reason: String,
    },
    /// The password does not open the file.
    #[error("the password does not open key file {0}")]
    Password(PathBuf),
    /// The bytes are no private key of secp256k1.
    #[error("a private key is 32 bytes, neither zero nor above the order of secp256k1")]
    Key,
    /// The cost of the key derivation is outside what is allowed.
    #[error("scrypt cost 2^{0} is outside 2^1..2^20; 2^18 is usual, less only for tests")]
    Cost(u8),
    /// The system gave no randomness.
    #[error("the system gave no randomness: {0}")]
    Random(String),
    /// The fields contradict each other.
    #[error("transaction not signed: {0}")]
    Transaction(&'static str),
    /// The curve library refused.
    #[error("signing failed: {0}")]
    Curve(String),
    /// The bytes are no signed EIP-1559 transaction.
    #[error("not a signed EIP-1559 transaction: {0}")]
    Decode(String),
}

impl SignError {
    /// What to do about it, or nothing.
    pub fn next_step(&self) -> String {
        match self {
            Self::Exists(_) => "choose another path, or move the file away".to_owned(),
            Self::Permissions { path, .. } => format!("chmod 600 {}", path.display()),
            Self::Password(_) => {
                "check the configured password, and that it ends without a newline".to_owned()
            }
            _ => String::new(),
        }
    }

    pub(crate) fn file(path: &Path, reason: &dyn Display) -> Self {
        Self::File {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn format(path: &Path, reason: &dyn Display) -> Self {
        Self::Format {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}
