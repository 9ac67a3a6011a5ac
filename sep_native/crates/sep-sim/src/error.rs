use thiserror::Error;

/// The code of an answer that stands for no answer: the caller must treat it as a timeout.
pub const TIMEOUT_CODE: i64 = -32_098;

pub(crate) const SERVER: i64 = -32_000;
pub(crate) const REVERT: i64 = 3;
const INVALID_PARAMS: i64 = -32_602;
const NO_METHOD: i64 = -32_601;

/// A JSON-RPC error.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} (code {code})")]
pub struct RpcError {
    /// JSON-RPC code; 3 is a revert.
    pub code: i64,
    /// Text, worded as geth's.
    pub message: String,
    /// Revert data as 0x text.
    pub data: Option<String>,
}

impl RpcError {
    pub(crate) fn server(message: impl Into<String>) -> Self {
        Self {
            code: SERVER,
            message: message.into(),
            data: None,
        }
    }

    pub(crate) fn params(message: impl Into<String>) -> Self {
        Self {
            code: INVALID_PARAMS,
            message: message.into(),
            data: None,
        }
    }

    pub(crate) fn no_method(method: &str) -> Self {
        let message = format!("the method {method} does not exist/is not available");
        Self {
            code: NO_METHOD,
            message,
            data: None,
        }
    }

    pub(crate) fn timeout() -> Self {
        Self {
            code: TIMEOUT_CODE,
            message: "simulated timeout: no answer came".to_owned(),
            data: None,
        }
    }
}
