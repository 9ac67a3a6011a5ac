use thiserror::Error;

/// Why a signature, a value or some bytes were refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A signature or type that cannot be read or compiled.
    #[error("{subject}: {reason}")]
    Signature {
        /// The text that was given.
        subject: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Bytes that are not the canonical encoding of the types.
    #[error("the data is not an encoding of {types}: {reason}")]
    Data {
        /// The types that were expected.
        types: String,
        /// What is wrong with the bytes.
        reason: String,
    },
    /// Values that do not fit the types.
    #[error("the values do not fit {types}")]
    Values {
        /// The types that were expected.
        types: String,
    },
    /// Text that is no JSON array of logs.
    #[error("the text is not a JSON array of logs: {0}")]
    Json(String),
}
