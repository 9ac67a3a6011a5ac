use rusqlite::{Error, ffi};
use thiserror::Error as ThisError;

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum WriteError {
    /// The head of the log is not the one that the batch was planned behind.
    #[error("the head of the log has moved")]
    Displaced,
    /// SQLite refused.
    #[error("{message}")]
    Sqlite {
        /// Extended result code.
        code: i32,
        /// What SQLite says.
        message: String,
    },
}

impl WriteError {
    /// Whether a row that must be unique stands in the log already.
    pub fn is_constraint(&self) -> bool {
        matches!(self, Self::Sqlite { code, .. } if code & 0xff == ffi::SQLITE_CONSTRAINT)
    }
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        let code = error
            .sqlite_error()
            .map_or(ffi::SQLITE_ERROR, |failure| failure.extended_code);
        let message = match error {
            Error::SqliteFailure(_, Some(message)) => message,
            other => other.to_string(),
        };
        Self::Sqlite { code, message }
    }
}
